"""The interface of an OCR engine. A new engine implements `OcrEngine` and is chosen in `selection.py`."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from signalbox_pipelines.document_batch.document.contract import Language
from signalbox_pipelines.document_batch.document.messages import Doubt, Word


class OcrResult(Struct, frozen=True, kw_only=True):
    """The text of one image. `confidence` is 0 to 100, weighted by word length; None without text."""

    text: str
    confidence: float | None
    words: tuple[Word, ...] = ()
    doubts: tuple[Doubt, ...] = ()


class OcrEngine(Protocol):
    """Reads images of pages."""

    async def fingerprint(self, languages: Sequence[Language]) -> str:
        """Identify engine, version and languages: results with the same fingerprint are interchangeable.

        Raises:
            Rejected: `ocr_missing` or `ocr_language_missing`.
        """
        ...

    async def read(self, image: bytes, languages: Sequence[Language]) -> OcrResult:
        """Read one page; raises as `OcrProcessPool.run` does."""
        ...


def weighted_confidence(parts: Sequence[tuple[int, float]]) -> float | None:
    """The mean of (length, confidence) pairs, weighted by length; None when there is no text."""
    total = sum(length for length, _ in parts)
    return round(sum(length * confidence for length, confidence in parts) / total, 1) if total else None
