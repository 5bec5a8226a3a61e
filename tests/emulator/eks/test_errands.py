"""Errands are run in order, tried again while that can help, and never hold an operation up."""

import threading

import pytest

from emulator.backing import Backing
from emulator.cluster.status import ApiError
from emulator.eks import errands as module
from emulator.eks.errands import Errands
from emulator.process import EmulatorError


@pytest.fixture
def reported(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_RETRY_SECONDS", (0.0,))
    told = []

    class Quiet(Backing):
        def report(self, text):
            told.append(text)

    backing = Quiet(tmp_path, "http://127.0.0.1:1", "210987654321", "eu-west-1")
    monkeypatch.setattr(module.backing, "present", lambda: backing)
    return told


def test_errands_are_run_in_order_by_another_thread(client, reported):
    done = []
    errands = Errands(lambda _: client)
    for number in range(3):
        errands.leave(
            "prod", "count", lambda _, number=number: done.append((number, threading.current_thread()))
        )
    errands.wait()
    assert [number for number, _ in done] == [0, 1, 2]
    assert threading.current_thread() not in {thread for _, thread in done}


def test_a_cluster_that_only_describes_gets_none(reported):
    errands = Errands(lambda _: None)
    assert not errands.wanted("prod")
    errands.leave("prod", "fail", lambda _: pytest.fail("there is nobody to tell"))
    errands.wait()


@pytest.mark.parametrize(
    "error",
    [
        EmulatorError("the API server does not answer", "wait"),
        ApiError(409, "Conflict", "changed"),
        ApiError(429, "TooManyRequests", "later"),
        ApiError(500, "InternalError", "starting"),
    ],
)
def test_what_may_pass_is_tried_again(client, reported, error):
    attempts = []

    def fail_twice(_):
        attempts.append(error)
        if len(attempts) < 3:
            raise error

    errands = Errands(lambda _: client)
    errands.leave("prod", "try", fail_twice)
    errands.wait()
    assert len(attempts) == 3
    assert reported == []


@pytest.mark.parametrize("error", [ApiError(422, "Invalid", "no such field"), KeyError("zone")])
def test_what_cannot_pass_is_reported_and_the_next_goes_on(client, reported, error):
    done = []

    def refuse(_):
        raise error

    errands = Errands(lambda _: client)
    errands.leave("prod", "start node group gpu", refuse)
    errands.leave("prod", "go on", lambda _: done.append("next"))
    errands.wait()
    assert done == ["next"]
    (told,) = reported
    assert told.startswith("EKS cluster prod: start node group gpu: ")


def test_after_a_while_it_gives_up(client, reported, monkeypatch):
    monkeypatch.setattr(module, "_GIVE_UP_SECONDS", 0.0)

    def refuse(_):
        raise ApiError(500, "InternalError", "still starting")

    errands = Errands(lambda _: client)
    errands.leave("prod", "try", refuse)
    errands.wait()
    assert reported == ["EKS cluster prod: try: still starting"]


def test_a_cluster_that_is_deleted_needs_nothing_more(client, reported):
    clients = [client, client, None]

    def refuse(_):
        raise ApiError(500, "InternalError", "ending")

    errands = Errands(lambda _: clients.pop(0))
    errands.leave("prod", "try", refuse)
    errands.wait()
    assert clients == []
    assert reported == []
