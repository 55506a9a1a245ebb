"""OCR by Tesseract, as a program of its own: one page a process, one thread each, killed when the activity is cancelled."""

import asyncio
import csv
import io
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final, Protocol

from msgspec import Struct

from signalbox_core.errors import Rejected, Unavailable
from signalbox_pipelines.document_batch.document.contract import Language
from signalbox_pipelines.document_batch.document.exchange import Box, Word, box_of

_PAGE_TIMEOUT_S: Final = 120.0
_NAMES: Final[dict[Language, str]] = {"vi": "vie", "en": "eng"}
_PAGE_LEVEL: Final = "1"
_WORD_LEVEL: Final = "5"


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


class Tesseract:
    """The `tesseract` program on PATH; at most one process a CPU."""

    def __init__(self, program: str = "tesseract") -> None:
        self._program = program
        self._free = asyncio.Semaphore(max(1, os.cpu_count() or 1))
        self._installed: tuple[str, frozenset[str]] | None = None

    async def identity(self, languages: Sequence[Language]) -> str:
        version, installed = await self._look()
        missing = [_NAMES[language] for language in languages if _NAMES[language] not in installed]
        if missing:
            detail = f"Tesseract has no language {missing[0]!r}; install tesseract-ocr-{missing[0]} on the workers, or leave it out"
            raise Rejected(detail, field="languages", code="ocr_language_missing")
        return f"tesseract-{version}-{'+'.join(_NAMES[language] for language in languages)}"

    async def read(self, picture: bytes, languages: Sequence[Language]) -> Recognised:
        """Read one page.

        Raises:
            Unavailable: the engine crashed or took too long; the same page may do the next time.
            Rejected: `ocr_refused`: the engine cannot read this picture.
        """
        names = "+".join(_NAMES[language] for language in languages)
        async with self._free:
            table = await self._run([self._program, "stdin", "stdout", "-l", names, "--psm", "1", "--dpi", "200", "tsv"], picture)
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
            version = (await self._run([self._program, "--version"], b"")).decode().split()[1]
            listed = (await self._run([self._program, "--list-langs"], b"")).decode().split()
            self._installed = version, frozenset(listed)
        return self._installed

    async def _run(self, command: Sequence[str], given: bytes) -> bytes:
        environ = {**os.environ, "OMP_THREAD_LIMIT": "1"}
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environ
        )
        try:
            async with asyncio.timeout(_PAGE_TIMEOUT_S):
                said, complained = await process.communicate(given)
        except TimeoutError as error:
            raise Unavailable(f"Tesseract needed more than {_PAGE_TIMEOUT_S:.0f} s for a page", code="ocr_timeout") from error
        finally:
            await _end(process)
        if process.returncode:
            raise _complaint(process.returncode, complained.decode("utf-8", "replace"))
        return said


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill what still runs (a cancel, a timeout) and collect it."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _complaint(code: int, text: str) -> Rejected | Unavailable:
    if code < 0:
        return Unavailable(f"Tesseract was ended by signal {-code}; the page is tried again", code="ocr_crashed")
    last = text.strip().rpartition("\n")[2][:200]
    return Rejected(f"Tesseract cannot read the page: {last}; give a clearer picture", field="url", code="ocr_refused")


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


def weighted(parts: Sequence[tuple[int, float]]) -> float | None:
    """The mean confidence of texts of these lengths; None of no text."""
    total = sum(length for length, _ in parts)
    return round(sum(length * confidence for length, confidence in parts) / total, 1) if total else None


def _gap(last: tuple[str, ...], place: tuple[str, ...]) -> str:
    if not last:
        return ""
    if place == last:
        return " "
    return "\n" if place[:2] == last[:2] else "\n\n"


def _box(row: Mapping[str, str], width: int, height: int) -> Box:
    left, top = int(row["left"]), int(row["top"])
    return box_of(left / width, top / height, (left + int(row["width"])) / width, (top + int(row["height"])) / height)
