"""`pinwheel rehearse` as a person runs it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_the_local_environment_passes_and_its_graph_is_written(pinwheel, tmp_path: Path) -> None:
    graph = tmp_path / "graph.json"
    done = pinwheel.run("rehearse", "--json", str(graph))
    assert done.returncode == 0, done.stdout
    assert "local passes." in done.stdout
    assert "AWS resources with an adapter: " in done.stdout
    assert "network: started" in done.stderr
    told = json.loads(graph.read_text())
    assert told["environment"] == "local"
    assert [layer["name"] for layer in told["layers"]] == ["network", "cluster", "data", "workloads"]
    assert list(tmp_path.glob(".graph.json*")) == []
    assert pinwheel.processes() == []


def test_one_layer_with_the_graph_on_stdout_and_all_else_on_stderr(pinwheel) -> None:
    done = pinwheel.run("rehearse", "--layer", "network", "--json", "-")
    told = json.loads(done.stdout)
    assert [layer["name"] for layer in told["layers"]] == ["network"]
    assert "Rehearsal of local" in done.stderr


@pytest.mark.parametrize(
    "variables",
    [
        dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:1"),
        {
            "AWS_PROFILE": "work",
            "AWS_CONFIG_FILE": "/nowhere",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
            "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
            "AWS_DEFAULT_REGION": "mars-north-1",
            "AWS_DEFAULTS_MODE": "wrong",
            "AWS_MAX_ATTEMPTS": "wrong",
            "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT": "wrong",
            "AWS_USE_FIPS_ENDPOINT": "true",
        },
    ],
    ids=["proxies", "an AWS account"],
)
def test_what_a_person_s_shell_says_of_proxies_and_accounts_does_not_count(
    pinwheel, variables: dict[str, str]
) -> None:
    pinwheel.variables = variables
    done = pinwheel.run("rehearse", "--layer", "network")
    assert done.returncode == 0, done.stderr
    assert "local passes." in done.stdout


@pytest.fixture
def environments(tmp_path: Path) -> Path:
    """A directory of environments in which to write wrong ones."""
    directory = tmp_path / "environments"
    shutil.copytree(ROOT / "environments", directory)
    return directory


def test_every_refusal_is_shown_and_the_graph_written_nevertheless(pinwheel, environments: Path) -> None:
    (environments / "wrong.yaml").write_text(
        "extends: local\n"
        "cluster:\n"
        "  system_nodes: {instance_types: [m99.large], scaling: {min: 2, desired: 2, max: 4}}\n"
        "database: {serverless: null, instance_class: db.r99.large}\n"
    )
    graph = environments / "graph.json"
    done = pinwheel.run("rehearse", "wrong", "--environments", str(environments), "--json", str(graph))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    shown = done.stdout.splitlines()
    cluster, data = shown.index("cluster: refused"), shown.index("data: refused")
    assert shown[cluster + 1] == "  aws:eks/nodeGroup:NodeGroup system"
    assert shown[cluster + 2].startswith("    instanceTypes[0] = m99.large ")
    assert shown[cluster + 3].startswith("      right: ")
    assert any(line.startswith("    instanceClass = db.r99.large ") for line in shown[data:])
    assert shown[-1].startswith("wrong does not pass: ")
    assert json.loads(graph.read_text())["environment"] == "wrong"


def test_a_program_that_ends_with_an_exception_is_told_in_a_line(pinwheel, environments: Path) -> None:
    """Together with what was refused until then; --debug shows where it was raised."""
    (environments / "wrong.yaml").write_text('extends: local\ncluster: {kubernetes_version: "1.99"}\n')
    arguments = ("rehearse", "wrong", "--environments", str(environments), "--layer", "cluster", "--debug")
    done = pinwheel.run(*arguments)
    assert done.returncode == 1
    assert "cluster: its program ended with ValueError: " in done.stdout
    assert "version = 1.99 is not a version of EKS" in done.stdout
    assert "Traceback (most recent call last)" in done.stdout
    assert "the program of cluster ended early" in done.stdout


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
