"""Incremental parser for the `data:` lines of a chat completion stream.

Chat APIs send each event as a single `data:` line, so other SSE fields are skipped. Size limits bound the
memory.
"""

from collections.abc import Iterator
from typing import Final

MAX_LINE_BYTES: Final = 1_000_000
MAX_STREAM_BYTES: Final = 64_000_000
_DATA: Final = b"data:"


class StreamTooLargeError(ValueError):
    """A line or the whole stream exceeds its size limit."""


class EventLines:
    """Splits received bytes into the payloads of `data:` lines."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._received_bytes = 0

    def feed(self, received: bytes) -> Iterator[bytes]:
        """Yield the payload of every line that `received` completes.

        Raises:
            StreamTooLargeError: a line is longer than MAX_LINE_BYTES, or the stream than MAX_STREAM_BYTES.
        """
        self._received_bytes += len(received)
        # Only the received bytes are searched: a long line in many small parts takes linear time.
        complete, newline, rest = received.rpartition(b"\n")
        lines = bytes(self._buffer + complete).split(b"\n") if newline else []
        if newline:
            self._buffer.clear()
        self._buffer += rest
        if len(self._buffer) > MAX_LINE_BYTES or self._received_bytes > MAX_STREAM_BYTES:
            raise StreamTooLargeError
        for line in lines:
            if line.startswith(_DATA):
                yield line[len(_DATA) :].strip()
