"""The bounded partial output of an activity. Pure."""

from typing import Final

MAX_TEXT_BYTES: Final = 32_000
"""Of UTF-8 in one progress event. Of a longer output only the end is sent; the run's result has all of it."""


class PartialText:
    """Accumulates text.

    Attributes:
        text: everything added so far, or its last MAX_TEXT_BYTES.
        offset: the number of characters (code points) dropped before `text`.
    """

    def __init__(self) -> None:
        self.text = ""
        self.offset = 0

    def add(self, piece: str) -> None:
        grown = self.text + piece
        self.text = _end_of(grown)
        self.offset += len(grown) - len(self.text)

    def clear(self) -> None:
        self.text, self.offset = "", 0


def _end_of(text: str) -> str:
    if len(text) * 4 <= MAX_TEXT_BYTES:
        return text
    encoded = text.encode(errors="replace")
    # A character split by the cut is dropped.
    return text if len(encoded) <= MAX_TEXT_BYTES else encoded[-MAX_TEXT_BYTES:].decode(errors="ignore")
