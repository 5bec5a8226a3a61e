"""Every expected failure: one line that says what is wrong, one that says what to do, no stack trace."""

import os
from pathlib import Path
from typing import Any

import pytest


def refused(done: Any, code: int, reason: str, remedy: str) -> None:
    told = done.stderr.strip().splitlines()
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert told[0].startswith("error: ")
    assert reason in told[0]
    assert told[-1].startswith("  fix: ")
    assert remedy in told[-1]


def test_an_unknown_environment(pinwheel) -> None:
    refused(pinwheel.run("rehearse", "prd"), 2, "no environment `prd`", "did you mean prod?")


def test_an_unknown_layer(pinwheel) -> None:
    refused(pinwheel.run("rehearse", "--layer", "netwrok"), 2, "no layer `netwrok`", "did you mean network?")


def test_an_unknown_option(pinwheel) -> None:
    refused(
        pinwheel.run("rehearse", "--jsn", "x"), 2, "No such option: --jsn", "see `pinwheel rehearse --help`"
    )


def test_an_unknown_command(pinwheel) -> None:
    refused(pinwheel.run("rehears"), 2, "rehears", "see `pinwheel --help`")


def test_a_name_that_no_person_has(pinwheel) -> None:
    refused(pinwheel.run("token", "a b"), 2, "'a b' is no name of a person", "letters, digits")


@pytest.mark.parametrize("command", [("token", "ada"), ("seed",), ("demo",)])
def test_a_world_that_is_not_up(pinwheel, command: tuple[str, ...]) -> None:
    refused(pinwheel.run(*command), 1, "nothing is up", "run `make up`")


def test_a_port_that_is_none(pinwheel) -> None:
    refused(pinwheel.run("up", "--port", "99999"), 2, "--port", "see `pinwheel up --help`")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is empty"),
        ("account: '1'\n  region: x\n", "broken.yaml:2: not valid YAML"),
        ("- a list\n", "must be a mapping"),
        ("acount: '000000000000'\n", "did you mean `account`?"),
        (b"\xff\xfe\x00broken", "must be a readable UTF-8 file"),
    ],
)
def test_an_environment_file_that_cannot_be_used(
    pinwheel, tmp_path: Path, content: str | bytes, reason: str
) -> None:
    file = tmp_path / "broken.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = pinwheel.run("rehearse", "broken", "--environments", str(tmp_path))
    refused(done, 2, "", "correct it and run the same command again")
    assert reason in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_environment_file_that_may_not_be_read(pinwheel, tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_text("extends: dev\n")
    (tmp_path / "secret.yaml").chmod(0)
    done = pinwheel.run("rehearse", "secret", "--environments", str(tmp_path))
    refused(done, 2, "cannot be read", "correct it")


def test_an_environments_directory_that_is_not_there(pinwheel, tmp_path: Path) -> None:
    done = pinwheel.run("rehearse", "--environments", str(tmp_path / "none"))
    refused(done, 2, "is not a directory", "<environment>.yaml files")


def test_a_graph_file_without_its_directory_is_refused_first(pinwheel, tmp_path: Path) -> None:
    done = pinwheel.run("rehearse", "--json", str(tmp_path / "none" / "graph.json"))
    refused(done, 2, "its directory does not exist", f"mkdir -p {tmp_path / 'none'}")
    assert "network" not in done.stderr


def test_a_graph_file_that_is_a_directory(pinwheel, tmp_path: Path) -> None:
    refused(pinwheel.run("rehearse", "--json", str(tmp_path)), 2, "Is a directory", "name a file")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
def test_a_disk_without_space_for_the_graph(pinwheel) -> None:
    done = pinwheel.run("rehearse", "--layer", "network", "--json", "/dev/full")
    assert done.returncode == 3
    assert "error: /dev/full: No space left on device" in done.stderr
    assert "  fix: free some space" in done.stderr
    assert "Traceback" not in done.stderr
    assert pinwheel.processes() == []


def test_a_state_directory_that_cannot_be_made(pinwheel, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    pinwheel.variables["PINWHEEL_STATE"] = str(tmp_path / "file" / "state")
    refused(pinwheel.run("up"), 3, str(tmp_path / "file"), "PINWHEEL_STATE=DIRECTORY")


def test_debug_shows_where_an_error_comes_from_wherever_it_stands(pinwheel) -> None:
    for arguments in (("--debug", "rehearse", "nope"), ("rehearse", "nope", "--debug")):
        done = pinwheel.run(*arguments)
        assert done.returncode == 2
        assert "Traceback" in done.stderr
        assert "error: there is no environment `nope`" in done.stderr


def test_help_needs_neither_pulumi_nor_boto3(pinwheel) -> None:
    pinwheel.variables["PYTHONPROFILEIMPORTTIME"] = "1"
    done = pinwheel.run("--help")
    assert done.returncode == 0
    assert "rehearse" in done.stdout
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "typer" in imported
    assert not imported & {"pulumi", "pulumi_aws", "boto3", "botocore", "moto", "pydantic", "rich"}


def test_no_arguments_show_the_help(pinwheel) -> None:
    done = pinwheel.run()
    assert done.returncode == 0
    assert "Usage: pinwheel" in done.stdout
