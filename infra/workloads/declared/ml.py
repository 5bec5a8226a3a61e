"""The ml service: embeddings on request, and of every new pin as it comes."""

from infra.data.catalogue import DEAD_LETTER_SUFFIX
from infra.environment import Environment
from infra.workloads.service import BucketAccess, Port, Replicas, Resources, Service, Slo, address, sized


def services(environment: Environment) -> tuple[Service, ...]:
    """`ml` embeds what it is sent, on a GPU where there are some; `ml-stream` sends it every new pin."""
    resources = sized(environment, small=Resources(100, 256, 1024), full=Resources(1500, 4096, 6144))
    return (
        Service(
            name="ml",
            owner="visual-search",
            image="ml",
            role=("serve",),
            slo=Slo(availability_percent=99.9, latency_ms=60),
            resources=resources,
            replicas=sized(environment, small=Replicas(1, 1), full=Replicas(3, 12)),
            ports=(Port.GRPC,),
            buckets=(BucketAccess("models"),),
            gpu_pool=sized(environment, small=None, full="inference"),
            variables={"INFERENCE_THREADS": str(resources.cpus(least=2)), **_model(environment)},
            temporary_mib=8192,  # a model and its successor
        ),
        Service(
            name="ml-stream",
            owner="visual-search",
            image="ml",
            role=("stream",),
            slo=Slo(availability_percent=99.5, latency_ms=5000),
            resources=sized(environment, small=Resources(50, 128, 512), full=Resources(500, 512, 1024)),
            # No more than the topic has partitions.
            replicas=sized(environment, small=Replicas(1, 1), full=Replicas(2, 12)),
            reads=("pins",),
            consumer_group="ml-stream",
            writes=("embeddings", f"pins{DEAD_LETTER_SUFFIX}"),
            buckets=(BucketAccess("images", prefix="originals"),),
            calls=("ml",),
            variables={"ML_ADDRESS": address("ml", Port.GRPC)},
        ),
    )


def _model(environment: Environment) -> dict[str, str]:
    """Which of the registry's models; without a name, `ml` makes its own."""
    name = environment.workloads.embedding.name
    return {} if name == "default" else {"MODEL_NAME": name}
