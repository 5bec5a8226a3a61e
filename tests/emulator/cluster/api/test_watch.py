import asyncio
import threading
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import pytest

from emulator.cluster.api import watch
from emulator.cluster.api.listing import Selection
from emulator.cluster.api.representation import Representations, Wanted
from emulator.cluster.api.watch import Watches
from emulator.cluster.resources import Resources
from emulator.cluster.store import Object, Store, copy_of
from tests.emulator.cluster.api.serving import Served, pod, serve

PODS = "/api/v1/namespaces/shop/pods?watch=true"
STREAMED = "&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"


@pytest.fixture(autouse=True)
def emptied(api: Served) -> Iterator[None]:
    yield
    for obj in api.store.list(api.cluster.resources["pods"]):
        remove(api, obj["metadata"]["name"], obj["metadata"]["namespace"])


def remove(api: Served, name: str, namespace: str = "shop") -> Object:
    return api.call(lambda: api.store.delete(api.cluster.resources["pods"], namespace, name))


def change(api: Served, name: str, mutate: Callable[[Object], object]) -> Object:
    pods = api.cluster.resources["pods"]

    def run() -> Object:
        obj = copy_of(api.store.get(pods, "shop", name))
        mutate(obj)
        return api.store.update(pods, obj)

    return api.call(run)


def told(events: Iterator[Any], count: int) -> list[tuple[str, str]]:
    return [(each["type"], each["object"]["metadata"].get("name", "")) for each in islice(events, count)]


def test_a_watch_begins_with_what_is_there(api: Served) -> None:
    api.add(pod("a"))
    api.add(pod("b"))
    api.add(pod("elsewhere", "default"))
    with api.stream(PODS) as events:
        assert told(events, 2) == [("ADDED", "a"), ("ADDED", "b")]
        api.add(pod("elsewhere-too", "default"))
        api.add(pod("c"))
        change(api, "a", lambda obj: obj["metadata"].update(labels={"color": "red"}))
        gone = remove(api, "b")
        assert told(events, 2) == [("ADDED", "c"), ("MODIFIED", "a")]
        last = next(events)
        assert (last["type"], last["object"]) == ("DELETED", gone)


def test_a_watch_goes_on_from_a_version(api: Served) -> None:
    version = api.add(pod("a"))["metadata"]["resourceVersion"]
    api.add(pod("b"))
    remove(api, "a")
    with api.stream(f"{PODS}&resourceVersion={version}") as events:
        assert told(events, 2) == [("ADDED", "b"), ("DELETED", "a")]
        api.add(pod("c"))
        assert told(events, 1) == [("ADDED", "c")]


def test_an_object_comes_into_a_selection_and_leaves_it(api: Served) -> None:
    api.add(pod("a", labels={"color": "red"}))
    api.add(pod("b", labels={"color": "blue"}))
    with api.stream(f"{PODS}&labelSelector=color%3Dred") as events:
        assert told(events, 1) == [("ADDED", "a")]
        change(api, "b", lambda obj: obj["metadata"]["labels"].update(size="1"))
        change(api, "b", lambda obj: obj["metadata"]["labels"].update(color="red"))
        left = change(api, "a", lambda obj: obj["metadata"]["labels"].update(color="blue"))
        remove(api, "a")
        remove(api, "b")
        assert told(events, 1) == [("ADDED", "b")]
        event = next(events)
        assert event["type"] == "DELETED"
        assert event["object"]["metadata"]["labels"] == {"color": "red"}
        assert event["object"]["metadata"]["resourceVersion"] == left["metadata"]["resourceVersion"]
        assert told(events, 1) == [("DELETED", "b")]


def test_a_watch_of_one_object_by_its_name(api: Served) -> None:
    with api.stream(f"{PODS}&fieldSelector=metadata.name%3Db") as events:
        api.add(pod("a"))
        api.add(pod("b"))
        assert told(events, 1) == [("ADDED", "b")]


def test_a_list_may_be_streamed(api: Served) -> None:
    api.add(pod("a"))
    with api.stream(PODS + STREAMED) as events:
        assert told(events, 1) == [("ADDED", "a")]
        bookmark = next(events)
        assert bookmark["type"] == "BOOKMARK"
        assert bookmark["object"]["kind"] == "Pod"
        assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert bookmark["object"]["metadata"]["resourceVersion"] == str(api.store.version)
        api.add(pod("b"))
        assert told(events, 1) == [("ADDED", "b")]


def test_a_streamed_list_of_metadata(api: Served) -> None:
    api.add(pod("a"))
    accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    with api.stream(PODS + STREAMED, Accept=accept) as events:
        first, bookmark = islice(events, 2)
        assert first["object"]["kind"] == bookmark["object"]["kind"] == "PartialObjectMetadata"
        assert "annotations" in bookmark["object"]["metadata"]


def test_initial_events_can_be_left_out(api: Served) -> None:
    api.add(pod("a"))
    with api.stream(f"{PODS}&sendInitialEvents=false&resourceVersionMatch=NotOlderThan") as events:
        api.add(pod("b"))
        assert told(events, 1) == [("ADDED", "b")]


@pytest.mark.parametrize("query", ["&sendInitialEvents=true", "&resourceVersionMatch=Exact"])
def test_initial_events_need_their_counterpart(api: Served, query: str) -> None:
    refused = api.request("GET", PODS + query)
    assert (refused.status, refused.json["reason"]) == (422, "Invalid")
    assert refused.json["details"]["causes"][0]["field"] == "resourceVersionMatch"


def test_a_watch_as_table(api: Served) -> None:
    api.add(pod("a"))
    with api.stream(PODS, Accept="application/json;as=Table;v=v1;g=meta.k8s.io") as events:
        first = next(events)
        assert first["type"] == "ADDED"
        assert first["object"]["kind"] == "Table"
        assert first["object"]["rows"][0]["cells"][0] == "a"


def test_a_version_that_is_forgotten_is_gone(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    api.add(pod("a"))
    history = api.store._history
    monkeypatch.setattr(api.store, "_history", type(history)(list(history)[-1:], maxlen=1))
    with api.stream(f"{PODS}&resourceVersion=1") as events:
        (error,) = events
    assert error["type"] == "ERROR"
    assert (error["object"]["code"], error["object"]["reason"]) == (410, "Expired")


def test_a_watch_ends_after_the_time_asked_for(api: Served) -> None:
    api.add(pod("a"))
    with api.stream(f"{PODS}&timeoutSeconds=1&allowWatchBookmarks=true") as events:
        assert [each["type"] for each in events] == ["ADDED", "BOOKMARK"]


def test_who_went_away_is_forgotten(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten = threading.Event()
    close = Watches.close

    def closed(watches: Watches, watcher: watch.Watcher) -> None:
        close(watches, watcher)
        forgotten.set()

    monkeypatch.setattr(Watches, "close", closed)
    with api.stream(PODS) as events:
        api.add(pod("a"))
        assert told(events, 1) == [("ADDED", "a")]
        assert not forgotten.is_set()
    assert forgotten.wait(20)


class Fanned:
    """Streams without a server."""

    def __init__(self) -> None:
        self.store, self.resources = Store(), Resources()
        self.representations = Representations(self.store, self.resources)
        self.watches = Watches(self.store, self.representations)

    def open(self) -> watch.Watcher:
        return self.watches.open(Selection(self.resources["pods"]), {}, Wanted())

    def add(self, name: str) -> None:
        self.store.create(self.resources["pods"], pod(name))


def test_changes_that_come_together_are_one_batch_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        fanned = Fanned()
        encoded: list[str] = []
        original = fanned.representations.one

        def one(resource: Any, obj: Object, wanted: Wanted) -> bytes:
            encoded.append(obj["metadata"]["name"])
            return original(resource, obj, wanted)

        monkeypatch.setattr(fanned.representations, "one", one)
        streams = [fanned.open().batches(30) for _ in range(3)]
        for number in range(10):
            fanned.add(f"p{number}")
        batches = [await anext(stream) for stream in streams]
        assert [batch.count(b"\n") for batch in batches] == [10, 10, 10]
        assert encoded == [f"p{number}" for number in range(10)]

    asyncio.run(scenario())


def test_a_watcher_that_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_LONGEST_QUEUE", 5)

    async def scenario() -> None:
        fanned = Fanned()
        slow, quick = fanned.open(), fanned.open()
        batches = quick.batches(30)
        for number in range(3):
            fanned.add(f"a{number}")
        assert (await anext(batches)).count(b"\n") == 3
        for number in range(3):
            fanned.add(f"b{number}")
        assert (await anext(batches)).count(b"\n") == 3
        assert slow.cut_off
        assert not quick.cut_off
        assert [each async for each in slow.batches(30)] == []

    asyncio.run(scenario())


def test_a_watcher_sees_nothing_twice_that_was_there_when_it_came() -> None:
    async def scenario() -> None:
        fanned = Fanned()
        early = fanned.open().batches(30)
        fanned.add("a")  # queued for the first, and already there for the second
        late = fanned.open().batches(30)
        assert (await anext(late)).count(b"\n") == 1
        assert (await anext(early)).count(b"\n") == 1
        fanned.add("b")
        assert b'"b"' in await anext(late)

    asyncio.run(scenario())


def test_the_server_ends_its_streams_when_it_stops(tmp_path: Any) -> None:
    with serve(tmp_path) as served:
        served.add(pod("a"))
        stream = served.stream(PODS)
        events = stream.__enter__()
        assert told(events, 1) == [("ADDED", "a")]
    assert list(events) == []
    stream.__exit__(None, None, None)
