"""The pin service: users, boards, pins and saves; its outbox's relay; and its jobs."""

from infra.environment import Environment
from infra.workloads.service import (
    Access,
    BucketAccess,
    Port,
    Replicas,
    Resources,
    Route,
    Service,
    Slo,
    sized,
)

_ORIGINALS = "originals"
_THUMBNAILS = "thumbnails"


def services(environment: Environment) -> tuple[Service, ...]:
    """`pin` answers, `pin-relay` publishes what it wrote, `pin-jobs` does what can wait."""
    return (
        Service(
            name="pin",
            owner="pins",
            image="pin",
            role=("serve",),
            prepare=("migrate",),
            slo=Slo(availability_percent=99.95, latency_ms=50),
            resources=sized(environment, small=Resources(50, 128, 384), full=Resources(1000, 512, 1024)),
            replicas=sized(environment, small=Replicas(1, 1), full=Replicas(3, 30)),
            ports=(Port.HTTP,),
            database="pin",
            # A presigned upload may do what its signer may.
            buckets=(
                BucketAccess("images", Access.READ, _ORIGINALS),
                BucketAccess("images", Access.WRITE, _ORIGINALS),
            ),
            routes=(Route(("/v1/users", "/v1/boards", "/v1/pins", "/v1/uploads")),),
        ),
        Service(
            name="pin-relay",
            owner="pins",
            image="pin",
            role=("relay",),
            slo=Slo(availability_percent=99.9, latency_ms=500),
            resources=sized(environment, small=Resources(25, 96, 256), full=Resources(250, 256, 512)),
            # Two in production: one works, the other waits for its turn.
            replicas=_relays(environment),
            database="pin",
            writes=("pins", "boards", "saves"),
        ),
        Service(
            name="pin-jobs",
            owner="pins",
            image="pin",
            role=("work",),
            slo=Slo(availability_percent=99.5, latency_ms=60_000),
            resources=sized(environment, small=Resources(50, 128, 1024), full=Resources(1000, 1024, 2048)),
            replicas=sized(environment, small=Replicas(1, 1), full=Replicas(2, 40)),
            database="pin",
            # The largest picture that is taken needs 600 MB while it is made smaller.
            variables={"JOBS_THREADS": sized(environment, small="1", full="2")},
            # It removes what deleted pins leave.
            buckets=(
                BucketAccess("images", Access.READ, _ORIGINALS),
                BucketAccess("images", Access.REMOVE, _ORIGINALS),
                BucketAccess("images", Access.WRITE, _THUMBNAILS),
                BucketAccess("images", Access.REMOVE, _THUMBNAILS),
            ),
            queue="jobs",
            shutdown_seconds=90,  # a job in hand is finished
        ),
    )


def _relays(environment: Environment) -> Replicas:
    if environment.workloads.outbox == "debezium":
        return Replicas(0, 0)
    return sized(environment, small=Replicas(1, 1), full=Replicas(2, 2))
