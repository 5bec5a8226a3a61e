"""Frames: four bytes of length, big-endian, then a protobuf message. What both sides of `rpc` share."""

import struct
from collections.abc import Iterator
from typing import Final

from google.protobuf.message import Message

from services.api.search.v1.search_pb2 import Code

MAX_FRAME_BYTES: Final = 8 * 2**20
"""More than the largest answer (1,000 hits, with vectors); whoever announces more speaks something else."""
_LENGTH: Final = struct.Struct("!I")


class RpcError(Exception):
    """A call that failed, or a handler's way to let one fail: a code and what is wrong, for people."""

    def __init__(self, code: Code.ValueType, message: str) -> None:
        super().__init__(f"{Code.Name(code).removeprefix('CODE_')}: {message}")
        self.code: Final = code
        self.message: Final = message


class FrameTooLargeError(Exception):
    """The peer announced a frame larger than any of ours."""


def frame(message: Message) -> bytes:
    """A message as bytes to send."""
    body = message.SerializeToString()
    return _LENGTH.pack(len(body)) + body


class FrameReader:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The bodies of the frames that `data` completes. Raises FrameTooLargeError."""
        buffer = self._buffer
        buffer += data
        start = 0
        while len(buffer) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer, start)
            if length > MAX_FRAME_BYTES:
                raise FrameTooLargeError(f"a frame of {length} bytes; at most {MAX_FRAME_BYTES} are allowed")
            end = start + _LENGTH.size + length
            if len(buffer) < end:
                break
            body = bytes(buffer[start + _LENGTH.size : end])
            start = end
            yield body
        del buffer[:start]
