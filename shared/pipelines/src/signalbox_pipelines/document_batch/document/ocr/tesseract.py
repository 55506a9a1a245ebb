"""OCR by Tesseract: the engine for Vietnamese, with its accents."""

import csv
import io
import shutil
from collections.abc import Mapping, Sequence
from typing import Final

from signalbox_core.errors import Rejected
from signalbox_pipelines.document_batch.document.contract import Language
from signalbox_pipelines.document_batch.document.messages import Box, Word, box_of
from signalbox_pipelines.document_batch.document.ocr.recognition import Recognised, weighted
from signalbox_pipelines.document_batch.document.ocr.subprocess_engine import OcrProgram

_NAMES: Final[dict[Language, str]] = {"vi": "vie", "en": "eng"}
_PAGE_LEVEL: Final = "1"
_WORD_LEVEL: Final = "5"


class Tesseract:
    """The `tesseract` program on PATH."""

    def __init__(self, program: str = "tesseract") -> None:
        self._program = program
        self._runs = OcrProgram("Tesseract")
        self._installed: tuple[str, frozenset[str]] | None = None

    async def identity(self, languages: Sequence[Language]) -> str:
        version, installed = await self._look()
        missing = [_NAMES[language] for language in languages if _NAMES[language] not in installed]
        if missing:
            detail = f"Tesseract has no language {missing[0]!r}; install tesseract-ocr-{missing[0]} on the workers, or leave it out"
            raise Rejected(detail, field="languages", code="ocr_language_missing")
        return f"tesseract-{version}-{'+'.join(_NAMES[language] for language in languages)}"

    async def read(self, picture: bytes, languages: Sequence[Language]) -> Recognised:
        """Read one page; raises as OcrProgram.read does."""
        names = "+".join(_NAMES[language] for language in languages)
        command = [self._program, "stdin", "stdout", "-l", names, "--psm", "1", "--dpi", "200", "tsv"]
        table = await self._runs.read(command, picture)
        return read_table(table.decode("utf-8", "replace"))

    async def _look(self) -> tuple[str, frozenset[str]]:
        """Version and languages, asked once."""
        if self._installed is None:
            if shutil.which(self._program) is None:
                detail = (
                    "a page is a picture, and the worker has no OCR engine; install tesseract-ocr and tesseract-ocr-vie on the workers, "
                    "or give documents with a text layer"
                )
                raise Rejected(detail, field="engine", code="ocr_missing")
            version = (await self._runs.run([self._program, "--version"], b"")).decode().split()[1]
            listed = (await self._runs.run([self._program, "--list-langs"], b"")).decode().split()
            self._installed = version, frozenset(listed)
        return self._installed


def read_table(table: str) -> Recognised:
    """Text, places of the words and confidence from Tesseract's TSV: a line per line, an empty line between paragraphs."""
    text, words, width, height = "", [], 1, 1
    weights: list[tuple[int, float]] = []
    last: tuple[str, ...] = ()
    for row in csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE):
        word = (row.get("text") or "").strip()
        if row["level"] == _PAGE_LEVEL:
            width, height = max(1, int(row["width"])), max(1, int(row["height"]))
        if row["level"] != _WORD_LEVEL or not word:
            continue
        place = (row["block_num"], row["par_num"], row["line_num"])
        text += _gap(last, place)
        words.append(Word(start=len(text), end=len(text) + len(word), box=_box(row, width, height)))
        text += word
        last = place
        weights.append((len(word), float(row["conf"])))
    return Recognised(text=text, confidence=weighted(weights), words=tuple(words))


def _gap(last: tuple[str, ...], place: tuple[str, ...]) -> str:
    if not last:
        return ""
    if place == last:
        return " "
    return "\n" if place[:2] == last[:2] else "\n\n"


def _box(row: Mapping[str, str], width: int, height: int) -> Box:
    left, top = int(row["left"]), int(row["top"])
    return box_of(
        left / width, top / height, (left + int(row["width"])) / width, (top + int(row["height"])) / height
    )
