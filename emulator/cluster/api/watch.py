"""Streams of changes: one JSON document a line, from a version on, until the client has had enough.

Changes are handed out together, at most every few milliseconds, so that a burst costs each watcher one write;
each change is encoded once for all watchers that see it alike. Nobody waits for a watcher: one that reads too
slowly is cut off, as by a real server, and has to list again.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Final

import orjson

from emulator.cluster.api.listing import Selection, integer, resource_version
from emulator.cluster.api.negotiation import partial_metadata
from emulator.cluster.api.representation import Representations, Wanted
from emulator.cluster.resources import Resource
from emulator.cluster.status import ApiError, Cause
from emulator.cluster.store import Event, Object, Store

_FLUSH_SECONDS: Final = 0.02
"""Changes that come closer together are handed out together."""
_BOOKMARK_SECONDS: Final = 60.0
_TIMEOUT_SECONDS: Final = 1800
"""Of a watch that names none; real servers take a random time from this on."""
_LONGEST_QUEUE: Final = 10_000
"""Changes that a watcher may be behind."""
_INITIAL_EVENTS_END: Final = {"k8s.io/initial-events-end": "true"}


class Watcher:
    """One stream."""

    def __init__(self, watches: "Watches", selection: Selection, wanted: Wanted, *, bookmarks: bool) -> None:
        self.selection = selection
        self.wanted = wanted
        self.after = watches.store.version
        """Changes up to this version are in `initial`."""
        self.initial = b""
        self.ended = False
        self.cut_off = False
        """It was too slow."""
        self._watches = watches
        self._bookmarks = bookmarks
        self._lines: list[bytes] = []
        self._ready = asyncio.Event()

    async def batches(self, seconds: float) -> AsyncIterator[bytes]:
        """Lines as they come, for some seconds; may be empty, when nothing came for a while."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        if self.initial:
            yield self.initial
            self.initial = b""
        while not self.ended:
            left = end - loop.time()
            if not self._ready.is_set() and left > 0:
                try:
                    async with asyncio.timeout(min(left, _BOOKMARK_SECONDS)):
                        await self._ready.wait()
                except TimeoutError:
                    yield b"" if self._lines or not self._bookmarks else self._bookmark()
            if self._lines:
                lines, self._lines = self._lines, []
                self._ready.clear()
                yield b"".join(lines)
            elif left <= 0:
                return

    def _bookmark(self) -> bytes:
        version = max(self.after, self._watches.told())
        return bookmark(self.selection.resource, self.wanted, version)

    def offer(self, line: bytes) -> None:
        """Queue a line; `wake` is called after a few."""
        if len(self._lines) >= _LONGEST_QUEUE:
            self.cut_off = True
            self.end()
        elif not self.ended:
            self._lines.append(line)

    def wake(self) -> None:
        """Have what is queued sent."""
        if self._lines:
            self._ready.set()

    def end(self) -> None:
        """Send nothing more."""
        self.ended = True
        self._lines.clear()
        self._ready.set()


class Watches:
    """All streams of a server."""

    def __init__(self, store: Store, representations: Representations) -> None:
        self.store = store
        self._representations = representations
        self._watchers: dict[tuple[str, str], list[Watcher]] = {}
        self._pending: list[Event] = []
        self._flushed = 0.0
        store.subscribe(self._note)

    def open(self, selection: Selection, query: Mapping[str, str], wanted: Wanted) -> Watcher:
        """A stream as a request asks for it. Raises ApiError 400, 410 and 504; `close` it."""
        bookmarks = flag(query, "allowWatchBookmarks")
        version = resource_version(self.store, query)
        _check_initial_events(query)
        watcher = Watcher(self, selection, wanted, bookmarks=bookmarks)
        if _wants_initial_events(query, version):
            watcher.initial = self._present(selection, wanted)
            if flag(query, "sendInitialEvents") and bookmarks:
                watcher.initial += bookmark(selection.resource, wanted, watcher.after, _INITIAL_EVENTS_END)
        elif version:
            changes = self.store.changes(selection.resource, version)
            watcher.initial = b"".join(self._lines(changes, selection, wanted))
        self._watchers.setdefault(selection.resource.key, []).append(watcher)
        return watcher

    def close(self, watcher: Watcher) -> None:
        """Forget a stream."""
        watcher.end()
        self._watchers[watcher.selection.resource.key].remove(watcher)

    def end_all(self) -> None:
        """The server stops."""
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.end()

    def told(self) -> int:
        """The version up to which all changes are handed out."""
        return self._pending[0].version - 1 if self._pending else self.store.version

    def _note(self, event: Event) -> None:
        if not self._watchers.get(event.resource.key):
            return
        if not self._pending:
            loop = asyncio.get_running_loop()
            loop.call_at(max(loop.time(), self._flushed + _FLUSH_SECONDS), self._flush)
        self._pending.append(event)

    def _flush(self) -> None:
        events, self._pending = self._pending, []
        self._flushed = asyncio.get_running_loop().time()
        for event in events:
            encoded: dict[tuple[str, str, Wanted], bytes] = {}
            for watcher in self._watchers.get(event.resource.key, ()):
                change = _change(event, watcher.selection) if event.version > watcher.after else ""
                if change:
                    resource, wanted = watcher.selection.resource, watcher.wanted
                    form = (change, resource.version, wanted)
                    line = encoded.get(form)
                    if line is None:
                        line = encoded[form] = self._encoded(event, change, resource, wanted)
                    watcher.offer(line)
        for key in {event.resource.key for event in events}:
            for watcher in self._watchers.get(key, ()):
                watcher.wake()

    def _present(self, selection: Selection, wanted: Wanted) -> bytes:
        resource = selection.resource
        objects = self.store.list(resource, selection.namespace)
        return b"".join(
            _line("ADDED", self._representations.one(resource, obj, wanted))
            for obj in objects
            if selection.matches(obj)
        )

    def _lines(self, events: Iterable[Event], selection: Selection, wanted: Wanted) -> Iterable[bytes]:
        for event in events:
            change = _change(event, selection)
            if change:
                yield self._encoded(event, change, selection.resource, wanted)

    def _encoded(self, event: Event, change: str, resource: Resource, wanted: Wanted) -> bytes:
        obj = event.object
        if change == "DELETED" and event.type != "DELETED" and event.before:  # it is selected no longer
            obj = {
                **event.before,
                "metadata": {**event.before["metadata"], "resourceVersion": str(event.version)},
            }
        return _line(change, self._representations.one(resource, obj, wanted))


def bookmark(
    resource: Resource, wanted: Wanted, version: int, annotations: Mapping[str, str] | None = None
) -> bytes:
    """A line that says up to which version all changes are told."""
    metadata: dict[str, Any] = {"resourceVersion": str(version), "creationTimestamp": None}
    if annotations:
        metadata["annotations"] = annotations
    obj: Object = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
    if wanted.form != "object":
        obj = partial_metadata(obj)
    if wanted.form == "Table":
        rows = [{"cells": [], "object": obj}]
        obj = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": str(version)}}
        obj |= {"columnDefinitions": [], "rows": rows}
    return _line("BOOKMARK", orjson.dumps(obj))


def flag(query: Mapping[str, str], name: str) -> bool:
    """A parameter that is true or false."""
    return query.get(name, "").lower() in {"1", "t", "true"}


def timeout_seconds(query: Mapping[str, str]) -> float:
    """How long a watch is to last."""
    return float(integer(query, "timeoutSeconds") or _TIMEOUT_SECONDS)


def error_line(refusal: ApiError) -> bytes:
    """How a stream says that it cannot go on."""
    return _line("ERROR", orjson.dumps(refusal.body()))


def _line(change: str, obj: bytes) -> bytes:
    return b'{"type":"%b","object":%b}\n' % (change.encode(), obj)


def _change(event: Event, selection: Selection) -> str:
    """What a change is to those who see only a selection; nothing for one that they do not see."""
    if selection.everything and selection.namespace is None:
        return event.type
    before = event.before is not None and selection.matches(event.before)
    after = event.type != "DELETED" and selection.matches(event.object)
    if before:
        return "MODIFIED" if after else "DELETED"
    return "ADDED" if after else ""


def _wants_initial_events(query: Mapping[str, str], version: int | None) -> bool:
    if "sendInitialEvents" in query:
        return flag(query, "sendInitialEvents")
    return not version


def _check_initial_events(query: Mapping[str, str]) -> None:
    match = query.get("resourceVersionMatch", "")
    if ("sendInitialEvents" in query) == (match == "NotOlderThan") and match in {"", "NotOlderThan"}:
        return
    message = (
        "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan, and the other way round"
    )
    raise ApiError(
        *(
            422,
            "Invalid",
            f'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: {message}',
        ),
        group="meta.k8s.io",
        kind="ListOptions",
        causes=[Cause("resourceVersionMatch", f"Forbidden: {message}", "FieldValueForbidden")],
    )
