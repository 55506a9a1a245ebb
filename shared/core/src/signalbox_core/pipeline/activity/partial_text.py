"""The partial output of an activity: the whole text so far, bounded. Pure."""

from typing import Final

MAX_TEXT_BYTES: Final = 32_000
"""Of UTF-8 in one progress event. A longer output is shown by its end; the whole is in the run's result."""


class PartialText:
    """Grows by pieces. `text` is everything so far, or its end once it is longer than the bound; `offset` counts the characters before."""

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
    # A character that the cut went through is left out.
    return text if len(encoded) <= MAX_TEXT_BYTES else encoded[-MAX_TEXT_BYTES:].decode(errors="ignore")
