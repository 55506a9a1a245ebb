"""OCR by RapidOCR (the extra `rapidocr`): six times Tesseract's work and a gigabyte, and Vietnamese without its accents."""

import sys
from collections.abc import Sequence
from importlib import metadata, util
from typing import Final

import msgspec
from msgspec import Struct

from signalbox_core.errors import Rejected
from signalbox_pipelines.document_batch.document.contract import Language
from signalbox_pipelines.document_batch.document.messages import Word
from signalbox_pipelines.document_batch.document.ocr.rapid_ocr_program import Line
from signalbox_pipelines.document_batch.document.ocr.recognition import Recognised, weighted
from signalbox_pipelines.document_batch.document.ocr.subprocess_engine import OcrProgram

_PROGRAM: Final = "signalbox_pipelines.document_batch.document.ocr.rapid_ocr_program"
_SAME_ROW: Final = 0.5


class RapidOcr:
    """A Python program of its own for each page: it needs a gigabyte, which goes back when the page is read."""

    def __init__(self) -> None:
        self._runs = OcrProgram("RapidOCR")

    async def identity(self, languages: Sequence[Language]) -> str:  # noqa: ARG002 - one model for all
        if not is_installed():
            detail = "the worker has no RapidOCR; install signalbox-pipelines[rapidocr] on the workers, or set engine to auto"
            raise Rejected(detail, field="engine", code="ocr_missing")
        return f"rapidocr-{metadata.version('rapidocr')}"

    async def read(self, picture: bytes, languages: Sequence[Language]) -> Recognised:  # noqa: ARG002 - one model for all
        """Read one page; raises as OcrProgram.read does."""
        return joined(
            msgspec.json.decode(
                await self._runs.read([sys.executable, "-m", _PROGRAM], picture), type=list[Line]
            )
        )


def is_installed() -> bool:
    return all(util.find_spec(name) is not None for name in ("rapidocr", "onnxruntime"))


def joined(lines: Sequence[Line]) -> Recognised:
    """The text of the pieces that the engine found, row by row; those that stand side by side are one row."""
    text, words = "", []
    for row in _rows(lines):
        text += "\n" if text else ""
        for place, piece in enumerate(row):
            text += " " if place else ""
            words.append(Word(start=len(text), end=len(text) + len(piece.text), box=piece.box))
            text += piece.text
    return Recognised(
        text=text,
        confidence=weighted([(len(line.text), 100 * line.score) for line in lines]),
        words=tuple(words),
    )


class _Row(Struct):
    top: float
    bottom: float
    pieces: list[Line]


def _rows(lines: Sequence[Line]) -> list[list[Line]]:
    rows: list[_Row] = []
    for line in sorted(lines, key=lambda item: item.box[1]):
        _, top, _, bottom = line.box
        row = next(
            (row for row in rows if min(row.bottom, bottom) - max(row.top, top) > _SAME_ROW * (bottom - top)),
            None,
        )
        if row is None:
            rows.append(_Row(top, bottom, [line]))
        else:
            row.pieces.append(line)
    return [sorted(row.pieces, key=lambda item: item.box[0]) for row in rows]
