"""The files of the demo inbox: valid documents in every format, and one file for each way to be invalid.

Deterministic.
"""

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
    """A file and the expected result: its papers, one per page, or the error code it must fail with."""

    name: str
    body: bytes
    papers: tuple[Paper, ...] = ()
    fails_with: str | None = None


def good_file(number: int, seed: int = 1) -> PaperFile:
    """The valid file with this number.

    By `number % 7`: a scan (3), a photo (4), a TIFF (5), else a text PDF.
    """
    paper = write_paper(number, seed)
    stem = f"{number:05}-{paper.kind}-{paper.language}"
    makers: dict[int, tuple[str, Callable[[], bytes]]] = {
        3: ("scan.pdf", lambda: scan_pdf([paper], seed + number)),
        4: ("photo.jpg", lambda: photo(paper, seed + number)),
        5: ("fax.tiff", lambda: tiff([paper])),
    }
    # Seven formats and four kinds of paper are coprime, so every kind occurs in every format.
    ending, make = makers.get(number % 7, ("text.pdf", lambda: text_pdf([paper])))
    return PaperFile(name=f"{stem}-{ending}", body=make(), papers=(paper,))


def text_file(number: int, seed: int = 1) -> PaperFile:
    """A one-page PDF with text, fast to generate and to read, for large batches."""
    paper = write_paper(number, seed)
    return PaperFile(
        name=f"{number:05}-{paper.kind}-{paper.language}-text.pdf", body=text_pdf([paper]), papers=(paper,)
    )


def trap_files(seed: int = 1) -> Iterator[PaperFile]:
    """One invalid file of each sort, with the error code it must fail with."""
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
    """A note of no known kind, which a person has to classify."""
    paper = Paper(
        kind="other",
        language="en",
        title=f"Note {seed}",
        lines=("Two boxes are in the cellar, next to the door.",),
        facts=(),
    )
    return PaperFile(name="note.pdf", body=text_pdf([paper]), papers=(paper,))


def long_scan(pages: int = LONG_PAGES, seed: int = 1) -> PaperFile:
    """Many scanned pages in one PDF: invoices, alternately Vietnamese and English."""
    papers = _invoice_pages(pages, seed)
    return PaperFile(name=f"long-{pages}-pages.pdf", body=scan_pdf(papers, seed), papers=papers)


def long_text(pages: int = LONG_PAGES, seed: int = 1) -> PaperFile:
    """The same pages with a text layer, which are read much faster."""
    papers = _invoice_pages(pages, seed)
    return PaperFile(name=f"long-{pages}-pages-text.pdf", body=text_pdf(papers), papers=papers)


def inbox(count: int = 12, seed: int = 1) -> Iterator[PaperFile]:
    """The demo inbox: `count` valid files, one of unknown kind, and the invalid files."""
    yield from (good_file(number, seed) for number in range(count))
    yield unclear_file(seed)
    yield from trap_files(seed)


def _invoice_pages(pages: int, seed: int) -> tuple[Paper, ...]:
    return tuple(write_paper(4 * (number // 2) + number % 2, seed) for number in range(pages))


def bomb_png(side: int = 30_000) -> bytes:
    """A decompression bomb: a valid PNG of 900 million pixels in about 110 kB."""
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
