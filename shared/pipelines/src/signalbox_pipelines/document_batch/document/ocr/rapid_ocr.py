"""OCR by RapidOCR, the extra `rapidocr`.

It needs six times the CPU of Tesseract and a gigabyte of memory, and loses the accents of Vietnamese.
"""

import sys
from collections.abc import Sequence
from importlib import metadata, util
from typing import Final

import msgspec
from msgspec import Struct

from signalbox_core.errors import Rejected
from signalbox_pipelines.document_batch.document.contract import Language
from signalbox_pipelines.document_batch.document.messages import Word
from signalbox_pipelines.document_batch.document.ocr.engine import OcrResult, weighted_confidence
from signalbox_pipelines.document_batch.document.ocr.process_pool import OcrProcessPool
from signalbox_pipelines.document_batch.document.ocr.rapid_ocr_program import OcrLine

_PROGRAM: Final = "signalbox_pipelines.document_batch.document.ocr.rapid_ocr_program"
_SAME_ROW: Final = 0.5


class RapidOcr:
    """Runs a Python subprocess for each page, so that its gigabyte of memory is freed after the page."""

    def __init__(self) -> None:
        self._pool = OcrProcessPool("RapidOCR")

    async def fingerprint(self, languages: Sequence[Language]) -> str:  # noqa: ARG002
        if not is_installed():
            detail = (
                "the worker has no RapidOCR; install signalbox-pipelines[rapidocr] on the workers, "
                "or set engine to auto"
            )
            raise Rejected(detail, field="engine", code="ocr_missing")
        return f"rapidocr-{metadata.version('rapidocr')}"

    async def read(self, image: bytes, languages: Sequence[Language]) -> OcrResult:  # noqa: ARG002
        output = await self._pool.run([sys.executable, "-m", _PROGRAM], image)
        return assemble_lines(msgspec.json.decode(output, type=list[OcrLine]))


def is_installed() -> bool:
    return all(util.find_spec(name) is not None for name in ("rapidocr", "onnxruntime"))


def assemble_lines(lines: Sequence[OcrLine]) -> OcrResult:
    """Join the pieces that the engine found into text, row by row; pieces side by side form one row."""
    text, words = "", []
    for row in _rows(lines):
        text += "\n" if text else ""
        for place, piece in enumerate(row):
            text += " " if place else ""
            words.append(Word(start=len(text), end=len(text) + len(piece.text), box=piece.box))
            text += piece.text
    return OcrResult(
        text=text,
        confidence=weighted_confidence([(len(line.text), 100 * line.score) for line in lines]),
        words=tuple(words),
    )


class _Row(Struct):
    top: float
    bottom: float
    pieces: list[OcrLine]


def _rows(lines: Sequence[OcrLine]) -> list[list[OcrLine]]:
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
