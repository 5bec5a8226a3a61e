"""Reading and changing single requests of Kafka's protocol, in place.

Layouts: https://github.com/apache/kafka/tree/trunk/clients/src/main/resources/common/message. Newer ("flexible")
versions of a request have lengths of variable size and tagged fields.
"""

import struct
from typing import Final

PRODUCE: Final = 0
FETCH: Final = 1
METADATA: Final = 3
JOIN_GROUP: Final = 11
LEAVE_GROUP: Final = 13
SYNC_GROUP: Final = 14

START_BYTES: Final = 8
"""Of a frame: its length (4), API key (2) and version (2)."""
_CLIENT_ID_AT: Final = 12
_FLEXIBLE_FROM: Final = {FETCH: 12, METADATA: 9, JOIN_GROUP: 6, LEAVE_GROUP: 4, SYNC_GROUP: 4}


class UnreadableError(Exception):
    """The request is not laid out as expected."""


class Frame:
    """A whole request: its length, header and body.

    Methods read on from where the last one stopped, first the header's client id. They raise `UnreadableError`.
    """

    def __init__(self, data: bytearray) -> None:
        self.data = data
        self.key, self.version = struct.unpack_from(">hh", data, 4)
        self._at = _CLIENT_ID_AT
        self._flexible = False  # the client id's length never is of variable size
        self.client_id = self.string()
        self._flexible = self.version >= _FLEXIBLE_FROM.get(self.key, self.version + 1)
        if self._flexible:
            self._no_tags()

    def string(self) -> str:
        """A string; null is empty."""
        start, end = self._string()
        return self.data[start:end].decode(errors="replace")

    def alter_string(self) -> None:
        """Turn a string into another of the same length."""
        start, end = self._string()
        if end > start:
            self.data[start] = ord("~") if self.data[start] != ord("~") else ord("_")

    def int32(self) -> int:
        """A number."""
        (value,) = self._unpack(">i", 4)
        return value

    def lower_int32(self, most: int) -> int:
        """Bring a number down to `most` if it is larger; returns what it was."""
        at = self._at
        value = self.int32()
        struct.pack_into(">i", self.data, at, min(value, most))
        return value

    def int64(self) -> int:
        """A large number."""
        (value,) = self._unpack(">q", 8)
        return value

    def pass_over(self, size: int) -> bytes:
        """So many bytes, whatever they are."""
        start = self._at
        self._at += size
        if self._at > len(self.data):
            raise UnreadableError("the request ends too early")
        return bytes(self.data[start : self._at])

    def count(self) -> int:
        """The number of an array's elements, which follow."""
        return max(0, self._varint() - 1 if self._flexible else self.int32())

    def end_of_element(self) -> None:
        """The tagged fields at the end of an array's element, in flexible versions."""
        if self._flexible:
            self._no_tags()

    def clear_byte(self, fields_after: int) -> None:
        """Set a field of one byte to 0, counted from the end: that many such fields follow it."""
        after = fields_after + 1 if self._flexible else fields_after
        if self._flexible and self.data[-1]:  # tagged fields, of a length that is not known from here
            raise UnreadableError("the request has tagged fields")
        self.data[-1 - after] = 0

    def _string(self) -> tuple[int, int]:
        if self._flexible:
            length = self._varint() - 1
        else:
            (length,) = self._unpack(">h", 2)
        start = self._at
        self._at = start + max(0, length)
        if self._at > len(self.data):
            raise UnreadableError("the request ends too early")
        return start, self._at

    def _unpack(self, form: str, size: int) -> tuple[int, ...]:
        try:
            found = struct.unpack_from(form, self.data, self._at)
        except struct.error as error:
            raise UnreadableError("the request ends too early") from error
        self._at += size
        return found

    def _varint(self) -> int:
        value, shift = 0, 0
        while True:
            (byte,) = self._unpack(">B", 1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value

    def _no_tags(self) -> None:
        if self._varint():
            raise UnreadableError("the request has tagged fields")
