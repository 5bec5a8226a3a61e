"""The picture of the layers, drawn from the graph; the README has the one of prod."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from preflight import diagram
from preflight.diagram import BEGIN, END, mermaid, put_into
from preflight.graph import Graph
from rehearsal.rehearse import Rehearsal

README = Path(__file__).resolve().parents[2] / "README.md"


def resource(kind: str, name: str, *dependencies: str, parent: str = "") -> dict[str, Any]:
    return {
        "urn": f"{kind} {name}",
        "type": kind,
        "name": name,
        "inputs": {},
        "parent": parent,
        "dependencies": list(dependencies),
    }


QUEUE = "aws:sqs/queue:Queue"
PIN = "kubernetes:core/v1:ConfigMap"


def graph_of(**layers: list[dict[str, Any]]) -> Graph:
    return Graph(
        {
            "environment": "dev",
            "layers": [{"name": name, "resources": resources} for name, resources in layers.items()],
        }
    )


@pytest.fixture
def small() -> Graph:
    return graph_of(
        network=[
            resource("pinwheel:network:Vpc", "vpc"),
            resource("pinwheel:network:Part", "part", parent="pinwheel:network:Vpc vpc"),
            resource(QUEUE, "one", parent="pinwheel:network:Part part"),
            resource(QUEUE, "two", parent="pinwheel:network:Vpc vpc"),
            resource("pinwheel:network:Logs", "flow-logs"),
            resource(QUEUE, "logs", f"{QUEUE} one", parent="pinwheel:network:Logs flow-logs"),
            resource(QUEUE, "last", f"{QUEUE} one", f"{QUEUE} logs"),
        ],
        cluster=[
            resource("pulumi:pulumi:StackReference", "dev-network"),
            resource(PIN, "pins", "pulumi:pulumi:StackReference dev-network"),
        ],
    )


def test_a_picture_of_a_small_graph(small: Graph):
    """Boxes with their number of resources; of three arrows the one that follows from the others is left out."""
    assert mermaid(small).splitlines() == [
        "```mermaid",
        "flowchart LR",
        "  subgraph network",
        '    network_flow_logs["flow-logs (1)"]',
        '    network_sqs["sqs (1)"]',
        '    network_vpc["vpc (2)"]',
        "  end",
        "  subgraph cluster",
        '    cluster_kubernetes["kubernetes (1)"]',
        "  end",
        "  network_flow_logs --> network_vpc",
        "  network_sqs --> network_flow_logs",
        "  cluster == contract ==> network",
        "```",
    ]


def test_components_that_need_each_other_keep_their_arrows():
    graph = graph_of(
        data=[
            resource("pinwheel:data:A", "a"),
            resource("pinwheel:data:B", "b"),
            resource(QUEUE, "a1", parent="pinwheel:data:A a"),
            resource(QUEUE, "b1", f"{QUEUE} a1", parent="pinwheel:data:B b"),
            resource(QUEUE, "a2", f"{QUEUE} b1", parent="pinwheel:data:A a"),
        ]
    )

    assert [line for line in mermaid(graph).splitlines() if "-->" in line] == [
        "  data_a --> data_b",
        "  data_b --> data_a",
    ]


def test_the_picture_comes_between_the_markers():
    assert put_into(f"before\n{BEGIN}\nold\n{END}\nafter\n", "new") == f"before\n{BEGIN}\nnew\n{END}\nafter\n"


@pytest.mark.parametrize("text", ["no markers", BEGIN, END])
def test_a_text_without_markers(text: str):
    with pytest.raises(ValueError, match="markers"):
        put_into(text, "new")


def test_the_command_writes_the_picture_into_a_file(
    small: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    graph, page = tmp_path / "graph.json", tmp_path / "page.md"
    graph.write_text(json.dumps({"environment": "dev", "layers": []}))
    page.write_text(f"# Page\n{BEGIN}\n{END}\n")
    monkeypatch.setattr(sys, "argv", ["diagram", str(graph), str(page)])

    diagram.main()

    assert page.read_text() == f"# Page\n{BEGIN}\n```mermaid\nflowchart LR\n```\n{END}\n"


def test_the_command_prints_the_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    graph = tmp_path / "graph.json"
    graph.write_text(json.dumps({"environment": "dev", "layers": []}))
    monkeypatch.setattr(sys, "argv", ["diagram", str(graph)])

    diagram.main()

    assert capsys.readouterr().out == "```mermaid\nflowchart LR\n```\n"


@pytest.mark.xdist_group("rehearsed")
def test_the_picture_of_prod_has_every_resource_and_only_boxes_that_exist(
    rehearsed: Callable[[str], Rehearsal],
):
    rehearsal = rehearsed("prod")
    picture = mermaid(Graph(rehearsal.as_json()))
    boxes = dict(re.findall(r"^    (\w+)\[\".*\((\d+)\)\"\]$", picture, re.MULTILINE))
    arrows = re.findall(r"^  (\w+) --> (\w+)$", picture, re.MULTILINE)

    declared = [
        record
        for layer in rehearsal.layers
        for record in layer.records
        if not record.type.startswith(("pinwheel:", "pulumi:"))
    ]
    assert sum(map(int, boxes.values())) == len(declared)
    assert arrows
    assert {end for arrow in arrows for end in arrow} <= boxes.keys()
    assert "data == contract ==> cluster" in picture


@pytest.mark.xdist_group("rehearsed")
def test_the_readme_has_the_picture_of_prod(rehearsed: Callable[[str], Rehearsal]):
    text = README.read_text(encoding="utf-8")

    assert put_into(text, mermaid(Graph(rehearsed("prod").as_json()))) == text, "run `make picture`"
