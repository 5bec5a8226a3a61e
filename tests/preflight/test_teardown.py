"""Everything comes down in an order that leaves nothing stuck: proved on prod's graph, and on graphs with a cut."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from preflight.graph import Graph
from preflight.teardown import Stuck, check
from rehearsal.rehearse import Rehearsal

pytestmark = pytest.mark.xdist_group("rehearsed")

Document = dict[str, Any]

ACCESS_POLICY = "aws:eks/accessPolicyAssociation:AccessPolicyAssociation"
NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
NODE_POOL = "kubernetes:karpenter.sh/v1:NodePool"
NODE_CLASS = "kubernetes:karpenter.k8s.aws/v1:EC2NodeClass"
HELM = "kubernetes:helm.sh/v3:Release"
ROUTE = "aws:ec2/route:Route"
NAT = "aws:ec2/natGateway:NatGateway"
REFERENCE = "pulumi:pulumi:StackReference"


@pytest.fixture
def prod(rehearsed: Callable[[str], Rehearsal]) -> Document:
    """prod's graph, to be changed at will."""
    return copy.deepcopy(rehearsed("prod").as_json())


def resources(document: Document, kind: str, name: str = "") -> Iterator[Document]:
    for layer in document["layers"]:
        for resource in layer["resources"]:
            if resource["type"] == kind and name in ("", resource["name"]):
                yield resource


def cut(document: Document, kind: str) -> None:
    """Takes all resources of a type out of every other's dependencies."""
    gone = {resource["urn"] for resource in resources(document, kind)}
    assert gone, f"there is no {kind}"
    for layer in document["layers"]:
        for resource in layer["resources"]:
            resource["dependencies"] = [each for each in resource["dependencies"] if each not in gone]


def stuck(document: Document, outlived: str) -> list[Stuck]:
    return [each for each in check(Graph(document)) if each.outlived.type == outlived]


@pytest.mark.parametrize("name", ["local", "dev", "staging", "prod"])
def test_nothing_sticks(rehearsed: Callable[[str], Rehearsal], name: str):
    graph = Graph(rehearsed(name).as_json())

    assert [str(each) for each in check(graph)] == []
    for kind in (ACCESS_POLICY, NODE_GROUP, NODE_POOL, NODE_CLASS, HELM, ROUTE, NAT):
        assert graph.of_type(kind), f"the rules say nothing without any {kind}"


def test_the_order_of_destruction_takes_what_needs_before_what_is_needed(prod: Document):
    graph = Graph(prod)
    order = graph.destruction_order()
    place = {urn: index for index, urn in enumerate(order)}

    assert sorted(order) == sorted(graph.resources)
    for resource in graph:
        for needed in (*resource.dependencies, resource.parent):
            if needed in place:
                assert place[resource.urn] < place[needed], f"{resource.urn} outlives {needed}"


def test_layers_come_down_in_reverse(prod: Document):
    graph = Graph(prod)
    layers = [graph.resources[urn].layer for urn in graph.destruction_order()]

    assert graph.layers_read_by("cluster") == {"network"}
    assert graph.layers_read_by("data") == {"network", "cluster"}
    used_in_data = {urn for urn in graph.resources if graph.resources[urn].layer == "data"}
    (reference,) = [
        each for each in graph.of_type(REFERENCE) if each.layer == "data" and each.name == "prod-cluster"
    ]
    assert all(
        graph.resources[needed].layer in ("network", "cluster")
        for needed in graph.needs(reference.urn) - used_in_data
    )
    assert layers.index("data") < len(layers) - 1 - layers[::-1].index("network")


@pytest.mark.parametrize(
    "kind", ["kubernetes:core/v1:Namespace", NODE_POOL, HELM, "kubernetes:apps/v1:DaemonSet"]
)
def test_access_policies_outlive_kubernetes_objects(prod: Document, kind: str):
    graph = Graph(prod)
    place = {urn: index for index, urn in enumerate(graph.destruction_order())}

    for policy in graph.of_type(ACCESS_POLICY):
        for mortal in graph.of_type(kind):
            assert policy.urn in graph.needs(mortal.urn)
            assert place[mortal.urn] < place[policy.urn]


def test_kubernetes_objects_without_their_access_policy_stick(prod: Document):
    cut(prod, ACCESS_POLICY)

    found = stuck(prod, ACCESS_POLICY)

    assert {each.resource.type.split(":")[0] for each in found} == {"kubernetes"}
    # Those of later layers need the whole cluster layer.
    in_layer = {each.urn for each in Graph(prod).of_type("kubernetes:*") if each.layer == "cluster"}
    assert {each.resource.urn for each in found} == in_layer
    assert "without the access policy its deletion is unauthorized" in str(found[0])
    assert str(found[0]).startswith(found[0].resource.type)


def test_one_object_that_lost_its_access_policy_is_found(prod: Document):
    loose = {
        "urn": "urn:pulumi:prod-cluster::pinwheel::kubernetes:core/v1:ConfigMap::loose",
        "type": "kubernetes:core/v1:ConfigMap",
        "name": "loose",
        "inputs": {},
        "parent": "",
        "dependencies": [],
    }
    prod["layers"][1]["resources"].append(loose)

    assert {each.resource.name for each in check(Graph(prod))} == {"loose"}


def test_controllers_outlive_the_owners_of_finalizers(prod: Document):
    graph = Graph(prod)
    (controller,) = [each for each in graph.of_type(HELM) if each.name == "karpenter"]

    for owner in graph.of_type(NODE_POOL, NODE_CLASS):
        assert controller.urn in graph.needs(owner.urn)


def test_owners_of_finalizers_without_their_controller_stick(prod: Document):
    cut(prod, HELM)

    found = stuck(prod, HELM)

    assert {each.resource.type for each in found} >= {NODE_POOL, NODE_CLASS}
    assert "finalizer" in found[0].why


def test_a_controller_without_nodes_sticks(prod: Document):
    cut(prod, NODE_GROUP)

    (found,) = [each for each in stuck(prod, NODE_GROUP) if each.resource.name == "karpenter"]

    assert found.outlived.name == "system"
    assert "no node to run on" in found.why


def test_routes_outlive_nodes(prod: Document):
    graph = Graph(prod)

    for nodes in graph.of_type(NODE_GROUP, NODE_POOL):
        assert {each.urn for each in graph.of_type(ROUTE, NAT)} <= graph.needs(nodes.urn)


def test_nodes_without_their_routes_stick(prod: Document):
    """The cluster layer stands on the network's by its stack reference alone."""
    cut(prod, REFERENCE)

    found = stuck(prod, NAT)

    assert {each.resource.type for each in found} >= {NODE_GROUP, NODE_POOL}
    assert "cannot drain" in found[0].why


def test_a_graph_without_a_cluster_cannot_stick(prod: Document):
    prod["layers"] = prod["layers"][:1]

    assert check(Graph(prod)) == []
