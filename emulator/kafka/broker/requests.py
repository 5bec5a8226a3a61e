"""What the gate changes in the requests of Kafka clients, and why: four shortcomings of the tansu broker.

- Asking for a topic creates it. The gate clears the permission in Metadata requests.
- A consumer that joins a group waits for half of its session timeout, 22 of the usual 45 seconds. The gate
  lowers the timeout in JoinGroup requests to the least that a real broker allows.
- A group's leader that leaves while the group is being formed stays its leader, and the group waits for it for
  ever. The gate lets a member leave only a formed group; in others it lets the session time out, which works.
- A Fetch is answered when its wait is over, not when something comes, so that consumers either wait long or ask all
  the time. The gate lets each be answered soon, and holds the ones that would find nothing: see `fetches`.

Everything else goes through as it came.
"""

import struct
from collections.abc import Callable
from typing import Final, NamedTuple

from emulator.kafka.broker.frames import (
    FETCH,
    JOIN_GROUP,
    LEAVE_GROUP,
    METADATA,
    PRODUCE,
    START_BYTES,
    SYNC_GROUP,
    Frame,
    UnreadableError,
)

LONGEST_SESSION_MS: Final = 6_000
"""Kafka's own `group.min.session.timeout.ms`."""

_LARGEST_READ_BYTES: Final = 1 << 20
"""A request that is larger goes through unread: no sane one of those kinds is."""
_LARGEST_FIRST_BYTES: Final = 1 << 16
"""A client's first request is ApiVersions or SaslHandshake, of less than 200 bytes."""
_FETCH_WAIT_MS: Final = 20
"""The broker uses a core for as long when there is nothing. With less it does not get round to all partitions of a
Fetch, and what stands in the others is late by seconds (measured: 42 partitions, 8,000 batches, 1 ms)."""
_FETCH_HAS_START: Final = 5
_FETCH_HAS_SESSION: Final = 7
_FETCH_HAS_EPOCH: Final = 9
_FETCH_HAS_LAST_EPOCH: Final = 12
_FETCH_HAS_TOPIC_IDS: Final = 13
_FETCH_LOST_REPLICA: Final = 15
_METADATA_HAS_AUTO_CREATION: Final = 4
_METADATA_HAS_AUTHORIZED_OPERATIONS: Final = 8
_METADATA_LOST_CLUSTER_OPERATIONS: Final = 11
_SYNC_GROUP_HAS_INSTANCE: Final = 3
_SYNC_GROUP_HAS_PROTOCOL: Final = 5
_LEAVE_GROUP_HAS_MEMBERS: Final = 3
_LEAVE_GROUP_HAS_REASON: Final = 5


class NotKafkaError(Exception):
    """What a client sent is no Kafka request."""


class Onward(NamedTuple):
    """What goes on: part of the stream, or one Fetch by itself."""

    data: bytes
    patience: float | None = None
    """Of a Fetch: seconds that it may wait, 0 if it asks for something else than the one before. None: no Fetch."""


class Changes:
    """The changes to all connections of one broker.

    Args:
        creates_topics: whether asking for an unknown topic may create it, asked at each Metadata request.
    """

    def __init__(self, creates_topics: Callable[[], bool]) -> None:
        self._creates_topics = creates_topics
        self._formed: set[str] = set()
        """Groups whose leader has dealt out the partitions, with no member coming or going since."""
        self._changes: dict[int, Callable[[Frame], None]] = {
            METADATA: self._metadata,
            JOIN_GROUP: self._join_group,
            LEAVE_GROUP: self._leave_group,
            SYNC_GROUP: self._sync_group,
        }

    def concern(self, key: int) -> bool:
        """Whether requests of this API key are read at all."""
        return key in self._changes

    def make(self, frame: Frame) -> None:
        """Change a request. Raises `UnreadableError`."""
        if frame.key in self._changes:
            self._changes[frame.key](frame)

    def _metadata(self, frame: Frame) -> None:
        # Before version 4 (clients from before 2017) the permission cannot be taken away.
        if frame.version < _METADATA_HAS_AUTO_CREATION or self._creates_topics():
            return
        after = 0
        if frame.version >= _METADATA_HAS_AUTHORIZED_OPERATIONS:
            after = 2 if frame.version < _METADATA_LOST_CLUSTER_OPERATIONS else 1
        frame.clear_byte(after)

    def _join_group(self, frame: Frame) -> None:
        self._formed.discard(frame.string())
        frame.lower_int32(LONGEST_SESSION_MS)

    def _sync_group(self, frame: Frame) -> None:
        group = frame.string()
        frame.int32()  # generation
        frame.string()  # member
        if frame.version >= _SYNC_GROUP_HAS_INSTANCE:
            frame.string()
        if frame.version >= _SYNC_GROUP_HAS_PROTOCOL:
            frame.string()  # type
            frame.string()  # name
        if frame.count():  # only the leader sends assignments
            self._formed.add(group)

    def _leave_group(self, frame: Frame) -> None:
        group = frame.string()
        if group in self._formed:
            self._formed.remove(group)
            return
        # A member that the broker does not know: it answers, and nothing happens.
        if frame.version < _LEAVE_GROUP_HAS_MEMBERS:
            frame.alter_string()
            return
        for _ in range(frame.count()):
            frame.alter_string()
            frame.string()  # instance
            if frame.version >= _LEAVE_GROUP_HAS_REASON:
                frame.string()
            frame.end_of_element()


Wanted = frozenset[tuple[str | bytes, int, int]]
"""Topic, partition and offset."""


def _wanted(frame: Frame) -> Wanted:
    """From where a Fetch wants to read, what stands behind its wait. Raises `UnreadableError`."""
    version = frame.version
    frame.pass_over(9)  # least and most bytes, isolation
    if version >= _FETCH_HAS_SESSION:
        frame.pass_over(8)
    wanted: set[tuple[str | bytes, int, int]] = set()
    for _ in range(frame.count()):
        topic = frame.pass_over(16) if version >= _FETCH_HAS_TOPIC_IDS else frame.string()
        for _ in range(frame.count()):
            partition = frame.int32()
            if version >= _FETCH_HAS_EPOCH:
                frame.int32()
            wanted.add((topic, partition, frame.int64()))
            if version >= _FETCH_HAS_LAST_EPOCH:
                frame.int32()
            if version >= _FETCH_HAS_START:
                frame.int64()
            frame.int32()  # bytes
            frame.end_of_element()
        frame.end_of_element()
    return frozenset(wanted)


class Requests:
    """One connection's stream of requests, fed in pieces of any size."""

    def __init__(self, changes: Changes) -> None:
        self.client_id: str | None = None
        """As the first request says; None until it is whole."""
        self._changes = changes
        self._kept = bytearray()
        self._passing = 0
        """Bytes still to come of a request that goes through unread."""
        self.produces = False
        """Whether it ever was a producer's: the broker's answers say that something came."""
        self._fetched: Wanted = frozenset()
        """What the last Fetch asked for."""

    def feed(self, data: bytes) -> list[Onward]:
        """Take what came and return what goes on; the rest is kept until more comes.

        Raises `NotKafkaError`.
        """
        if self._passing >= len(data):  # the bulk of a large batch: no copy
            self._passing -= len(data)
            return [Onward(data)]
        self._kept += data
        onward: list[Onward] = []
        out = bytearray()
        while self._kept:
            if self._passing:
                taken = self._take(min(self._passing, len(self._kept)))
                self._passing -= len(taken)
                out += taken
                continue
            if len(self._kept) < START_BYTES:
                break
            length, key = struct.unpack_from(">ih", self._kept)
            first = self.client_id is None
            if length < START_BYTES or (first and length > _LARGEST_FIRST_BYTES):
                raise NotKafkaError(f"a request of {length} bytes")
            self.produces |= key == PRODUCE
            read = key == FETCH or self._changes.concern(key)
            if not first and (not read or length > _LARGEST_READ_BYTES):
                self._passing = 4 + length
                continue
            if len(self._kept) < 4 + length:
                break
            request = self._take(4 + length)
            if first or key != FETCH:
                out += self._changed(request)
                continue
            onward += [Onward(bytes(out))] if out else []
            onward.append(self._fetch(request))
            out.clear()
        return [*onward, Onward(bytes(out))] if out else onward

    def _fetch(self, data: bytearray) -> Onward:
        """Let it be answered soon, and say how long it would have waited if it asks what was asked last."""
        try:
            frame = Frame(data)
            if frame.version < _FETCH_LOST_REPLICA:
                frame.int32()
            wait_ms = frame.lower_int32(_FETCH_WAIT_MS)
            wanted = _wanted(frame)
        except UnreadableError:
            return Onward(bytes(data))
        # Had something come, it would go on from there: other offsets. The order of partitions goes round.
        again, self._fetched = wanted == self._fetched, wanted
        return Onward(bytes(data), wait_ms / 1000 if again else 0.0)

    def _changed(self, data: bytearray) -> bytearray:
        try:
            frame = Frame(data)
            if self.client_id is None:
                self.client_id = frame.client_id
            self._changes.make(frame)
        except UnreadableError as error:
            if self.client_id is None:
                raise NotKafkaError(str(error)) from error
        return data  # a request that cannot be read is for the broker to judge

    def _take(self, count: int) -> bytearray:
        taken = self._kept[:count]
        del self._kept[:count]
        return taken
