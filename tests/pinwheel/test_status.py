"""The whole world on one screen: what is up, what has ended, what is not ready, and what is only counted."""

import io
import json
import os

import pytest
from rich.console import Console

from pinwheel import world
from pinwheel.overview import Node, Overview, Pod
from pinwheel.status import fitting, screen, status
from pinwheel.world import Member, World

HERE = Member.of("pinwheel up", os.getpid())
GONE = Member("kafka/local", 2**22 + 1, 0.0, {"address": "127.0.0.1:9092", "restarts": 2})


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(world.STATE_VARIABLE, str(tmp_path))
    return tmp_path


def shown(seen: Overview, width: int = 100) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(screen(seen))
    return out.getvalue()


def pod(name: str, state: str = "Running", ready: str = "1/1", *, placeholder: bool = False) -> Pod:
    return Pod("echo", name, ready, state, 0, "ip-10-0-0-1.ec2.internal", placeholder)


def test_nothing_is_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert status(watch=False, as_json=False) == 1
    assert "Nothing is up. `make up` starts the local world." in capsys.readouterr().out


def test_a_world_that_was_cut_short(capsys: pytest.CaptureFixture[str]) -> None:
    world.write(World("local", "us-east-1", [Member("pinwheel up", 2**22 + 1, 0.0)]))
    assert status(watch=False, as_json=False) == 1
    assert "an earlier run left its state" in capsys.readouterr().out


def test_what_the_programs_put_out(capsys: pytest.CaptureFixture[str]) -> None:
    outputs = {
        "cluster": {"name": "pinwheel-local-cluster"},
        "data": {"database_writer_endpoint": "127.0.0.1", "database_port": 3307},
    }
    world.write(World("local", "us-east-1", [HERE], "http://127.0.0.1:4588", outputs))
    assert status(watch=False, as_json=False) == 0
    told = capsys.readouterr().out
    assert "http://127.0.0.1:4588" in told
    assert "pinwheel-local-cluster" in told
    assert "127.0.0.1:3307" in told


def test_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    world.write(World("local", "us-east-1", [HERE], "http://127.0.0.1:4588"))
    assert status(watch=False, as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["endpoint"] == "http://127.0.0.1:4588"
    assert told["members"][0]["pid"] == os.getpid()


def test_watching_needs_a_terminal_and_shows_it_once_without(capsys: pytest.CaptureFixture[str]) -> None:
    world.write(World("local", "us-east-1", [HERE], "http://127.0.0.1:4588"))
    assert status(watch=True, as_json=False) == 0
    assert "local (us-east-1)" in capsys.readouterr().out


def test_a_process_that_has_ended_is_told() -> None:
    notes = ["kafka/local has ended"]
    told = shown(Overview("local", "us-east-1", "http://x", [HERE], behind=[GONE], notes=notes))
    (line,) = [each for each in told.splitlines() if each.startswith("kafka/local")]
    assert "ended" in line
    assert "127.0.0.1:9092" in line
    assert "! kafka/local has ended" in told


def test_pods_of_ours_are_listed_and_placeholders_counted() -> None:
    pods = [
        pod("web-1"),
        pod("web-2", "CrashLoopBackOff", "0/1"),
        *(pod(f"filler-{number}", placeholder=True) for number in range(30)),
        pod("stuck", "Pending", "0/1", placeholder=True),
    ]
    told = shown(Overview("local", "us-east-1", "http://x", [HERE], pods=pods))
    lines = [each.split()[0] for each in told.splitlines() if each.startswith("echo/")]
    assert lines == ["echo/stuck", "echo/web-2", "echo/web-1"]
    assert "30 placeholders: images that are not ours" in told


def test_a_thousand_pods_still_fit_a_screen() -> None:
    pods = [pod(f"web-{number:04}") for number in range(1000)]
    told = shown(Overview("local", "us-east-1", "http://x", [HERE], pods=pods))
    assert len(told.splitlines()) < 60
    assert "and 960 more Running" in told


def test_a_world_is_settled_when_all_that_was_asked_for_runs() -> None:
    ready = Node("a", "Ready", "system", "t3.large", 1)
    cordoned = Node("b", "Ready,SchedulingDisabled", "system", "t3.large", 0)
    good = Overview("local", "r", "e", [HERE], [], [HERE], [ready, cordoned], [pod("x")])
    assert good.settled
    assert not Overview("local", "r", "e", [HERE], [], [GONE]).settled
    assert not Overview("local", "r", "e", [HERE], pods=[pod("x", ready="0/1")]).settled
    assert Overview("local", "r", "e", [HERE], pods=[pod("job", "Succeeded", "0/1")]).settled


def watched(pods: int, height: int) -> tuple[list[str], int]:
    """The lines of a terminal of this height that watches a world, and how many pods are among them."""
    addresses = [("Kafka brokers", "127.0.0.1:9092"), *((f"address {number}", "x") for number in range(9))]
    running = [pod(f"web-{number}") for number in range(pods)]
    out = Console(file=io.StringIO(), width=80, height=height)
    with out.capture() as told:
        out.print(fitting(Overview("local", "us-east-1", "http://x", [HERE], addresses, pods=running), out))
    lines = told.get().splitlines()
    assert len(lines) <= height
    return lines, sum(line.startswith("echo/web-") for line in lines)


def test_a_high_terminal_shows_everything() -> None:
    lines, pods = watched(20, height=40)
    assert lines[1].split() == ["Kafka", "brokers", "127.0.0.1:9092"]
    assert pods == 20


def test_a_lower_terminal_leaves_out_addresses_which_never_change() -> None:
    lines, pods = watched(15, height=24)
    assert not any("Kafka brokers" in line for line in lines)
    assert pods == 15


def test_a_low_terminal_says_how_much_is_cut_off() -> None:
    lines, pods = watched(20, height=10)
    assert lines[-1] == f"... {20 - pods} more lines; `pinwheel status` shows all"
    assert 0 < pods < 20
