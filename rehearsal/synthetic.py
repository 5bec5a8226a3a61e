"""Synthetic services, to see how a rehearsal's cost grows: declared as real ones are, with all that follows.

Each has an image of its own, reads a topic, calls the one before it and has a route.
"""

from collections.abc import Sequence

import pulumi

from infra import providers
from infra.contracts import ClusterContract, DataContract, read
from infra.environment import Environment
from infra.workloads import declarations
from infra.workloads.repository import Repositories, RepositoriesArgs
from infra.workloads.service import Port, Replicas, Resources, Route, Service, Slo
from infra.workloads.workloads import Workloads, WorkloadsArgs
from rehearsal.rehearse import Program

NAMESPACE = "synthetic"

RESOURCES_EACH = 16
"""Three components; a role with its policy and its association; a repository with its rules; and a ServiceAccount,
a ConfigMap, a NetworkPolicy, two Services, a Deployment, its autoscaler and its disruption budget."""


def declared(count: int) -> tuple[Service, ...]:
    """`count` services that know each other."""
    return declarations.checked(_service(index) for index in range(count))


def _service(index: int) -> Service:
    name = f"service-{index:04}"
    return Service(
        name=name,
        owner="synthetic",
        image=name,
        slo=Slo(availability_percent=99.9, latency_ms=100),
        resources=Resources(cpu_millis=100, memory_mib=128, memory_limit_mib=256),
        replicas=Replicas(2, 10),
        ports=(Port.HTTP,),
        reads=("pins",),
        consumer_group=name,
        calls=(f"service-{index - 1:04}",) if index else (),
        routes=(Route((f"/v1/{name}",)),),
    )


def services(count: int) -> Program:
    """A program that declares `count` services on top of the environment's layers."""
    return program(declared(count))


def program(found: Sequence[Service]) -> Program:
    """A program that declares these services, in a namespace of their own."""

    def run(environment: Environment) -> None:
        cluster = read(ClusterContract, environment.name)
        aws = providers.aws_provider(environment)
        kubernetes = providers.kubernetes_provider(environment, cluster)
        repositories = Repositories(
            "synthetic",
            RepositoriesArgs(environment, declarations.images(found)),
            pulumi.ResourceOptions(provider=aws),
        )
        Workloads(
            "synthetic",
            WorkloadsArgs(
                environment=environment,
                namespace=NAMESPACE,
                services=found,
                cluster=cluster,
                data=read(DataContract, environment.name),
                repositories=repositories.urls,
                storage={},
                queues={},
                after=[kubernetes],
            ),
            pulumi.ResourceOptions(providers=[aws, kubernetes]),
        )

    return run
