"""The search service: a root that asks every shard's leaf, and leaves that index what Kafka brings."""

from infra.data.catalogue import DEAD_LETTER_SUFFIX
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
    Volume,
    address,
    sized,
)

TOPICS = ("pins", "boards", "saves", "embeddings")
INDEX = "/var/lib/pinwheel/index"

_PICTURE_BYTES = 11 * 1024 * 1024
"""An image of up to 10 MiB to search with comes in the request."""


def services(environment: Environment) -> tuple[Service, ...]:
    """One root, one leaf a shard."""
    leaves = tuple(_leaf(environment, shard) for shard in range(environment.workloads.search_shards))
    root = Service(
        name="search-root",
        owner="search",
        image="search",
        role=("root",),
        slo=Slo(availability_percent=99.95, latency_ms=150),
        resources=sized(environment, small=Resources(50, 128, 384), full=Resources(1000, 512, 1024)),
        replicas=sized(environment, small=Replicas(1, 1), full=Replicas(3, 30)),
        ports=(Port.HTTP,),
        calls=(*(leaf.name for leaf in leaves), "ml"),
        routes=(Route(("/v1/search",), max_body_bytes=_PICTURE_BYTES),),
        variables={
            "SEARCH_LEAVES": ",".join(address(leaf.name, Port.RPC) for leaf in leaves),
            "ML_ADDRESS": address("ml", Port.GRPC),
            "EMBEDDING_MODEL_VERSION": environment.workloads.embedding.identifier,
        },
    )
    return (root, *leaves)


def _leaf(environment: Environment, shard: int) -> Service:
    shards = environment.workloads.search_shards
    resources = sized(environment, small=Resources(50, 256, 2048), full=Resources(3000, 12_288, 16_384))
    return Service(
        name=f"search-leaf-{shard}",
        owner="search",
        image="search",
        role=("leaf",),
        slo=Slo(availability_percent=99.9, latency_ms=100),
        resources=resources,  # memory for the vectors, and for the pages of the index that are read all the time
        # Every pod of a shard reads the whole of it: more pods answer more questions.
        replicas=sized(environment, small=Replicas(1, 1), full=Replicas(2, 2)),
        volume=sized(environment, small=Volume(10, INDEX), full=Volume(100, INDEX)),
        ports=(Port.RPC,),
        reads=TOPICS,
        writes=tuple(f"{topic}{DEAD_LETTER_SUFFIX}" for topic in TOPICS),
        buckets=(BucketAccess("snapshots", Access.MANAGE, f"shard-{shard:03}-of-{shards:03}"),),
        variables={
            "SHARD": str(shard),
            "SHARDS": str(shards),
            "INDEX_DIRECTORY": INDEX,
            "EMBEDDING_MODEL_VERSION": environment.workloads.embedding.identifier,
            "EMBEDDING_DIMENSION": str(environment.workloads.embedding.dimension),
            "SEARCH_THREADS": str(resources.cpus(least=2)),
        },
        shutdown_seconds=60,  # it commits its index, so that it has little to read again
    )
