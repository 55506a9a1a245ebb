"""Server-sent events as model servers use them: one `data:` line an event. Bounded; pure."""

from collections.abc import Iterator
from typing import Final

MAX_LINE_BYTES: Final = 1_000_000
MAX_STREAM_BYTES: Final = 64_000_000
_DATA: Final = b"data:"


class TooLongError(ValueError):
    """A line, or the whole stream, is longer than any answer."""


class Lines:
    """Takes bytes as they come and gives the content of each `data:` line."""

    def __init__(self) -> None:
        self._rest = b""
        self._seen = 0

    def feed(self, received: bytes) -> Iterator[bytes]:
        self._seen += len(received)
        *whole, self._rest = (self._rest + received).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES or self._seen > MAX_STREAM_BYTES:
            raise TooLongError
        for line in whole:
            if line.startswith(_DATA):
                yield line[len(_DATA) :].strip()
