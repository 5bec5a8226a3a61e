"""The graph, read from its JSON."""

from typing import Any

import pytest

from preflight.graph import Graph


def resource(
    name: str, *dependencies: str, kind: str = "aws:sqs/queue:Queue", parent: str = ""
) -> dict[str, Any]:
    return {
        "urn": name,
        "type": kind,
        "name": name,
        "inputs": {},
        "parent": parent,
        "dependencies": list(dependencies),
    }


@pytest.fixture
def graph() -> Graph:
    network = [resource("vpc"), resource("subnet", "vpc")]
    reference = resource("dev-network", kind="pulumi:pulumi:StackReference")
    cluster = [
        reference,
        resource("group", kind="pinwheel:eks:Group"),
        resource("role", parent="group"),
        resource("nodes", "role", "dev-network", "gone", parent="group"),
    ]
    return Graph(
        {
            "environment": "dev",
            "layers": [{"name": "network", "resources": network}, {"name": "cluster", "resources": cluster}],
        }
    )


def test_needs_go_through_dependencies_parents_and_layers(graph: Graph):
    assert graph.needs("nodes") == {"role", "group", "dev-network", "vpc", "subnet"}
    assert graph.needs("vpc") == set()


def test_what_is_needed_is_created_first_and_destroyed_last(graph: Graph):
    created = graph.creation_order()

    assert sorted(created) == sorted(graph.resources)
    assert created.index("vpc") < created.index("subnet") < created.index("nodes")
    assert graph.destruction_order() == created[::-1]


def test_types_are_found_whole_or_by_their_beginning(graph: Graph):
    assert [each.name for each in graph.of_type("aws:sqs/queue:Queue", "pinwheel:*")] == [
        "vpc",
        "subnet",
        "group",
        "role",
        "nodes",
    ]
    assert graph.of_type("aws:sqs/queue") == []


def test_layers_that_a_layer_reads(graph: Graph):
    assert graph.layers_read_by("cluster") == {"network"}
    assert graph.layers_read_by("network") == set()
