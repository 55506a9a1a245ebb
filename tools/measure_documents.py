"""Measure how documents of a folder are recognised and what facts are found, against truth files.

Beside `a.pdf` stands `a.pdf.truth.json`: {"kind": "invoice", "facts": [["date", "2026-03-05"], …]}; without
`facts` only the kind is compared. Pages are read by their text layer; no OCR. With --half 1 or --half 2 only
half of the files is measured, divided by a digest of their names: tune on one half, report the other. With
--text the words are compared with those of pdftotext, where that is installed.
"""

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from signalbox_core.errors import Rejected
from signalbox_pipelines.document_batch.document.activities import classify_text, with_stated_kind
from signalbox_pipelines.document_batch.document.contract import Classification
from signalbox_pipelines.document_batch.document.extract.data_facts import (
    DataFact,
    facts_of,
    unplaced_entity,
)
from signalbox_pipelines.document_batch.document.extract.window import find_in_window
from signalbox_pipelines.document_batch.document.messages import Entity, PageText
from signalbox_pipelines.document_batch.document.read.formats import open_pages
from signalbox_pipelines.document_batch.document.read.media_types import PDF, XML, check_media_type
from signalbox_pipelines.document_batch.document.read.open_document import read_structured_data

TRUTH_SUFFIX = ".truth.json"
MAX_MISSING = 0.05
_WORD = re.compile(r"\w+")


class Truth(Struct, frozen=True, kw_only=True):
    kind: str
    facts: tuple[tuple[str, str], ...] | None = None


class Tally(Struct):
    """Counts of one type of fact: those marked valid, and how many of them are true."""

    right: int = 0
    valid: int = 0
    true: int = 0

    @property
    def precision(self) -> float:
        return self.right / self.valid if self.valid else 1.0

    @property
    def recall(self) -> float:
        return self.right / self.true if self.true else 1.0


class Measured(Struct):
    """The figures of a folder.

    Attributes:
        verdicts: by true kind, how many papers are `right`, `wrong` (sure and wrong) or `asked`.
        facts: by type.
        missing: by file, the share of pdftotext's words that ours lack.
        rejected: files that cannot be read, with the error code.
    """

    verdicts: dict[str, Counter[str]]
    facts: dict[str, Tally]
    missing: dict[str, float]
    rejected: dict[str, str]

    def share(self, verdict: str, kind: str | None = None) -> float:
        counts = sum((of for name, of in self.verdicts.items() if kind in (None, name)), Counter[str]())
        return counts[verdict] / max(1, counts.total())


class _Read(Struct, frozen=True, kw_only=True):
    classification: Classification
    entities: list[Entity]
    text: str


def measure(files: Iterable[Path], *, with_text: bool = False) -> Measured:
    """Read every file that has a truth file, and compare."""
    found = Measured(defaultdict(Counter), defaultdict(Tally), {}, {})
    for path in files:
        truth_file = path.with_name(path.name + TRUTH_SUFFIX)
        if not truth_file.exists():
            continue
        truth = msgspec.json.decode(truth_file.read_bytes(), type=Truth)
        try:
            document = _read(path)
        except Rejected as error:
            found.rejected[path.name] = error.stable_code
            continue
        found.verdicts[truth.kind][_verdict(document.classification, truth.kind)] += 1
        if truth.facts is not None:
            _count_facts(found.facts, truth.facts, document.entities)
        if with_text and path.suffix == ".pdf":
            found.missing[path.name] = missing_words(_pdftotext(path), document.text)
    return found


def table(found: Measured) -> Iterator[str]:
    """The figures as Markdown."""
    yield "| Kind | Papers | Right | Asks a person | Sure and wrong |\n| --- | --- | --- | --- | --- |"
    for kind in [*sorted(found.verdicts), None]:
        count = sum(of.total() for name, of in found.verdicts.items() if kind in (None, name))
        shares = [f"{found.share(verdict, kind):.1%}" for verdict in ("right", "asked", "wrong")]
        yield f"| {kind or 'all'} | {count} | {' | '.join(shares)} |"
    yield "\n| Fact | Precision of valid ones | Recall | True |\n| --- | --- | --- | --- |"
    for kind, tally in sorted(found.facts.items()):
        yield f"| {kind} | {tally.precision:.3f} | {tally.recall:.3f} | {tally.true} |"
    if found.missing:
        good = sum(share <= MAX_MISSING for share in found.missing.values()) / len(found.missing)
        count = len(found.missing)
        yield f"\n{good:.1%} of {count} papers miss at most {MAX_MISSING:.0%} of pdftotext's words"
    for name, code in found.rejected.items():
        yield f"not read: {name} ({code})"


def missing_words(reference: str, text: str) -> float:
    """The share of the reference's words that the text lacks; other spacing is no difference."""
    wanted, have = _words(reference), _words(text)
    joined = "".join(_WORD.findall(_plain(text)))
    missing = sum(count for word, count in (wanted - have).items() if word not in joined)
    return missing / max(1, wanted.total())


def _read(path: Path) -> _Read:
    body = path.read_bytes()
    media_type = check_media_type(body, path.name)
    opened = open_pages(body, media_type, path.name)
    try:
        texts = [opened.content(index).text for index in range(opened.page_count)]
    finally:
        opened.close()
    pages = [PageText(number=n, text=text, read_by="text layer") for n, text in enumerate(texts, start=1)]
    pages_json = msgspec.json.encode(pages)
    invoice = read_structured_data(body, media_type, path.name).invoice if media_type in (PDF, XML) else None
    classified = classify_text(pages_json)
    if invoice is not None:
        classified = with_stated_kind(classified, invoice)
    return _Read(
        classification=classified.classification,
        entities=list(_entities(pages_json, facts_of(invoice) if invoice else [])),
        text="\n".join(texts),
    )


def _entities(pages_json: bytes, data_facts: list[DataFact]) -> Iterator[Entity]:
    done, total, left = 0, 1, data_facts
    while done < total:
        window = find_in_window(pages_json, done, ("en",), left, "data")
        yield from window.entities
        done, total, left = window.stop, window.page_count, window.unplaced
    yield from (unplaced_entity(fact, "data", has_text=True) for fact in left)


def _verdict(found: Classification, kind: str) -> str:
    if not found.is_sure:
        return "asked"
    return "right" if found.kind == kind else "wrong"


def _count_facts(tallies: dict[str, Tally], facts: Sequence[tuple[str, str]], entities: list[Entity]) -> None:
    """Compare values; how often one is repeated does not matter."""
    true = set(facts)
    valid = {(str(entity.type), entity.value) for entity in entities if entity.valid}
    for kind in {kind for kind, _ in true | valid}:
        tally = tallies[kind]
        tally.valid += sum(name == kind for name, _ in valid)
        tally.true += sum(name == kind for name, _ in true)
        tally.right += sum(name == kind for name, _ in true & valid)


def _pdftotext(path: Path) -> str:
    done = subprocess.run(["pdftotext", "-enc", "UTF-8", str(path), "-"], capture_output=True, check=False)
    return done.stdout.decode("utf-8", "replace")


def _words(text: str) -> Counter[str]:
    return Counter(_WORD.findall(_plain(text)))


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower().replace("\u00ad", "")


def _in_half(path: Path, half: int | None) -> bool:
    return half is None or hashlib.sha256(path.name.encode()).digest()[0] % 2 == half - 1


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(allow_abbrev=False, description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--half", type=int, choices=(1, 2), help="measure only this half of the files")
    parser.add_argument("--text", action="store_true", help="compare the words with pdftotext")
    options = parser.parse_args(arguments)
    if options.text and shutil.which("pdftotext") is None:
        parser.error("pdftotext is not on PATH; install poppler-utils, or leave --text out")
    files = [path for path in sorted(options.folder.rglob("*")) if path.is_file()]
    found = measure((path for path in files if _in_half(path, options.half)), with_text=options.text)
    print("\n".join(table(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
