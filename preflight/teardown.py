"""Whether everything comes down in an order that leaves nothing stuck: judged on the graph, before it is built.

Pulumi destroys a resource before everything it depends on. So "X outlives Y" is the same as "Y depends on X,
directly or through others", and can be proved without destroying anything. Each rule names the incident that
taught it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from preflight.graph import Graph, Resource

_ACCESS = "aws:eks/accessPolicyAssociation:AccessPolicyAssociation"
_NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
_HELM = "kubernetes:helm.sh/v3:Release"
_NODE_OWNERS = ("kubernetes:karpenter.sh/v1:NodePool", "kubernetes:karpenter.k8s.aws/v1:EC2NodeClass")
_SECRETS = (
    "kubernetes:external-secrets.io/v1:ExternalSecret",
    "kubernetes:external-secrets.io/v1:SecretStore",
)
_ROUTES = (
    "aws:ec2/route:Route", "aws:ec2/routeTableAssociation:RouteTableAssociation", "aws:ec2/natGateway:NatGateway",
)  # fmt: skip


@dataclass(frozen=True)
class Stuck:
    """A resource that would still be there, and need another, when that other is gone."""

    resource: Resource
    outlived: Resource
    why: str

    def __str__(self) -> str:
        return (
            f"{self.resource.type} {self.resource.name} does not depend on {self.outlived.type} {self.outlived.name}, "
            f"which may be destroyed first: {self.why}"
        )


def check(graph: Graph) -> list[Stuck]:
    """Every way in which tearing the environment down could stick."""
    kubernetes = graph.of_type("kubernetes:*")
    karpenter = [each for each in graph.of_type(_HELM) if each.name.startswith("karpenter")]
    controller = [each for each in karpenter if each.name == "karpenter"]
    nodes = [*graph.of_type(_NODE_GROUP), *graph.of_type(*_NODE_OWNERS)]
    return [
        *_outlive(
            graph,
            graph.of_type(_ACCESS),
            kubernetes,
            "without the access policy its deletion is unauthorized (terraform-aws-eks#2903)",
        ),
        *_outlive(
            graph,
            karpenter,
            graph.of_type(*_NODE_OWNERS),
            "nobody is left to remove its finalizer and end its instances (pulumi-kubernetes#1739), "
            "or its CRD goes and takes it along behind Pulumi's back",
        ),
        *_outlive(
            graph,
            [each for each in graph.of_type(_HELM) if each.name == "external-secrets"],
            graph.of_type(*_SECRETS),
            "its CRDs go with it and take them along behind Pulumi's back",
        ),
        *_outlive(
            graph,
            [each for each in graph.of_type(_NODE_GROUP) if each.name == "system"],
            controller,
            "the controller has no node to run on and its finalizers stay",
        ),
        *_outlive(
            graph,
            graph.of_type(*_ROUTES),
            nodes,
            "nodes without a route to the API server cannot drain (data-on-eks#1067)",
        ),
    ]


def _outlive(
    graph: Graph, survivors: Iterable[Resource], mortals: Iterable[Resource], why: str
) -> Iterator[Stuck]:
    mortals = list(mortals)
    for survivor in survivors:
        for mortal in mortals:
            if mortal.urn != survivor.urn and survivor.urn not in graph.needs(mortal.urn):
                yield Stuck(mortal, survivor, why)
