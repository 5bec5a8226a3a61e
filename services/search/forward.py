"""The forward index: what is shown for a hit, in RocksDB, kept from the same events as the search index.

The search index finds numbers; titles, links, pictures, board names and counts of saves are looked up here for the
few hits of a page. Every record carries its version, so that events that come twice or late change nothing, and
positions in Kafka are written in the same batch as what was read up to there.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import rocksdict

from services.api.events.v1.events_pb2 import BoardEvent, PinEvent, SaveEvent

ForwardEvent = PinEvent | BoardEvent | SaveEvent
_ID: Final = struct.Struct(">cQ")
_COUNT: Final = struct.Struct(">q")
_PIN, _BOARD, _SAVE, _SAVES = b"p", b"b", b"s", b"n"
_POSITION: Final = b"@"
_WRITE_BUFFER_BYTES: Final = 32 * 2**20
_KEPT_LOGS: Final = 2
_CACHE_BYTES: Final = 96 * 2**20
"""Of blocks as they are read, uncompressed: about what a million pins take. RocksDB's own choice is a third of it."""
_FILTER_BITS: Final = 10
"""A key. Most pins were never saved, and a filter knows that without a read."""


class StoredPin(msgspec.Struct, frozen=True, array_like=True):
    """What is shown of a pin. A deleted one is kept for its version."""

    version: int
    deleted: bool = False
    board_id: int = 0
    owner_id: int = 0
    title: str = ""
    link: str = ""
    image_key: str = ""
    created_at_ms: int = 0


class StoredBoard(msgspec.Struct, frozen=True, array_like=True):
    """What is shown of a group. A deleted one is kept for its version."""

    version: int
    deleted: bool = False
    owner_id: int = 0
    name: str = ""
    description: str = ""
    country: str = ""
    kind: int = 0
    secret: bool = False


class _StoredSave(msgspec.Struct, frozen=True, array_like=True):
    version: int
    deleted: bool
    pin_id: int


class Shown(msgspec.Struct, frozen=True):
    """All that is shown of one pin."""

    pin: StoredPin
    board_name: str
    saves: int


_ENCODE: Final = msgspec.msgpack.Encoder().encode
_PIN_DECODER: Final = msgspec.msgpack.Decoder(StoredPin)
_BOARD_DECODER: Final = msgspec.msgpack.Decoder(StoredBoard)
_SAVE_DECODER: Final = msgspec.msgpack.Decoder(_StoredSave)


class ForwardIndex:
    """An open forward index. One thread writes; any read."""

    def __init__(self, directory: Path) -> None:
        options = rocksdict.Options(raw_mode=True)
        options.create_if_missing(True)  # noqa: FBT003 - rocksdict's
        options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
        options.set_keep_log_file_num(_KEPT_LOGS)
        options.increase_parallelism(2)
        blocks = rocksdict.BlockBasedOptions()
        blocks.set_block_cache(rocksdict.Cache(_CACHE_BYTES))
        blocks.set_bloom_filter(_FILTER_BITS, False)  # noqa: FBT003
        options.set_block_based_table_factory(blocks)
        directory.parent.mkdir(parents=True, exist_ok=True)
        self._db: Final = rocksdict.Rdict(str(directory), options)

    def apply(self, events: Sequence[ForwardEvent], positions: Mapping[tuple[str, int], int]) -> None:
        """Take over the events that are news, and the positions after them, all or nothing."""
        changes = _Changes(self._db, events)
        for event in events:
            if isinstance(event, PinEvent):
                changes.pin(event)
            elif isinstance(event, BoardEvent):
                changes.board(event)
            else:
                changes.save(event)
        batch = rocksdict.WriteBatch(raw_mode=True)
        for key, value in changes.written.items():
            batch.put(key, value)
        for (topic, partition), offset in positions.items():
            batch.put(_position_key(topic, partition), _COUNT.pack(offset))
        self._db.write(batch)

    def positions(self) -> dict[tuple[str, int], int]:
        """The next offset to read, by topic and partition."""
        found: dict[tuple[str, int], int] = {}
        for key, value in cast("Iterator[tuple[bytes, bytes]]", self._db.items(from_key=_POSITION)):
            if not key.startswith(_POSITION):
                break
            topic, _, partition = key[1:].decode().rpartition("/")
            found[topic, int(partition)] = _COUNT.unpack(value)[0]
        return found

    def pins(self, pin_ids: Sequence[int]) -> dict[int, Shown]:
        """What is shown of these pins; those that are deleted or not known are left out."""
        if not pin_ids:
            return {}
        count = len(pin_ids)
        keys = [_ID.pack(_PIN, each) for each in pin_ids] + [_ID.pack(_SAVES, each) for each in pin_ids]
        values = _read(self._db, keys)
        pins = {
            pin_id: pin
            for pin_id, value in zip(pin_ids, values[:count], strict=True)
            if value is not None and not (pin := _PIN_DECODER.decode(value)).deleted
        }
        saves = dict(zip(pin_ids, values[count:], strict=True))
        boards = self.boards({pin.board_id for pin in pins.values()})
        return {
            pin_id: Shown(
                pin,
                board.name if (board := boards.get(pin.board_id)) else "",
                max(0, _COUNT.unpack(value)[0]) if (value := saves[pin_id]) else 0,
            )
            for pin_id, pin in pins.items()
        }

    def boards(self, board_ids: Iterable[int]) -> dict[int, StoredBoard]:
        """What is shown of these groups; those that are deleted or not known are left out."""
        wanted = list(board_ids)
        values = _read(self._db, [_ID.pack(_BOARD, each) for each in wanted])
        return {
            board_id: board
            for board_id, value in zip(wanted, values, strict=True)
            if value is not None and not (board := _BOARD_DECODER.decode(value)).deleted
        }

    def checkpoint(self, directory: Path) -> None:
        """A copy as of now, of hard links where the file system allows. `directory` must not exist."""
        self._db.flush(wait=True)
        rocksdict.Checkpoint(self._db).create_checkpoint(str(directory))

    def close(self) -> None:
        """Write what is in memory, and close."""
        self._db.flush(wait=True)
        self._db.close()


class _Changes:
    """What a batch of events changes: read in one go, changed in memory, written in one go."""

    def __init__(self, db: rocksdict.Rdict, events: Sequence[ForwardEvent]) -> None:
        saves = [event for event in events if isinstance(event, SaveEvent)]
        keys = [_ID.pack(_PIN, event.pin_id) for event in events if isinstance(event, PinEvent)]
        keys += [_ID.pack(_BOARD, event.board_id) for event in events if isinstance(event, BoardEvent)]
        keys += [_ID.pack(_SAVE, event.save_id) for event in saves]
        keys += [_ID.pack(_SAVES, event.pin_id) for event in saves]
        values = _read(db, keys)
        self._db = db
        self._known: dict[bytes, bytes] = {
            key: value for key, value in zip(keys, values, strict=True) if value is not None
        }
        self.written: dict[bytes, bytes] = {}

    def pin(self, event: PinEvent) -> None:
        key = _ID.pack(_PIN, event.pin_id)
        if (known := self._known.get(key)) is None or _PIN_DECODER.decode(known).version < event.version:
            if event.deleted:
                self._put(key, _ENCODE(StoredPin(event.version, deleted=True)))
                return
            what = (event.title, event.link, event.image_key, event.created_at_ms)
            self._put(key, _ENCODE(StoredPin(event.version, False, event.board_id, event.owner_id, *what)))  # noqa: FBT003

    def board(self, event: BoardEvent) -> None:
        key = _ID.pack(_BOARD, event.board_id)
        if (known := self._known.get(key)) is None or _BOARD_DECODER.decode(known).version < event.version:
            if event.deleted:
                self._put(key, _ENCODE(StoredBoard(event.version, deleted=True)))
                return
            what = (event.name, event.description, event.country, int(event.kind), event.secret)
            self._put(key, _ENCODE(StoredBoard(event.version, False, event.owner_id, *what)))  # noqa: FBT003

    def save(self, event: SaveEvent) -> None:
        """Counts what differs from what was counted for this save before, so that each counts once."""
        key = _ID.pack(_SAVE, event.save_id)
        known = self._known.get(key)
        before = None if known is None else _SAVE_DECODER.decode(known)
        if before is not None and before.version >= event.version:
            return
        if before is not None and not before.deleted:
            self._count(before.pin_id, -1)
        if not event.deleted:
            self._count(event.pin_id, +1)
        self._put(key, _ENCODE(_StoredSave(event.version, event.deleted, event.pin_id)))

    def _count(self, pin_id: int, change: int) -> None:
        key = _ID.pack(_SAVES, pin_id)
        known = self._known.get(key) or self._db.get(key)  # of another pin than the event's: read it now
        self._put(key, _COUNT.pack((_COUNT.unpack(known)[0] if known else 0) + change))

    def _put(self, key: bytes, value: bytes) -> None:
        self._known[key] = self.written[key] = value


def _read(db: rocksdict.Rdict, keys: Sequence[bytes]) -> list[bytes | None]:
    """The values of several keys, in one call."""
    return cast("Any", db).get(list(keys)) if keys else []


def _position_key(topic: str, partition: int) -> bytes:
    return _POSITION + f"{topic}/{partition}".encode()
