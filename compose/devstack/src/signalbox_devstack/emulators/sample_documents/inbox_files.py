"""The demo inbox: good papers in every form, and one of each trap. Deterministic by seed."""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Final

from msgspec import Struct

from signalbox_devstack.emulators.sample_documents.ground_truth import Paper, write_paper
from signalbox_devstack.emulators.sample_documents.renderers import photo, scan_pdf, text_pdf, tiff

LONG_PAGES: Final = 200


class PaperFile(Struct, frozen=True, kw_only=True):
    """A file with what is true of it: its papers (one a page), or the code with which it must fail."""

    name: str
    body: bytes
    papers: tuple[Paper, ...] = ()
    fails_with: str | None = None


def good_file(number: int, seed: int = 1) -> PaperFile:
    """The good file of that number: text PDF three times, then scan, photo and TIFF."""
    paper = write_paper(number, seed)
    stem = f"{number:05}-{paper.kind}-{paper.language}"
    makers: dict[int, tuple[str, Callable[[], bytes]]] = {
        3: ("scan.pdf", lambda: scan_pdf([paper], seed + number)),
        4: ("photo.jpg", lambda: photo(paper, seed + number)),
        5: ("fax.tiff", lambda: tiff([paper])),
    }
    # Seven and four have no common part, so every kind of paper comes in every form.
    ending, make = makers.get(number % 7, ("text.pdf", lambda: text_pdf([paper])))
    return PaperFile(name=f"{stem}-{ending}", body=make(), papers=(paper,))


def text_file(number: int, seed: int = 1) -> PaperFile:
    """A one-page PDF with text: quick to make and to read, for large batches."""
    paper = write_paper(number, seed)
    return PaperFile(
        name=f"{number:05}-{paper.kind}-{paper.language}-text.pdf", body=text_pdf([paper]), papers=(paper,)
    )


def trap_files(seed: int = 1) -> Iterator[PaperFile]:
    """One file of each sort that must fail, with the code it must fail with."""
    whole = text_pdf([write_paper(0, seed)])
    yield PaperFile(
        name="encrypted.pdf",
        body=text_pdf([write_paper(1, seed)], password="open sesame"),  # noqa: S106
        fails_with="password_needed",
    )
    yield PaperFile(name="truncated.pdf", body=whole[: len(whole) // 3], fails_with="damaged_document")
    yield PaperFile(name="bomb.png", body=bomb_png(), fails_with="too_many_pixels")
    yield PaperFile(
        name="web-page.pdf",
        body=b"<!doctype html><title>Sign in</title><h1>Sign in</h1>",
        fails_with="wrong_media_type",
    )
    yield PaperFile(name="empty.pdf", body=b"", fails_with="empty_document")
    yield PaperFile(
        name="broken-photo.jpg", body=photo(write_paper(2, seed), seed)[:4000], fails_with="damaged_document"
    )


def unclear_file(seed: int = 1) -> PaperFile:
    """A note that is no kind of document: a person is asked."""
    paper = Paper(
        kind="other",
        language="en",
        title=f"Note {seed}",
        lines=("Two boxes are in the cellar, next to the door.",),
        facts=(),
    )
    return PaperFile(name="note.pdf", body=text_pdf([paper]), papers=(paper,))


def long_scan(pages: int = LONG_PAGES, seed: int = 1) -> PaperFile:
    """Many scanned pages in one PDF: a year's invoices, Vietnamese and English by turns."""
    papers = _years_invoices(pages, seed)
    return PaperFile(name=f"long-{pages}-pages.pdf", body=scan_pdf(papers, seed), papers=papers)


def long_text(pages: int = LONG_PAGES, seed: int = 1) -> PaperFile:
    """As many pages with a text layer: read in a moment."""
    papers = _years_invoices(pages, seed)
    return PaperFile(name=f"long-{pages}-pages-text.pdf", body=text_pdf(papers), papers=papers)


def inbox(count: int = 12, seed: int = 1) -> Iterator[PaperFile]:
    """The demo's inbox: `count` good files, an unclear one, and the traps."""
    yield from (good_file(number, seed) for number in range(count))
    yield unclear_file(seed)
    yield from trap_files(seed)


def _years_invoices(pages: int, seed: int) -> tuple[Paper, ...]:
    return tuple(write_paper(4 * (number // 2) + number % 2, seed) for number in range(pages))


def bomb_png(side: int = 30_000) -> bytes:
    """A PNG of 900 million pixels in about 110 kB: valid, and far too large to unpack."""
    buffer = io.BytesIO()
    buffer.write(b"\x89PNG\r\n\x1a\n")
    _chunk(buffer, b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
    packer = zlib.compressobj(9)
    row = bytes(1 + side // 8)
    packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    _chunk(buffer, b"IDAT", packed)
    _chunk(buffer, b"IEND", b"")
    return buffer.getvalue()


def _chunk(buffer: io.BytesIO, name: bytes, data: bytes) -> None:
    buffer.write(struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)))
