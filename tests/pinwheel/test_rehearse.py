"""`pinwheel rehearse` as a person runs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


def test_the_local_environment_passes_and_its_graph_is_written(pinwheel, tmp_path: Path) -> None:
    graph = tmp_path / "graph.json"
    done = pinwheel.run("rehearse", "--json", str(graph))
    assert done.returncode == 0, done.stdout
    assert "local passes." in done.stdout
    assert "AWS resources with an adapter: " in done.stdout
    assert "network: started" in done.stderr
    told = json.loads(graph.read_text())
    assert told["environment"] == "local"
    assert [layer["name"] for layer in told["layers"]] == ["network", "cluster", "data"]
    assert list(tmp_path.glob(".graph.json*")) == []
    assert pinwheel.processes() == []


def test_one_layer_with_the_graph_on_stdout_and_all_else_on_stderr(pinwheel) -> None:
    done = pinwheel.run("rehearse", "--layer", "network", "--json", "-")
    told = json.loads(done.stdout)
    assert [layer["name"] for layer in told["layers"]] == ["network"]
    assert "Rehearsal of local" in done.stderr


def test_every_refusal_is_shown_and_the_graph_written_nevertheless(pinwheel, tmp_path: Path) -> None:
    """An instance type that no zone offers, a node group that is no better, in one run."""
    environments = tmp_path / "environments"
    environments.mkdir()
    for name in ("local", "dev"):
        text = (Path(__file__).parents[2] / "environments" / f"{name}.yaml").read_text()
        (environments / f"{name}.yaml").write_text(text)
    (environments / "wrong.yaml").write_text(
        "extends: local\n"
        "cluster:\n"
        '  kubernetes_version: "1.99"\n'
        "  system_nodes: {instance_types: [m99.large], scaling: {min: 2, desired: 2, max: 4}}\n"
    )
    graph = tmp_path / "graph.json"
    done = pinwheel.run("rehearse", "wrong", "--environments", str(environments), "--json", str(graph))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "cluster: refused" in done.stdout
    assert "1.99" in done.stdout
    assert "m99.large" in done.stdout
    assert "wrong does not pass" in done.stdout
    assert json.loads(graph.read_text())["environment"] == "wrong"


def test_a_reader_that_leaves_early_is_no_error(pinwheel) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "pinwheel", "rehearse", "--layer", "network", "--json", "-"],
        env=pinwheel.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    told = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) == 141
    assert "Traceback" not in told
    assert "Exception" not in told
    assert pinwheel.processes() == []


@pytest.mark.parametrize("arguments", [("--help",), ("rehearse", "-h"), ("up", "-h"), ("destroy", "-h")])
def test_help(pinwheel, arguments: tuple[str, ...]) -> None:
    done = pinwheel.run(*arguments)
    assert done.returncode == 0
    assert "Usage: pinwheel" in done.stdout
