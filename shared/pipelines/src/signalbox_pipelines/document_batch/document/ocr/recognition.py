"""What an OCR engine is to the reader of pages."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from signalbox_pipelines.document_batch.document.contract import Language
from signalbox_pipelines.document_batch.document.messages import Word


class Recognised(Struct, frozen=True, kw_only=True):
    """What was read from one picture; `confidence` 0 to 100, weighted by word length, None when nothing was seen."""

    text: str
    confidence: float | None
    words: tuple[Word, ...] = ()


class Recogniser(Protocol):
    """Reads pictures of pages."""

    async def identity(self, languages: Sequence[Language]) -> str:
        """Engine, version and languages: names what would be read alike.

        Raises:
            Rejected: `ocr_missing`, or `ocr_language_missing`.
        """
        ...

    async def read(self, picture: bytes, languages: Sequence[Language]) -> Recognised: ...


def weighted(parts: Sequence[tuple[int, float]]) -> float | None:
    """The mean confidence of texts of these lengths; None of no text."""
    total = sum(length for length, _ in parts)
    return round(sum(length * confidence for length, confidence in parts) / total, 1) if total else None
