"""OCR by Tesseract, the default engine; it reads Vietnamese with its accents."""

import csv
import io
import shutil
from collections.abc import Mapping, Sequence
from typing import Final

from signalbox_core.errors import Rejected
from signalbox_pipelines.document_batch.document.contract import Language
from signalbox_pipelines.document_batch.document.messages import Box, Word, box_of
from signalbox_pipelines.document_batch.document.ocr.engine import OcrResult, weighted_confidence
from signalbox_pipelines.document_batch.document.ocr.model_comparison import compare_readings
from signalbox_pipelines.document_batch.document.ocr.process_pool import OcrProcessPool

_CODES: Final[dict[Language, str]] = {"vi": "vie", "en": "eng"}
_DIGITS: Final = "eng"
"""The model whose digits are taken on pages in Vietnamese."""
_PAGE_LEVEL: Final = "1"
_WORD_LEVEL: Final = "5"


class Tesseract:
    """The `tesseract` program on PATH."""

    def __init__(self, program: str = "tesseract") -> None:
        self._program = program
        self._pool = OcrProcessPool("Tesseract")
        self._installed: tuple[str, frozenset[str]] | None = None

    async def fingerprint(self, languages: Sequence[Language]) -> str:
        version, installed = await self._probe()
        missing = [_CODES[language] for language in languages if _CODES[language] not in installed]
        if missing:
            detail = (
                f"Tesseract has no language {missing[0]!r}; "
                f"install tesseract-ocr-{missing[0]} on the workers, or leave it out"
            )
            raise Rejected(detail, field="languages", code="ocr_language_missing")
        codes = "+".join(_CODES[language] for language in languages)
        second = f"-{_DIGITS}" if await self._has_second_reading(languages) else ""
        return f"tesseract-{version}-{codes}{second}"

    async def read(self, image: bytes, languages: Sequence[Language]) -> OcrResult:
        result = await self._read(image, "+".join(_CODES[language] for language in languages))
        if not await self._has_second_reading(languages):
            return result
        second = await self._read(image, _DIGITS)
        return compare_readings(result, second)

    async def _has_second_reading(self, languages: Sequence[Language]) -> bool:
        return "vi" in languages and _DIGITS in (await self._probe())[1]

    async def _read(self, image: bytes, codes: str) -> OcrResult:
        command = [self._program, "stdin", "stdout", "-l", codes, "--psm", "1", "--dpi", "200", "tsv"]
        table = await self._pool.run(command, image)
        return parse_tsv(table.decode("utf-8", "replace"))

    async def _probe(self) -> tuple[str, frozenset[str]]:
        """Return version and installed languages; runs the program once."""
        if self._installed is None:
            if shutil.which(self._program) is None:
                detail = (
                    "a page is an image, and the worker has no OCR engine; install tesseract-ocr and "
                    "tesseract-ocr-vie on the workers, or give documents with a text layer"
                )
                raise Rejected(detail, field="engine", code="ocr_missing")
            version = (await self._pool.run_now([self._program, "--version"], b"")).decode().split()[1]
            listed = (await self._pool.run_now([self._program, "--list-langs"], b"")).decode().split()
            self._installed = version, frozenset(listed)
        return self._installed


def parse_tsv(table: str) -> OcrResult:
    """Convert Tesseract's TSV output: one line per line, an empty line between paragraphs."""
    text, words, width, height = "", [], 1, 1
    weights: list[tuple[int, float]] = []
    last: tuple[str, ...] = ()
    for row in csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE):
        word = (row.get("text") or "").strip()
        if row["level"] == _PAGE_LEVEL:
            width, height = max(1, int(row["width"])), max(1, int(row["height"]))
        if row["level"] != _WORD_LEVEL or not word:
            continue
        line = (row["block_num"], row["par_num"], row["line_num"])
        text += _separator(last, line)
        words.append(Word(start=len(text), end=len(text) + len(word), box=_box(row, width, height)))
        text += word
        last = line
        weights.append((len(word), float(row["conf"])))
    return OcrResult(text=text, confidence=weighted_confidence(weights), words=tuple(words))


def _separator(last: tuple[str, ...], line: tuple[str, ...]) -> str:
    if not last:
        return ""
    if line == last:
        return " "
    return "\n" if line[:2] == last[:2] else "\n\n"


def _box(row: Mapping[str, str], width: int, height: int) -> Box:
    left, top = int(row["left"]), int(row["top"])
    return box_of(
        left / width, top / height, (left + int(row["width"])) / width, (top + int(row["height"])) / height
    )
