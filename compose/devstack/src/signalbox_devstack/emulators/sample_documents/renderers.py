"""Renders a paper as a PDF with text, a PDF of scans, a photo or a TIFF. Deterministic."""

import io
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import as_file, files
from typing import Final

import pypdfium2 as pdfium
from fpdf import FPDF
from PIL import Image, ImageChops, ImageFilter

from signalbox_devstack.emulators.sample_documents.ground_truth import Paper

_MADE_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
_SCAN_DPI: Final = 200
_TILE: Final = 256


def text_pdf(papers: Sequence[Paper], *, password: str = "") -> bytes:
    """A PDF with a text layer, one page per paper."""
    pdf = _new_pdf()
    if password:
        pdf.set_encryption(owner_password=password, user_password=password)
    for paper in papers:
        pdf.add_page()
        pdf.set_font("Manrope", size=20)
        pdf.multi_cell(0, 12, paper.title, align="C", new_x="LMARGIN", new_y="NEXT")
        pdf.ln(8)
        pdf.set_font("Manrope", size=12)
        for line in paper.lines:
            pdf.multi_cell(0, 9, line, new_x="LMARGIN", new_y="NEXT")
    return bytes(pdf.output())


def scan_pdf(papers: Sequence[Paper], seed: int = 0) -> bytes:
    """A PDF without a text layer: slightly noisy pictures of the pages."""
    pdf = _new_pdf()
    for number, picture in enumerate(pictures(text_pdf(papers))):
        pdf.add_page()
        pdf.image(io.BytesIO(_jpeg(_noisy(picture, seed + number, strength=6), quality=50)), x=0, y=0, w=210)
    return bytes(pdf.output())


def photo(paper: Paper, seed: int) -> bytes:
    """A hand-held photo of a page: slightly rotated, unevenly lit, noisy and compressed."""
    dice = random.Random(seed)
    page = pictures(text_pdf([paper]))[0]
    turned = page.rotate(
        dice.uniform(-2.0, 2.0), expand=True, fillcolor=235, resample=Image.Resampling.BICUBIC
    )
    light = Image.linear_gradient("L").resize(turned.size).point(lambda level: 170 + level // 3)
    return _jpeg(
        _noisy(ImageChops.multiply(turned, light), seed, strength=22).filter(ImageFilter.GaussianBlur(0.6)),
        quality=70,
    )


def tiff(papers: Sequence[Paper]) -> bytes:
    """A fax: black-and-white pages in one file."""
    first, *others = [
        picture.point(lambda level: 255 * (level > 140)).convert("1")
        for picture in pictures(text_pdf(papers))
    ]
    buffer = io.BytesIO()
    first.save(
        buffer, "TIFF", compression="group4", save_all=True, append_images=others, dpi=(_SCAN_DPI, _SCAN_DPI)
    )
    return buffer.getvalue()


def pictures(pdf: bytes) -> list[Image.Image]:
    """The pages as grey-scale pictures at 200 dpi."""
    document = pdfium.PdfDocument(pdf)
    try:
        return [page.render(scale=_SCAN_DPI / 72, grayscale=True).to_pil().copy() for page in document]
    finally:
        document.close()


def _new_pdf() -> FPDF:
    pdf = FPDF(format="A4")
    pdf.set_creation_date(_MADE_AT)
    pdf.set_margin(20)
    with as_file(files("signalbox_pipelines.ad_creative") / "fonts" / "Manrope-Medium.ttf") as font:
        pdf.add_font("Manrope", fname=font)
    return pdf


def _noisy(picture: Image.Image, seed: int, *, strength: int) -> Image.Image:
    """Add pixel noise. One tile is repeated, because random bytes for a whole page take a second."""
    tile = Image.frombytes("L", (_TILE, _TILE), random.Random(seed).randbytes(_TILE * _TILE))
    noise = Image.new("L", picture.size)
    for left in range(0, picture.width, _TILE):
        for top in range(0, picture.height, _TILE):
            noise.paste(tile, (left, top))
    softer = noise.point(lambda level: 128 + (level - 128) * strength // 128)
    return ImageChops.add(picture, softer, scale=1, offset=-128)


def _jpeg(picture: Image.Image, *, quality: int) -> bytes:
    buffer = io.BytesIO()
    picture.convert("L").save(buffer, "JPEG", quality=quality, dpi=(_SCAN_DPI, _SCAN_DPI))
    return buffer.getvalue()
