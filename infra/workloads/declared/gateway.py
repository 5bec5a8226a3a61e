"""The gateway: Envoy, the only way in. Where it leads follows from the routes of all the others."""

from infra.environment import Environment
from infra.workloads.gateway.bootstrap import FILE_NAME
from infra.workloads.service import Port, Replicas, Resources, Service, Slo, sized

FOLDER = "/etc/envoy"


def services(environment: Environment) -> tuple[Service, ...]:
    """One Envoy, many times."""
    resources = sized(environment, small=Resources(50, 64, 256), full=Resources(1000, 256, 512))
    return (
        Service(
            name="gateway",
            owner="platform",
            image="gateway",
            role=("serve",),
            slo=Slo(availability_percent=99.99, latency_ms=200),
            resources=resources,
            replicas=sized(environment, small=Replicas(1, 1), full=Replicas(3, 30)),
            ports=(Port.HTTP,),
            edge=True,
            variables={
                # On AWS the load balancer takes a while to send nobody here any more.
                "SHUTDOWN_DRAIN_SECONDS": sized(environment, small="1", full="20"),
                "GATEWAY_CONFIGURATION": f"{FOLDER}/{FILE_NAME}",
                "GATEWAY_CONCURRENCY": str(resources.cpus(least=2)),
            },
            shutdown_seconds=45,
        ),
    )
