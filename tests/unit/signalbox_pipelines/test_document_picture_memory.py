"""Pictures are refused by their header when reading them would exceed the memory of a process."""

import io
from typing import Any

import pytest
from PIL import Image

from signalbox_core.errors import Rejected
from signalbox_pipelines.document_batch.document.read import image_pages
from signalbox_pipelines.document_batch.document.read.image_pages import ImagePages, shrink
from signalbox_pipelines.document_batch.document.read.picture_memory import BUDGET_BYTES, reading_bytes

MILLION = 1_000_000


def picture(mode: str, kind: str, size: tuple[int, int] = (400, 250), **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, kind, **options)
    return buffer.getvalue()


def per_pixel(body: bytes) -> float:
    with Image.open(io.BytesIO(body)) as image:
        return (reading_bytes(image, len(body)) - len(body)) / (image.width * image.height)


@pytest.mark.parametrize(
    ("body", "million_pixels"),
    [
        pytest.param(picture("RGB", "PNG"), 40, id="png"),
        pytest.param(picture("RGBA", "PNG"), 40, id="png with transparency"),
        pytest.param(picture("RGB", "JPEG"), 40, id="jpeg"),
        pytest.param(picture("RGB", "JPEG", progressive=True), 40, id="progressive jpeg"),
        pytest.param(picture("RGB", "JPEG", progressive=True, subsampling=0), 27, id="in full colour"),
        pytest.param(picture("CMYK", "JPEG", progressive=True), 15, id="progressive cmyk jpeg"),
        pytest.param(
            picture("RGB", "TIFF", compression="tiff_lzw", strip_size=1 << 30), 21, id="tiff of one strip"
        ),
        pytest.param(picture("1", "TIFF", compression="group4", strip_size=1 << 30), 33, id="fax"),
        pytest.param(picture("RGB", "WEBP"), 11, id="webp"),
    ],
)
def test_the_documented_size_of_each_format_fits(body: bytes, million_pixels: int) -> None:
    assert per_pixel(body) * million_pixels * MILLION <= BUDGET_BYTES


def test_a_picture_beyond_the_budget_is_refused_by_its_header() -> None:
    body = picture("CMYK", "JPEG", (5_000, 4_000), progressive=True)
    # Cut off, it could not be decoded.
    with pytest.raises(Rejected, match="5000 × 4000 pixels, which take too much memory") as caught:
        ImagePages(body[: len(body) // 2], "scan.jpg")
    assert caught.value.stable_code == "too_many_pixels"


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "L", "1", "CMYK"])
@pytest.mark.parametrize("size", [(2_345, 1_777), (90, 4_000), (50, 60)])
def test_a_shrunk_picture_keeps_its_content_and_proportions(mode: str, size: tuple[int, int]) -> None:
    left = Image.new("RGB", (size[0] // 2, size[1]), "red")
    whole = Image.new("RGB", size, "white")
    whole.paste(left, (0, 0))
    small = shrink(whole.convert(mode), image_pages.PREVIEW_SIZE)

    assert small.mode == "RGB"
    assert small.width <= 1_000
    assert small.height <= 1_600
    assert small.width / small.height == pytest.approx(size[0] / size[1], rel=0.05)
    middle = small.convert("L").crop((0, small.height // 2, small.width, small.height // 2 + 1)).tobytes()
    assert middle[-2] == 255
    assert middle[1] < 128 or mode == "1"


def test_what_is_transparent_is_white_paper() -> None:
    shrunk = shrink(Image.new("RGBA", (3_000, 2_000), (0, 0, 0, 0)), image_pages.PREVIEW_SIZE)
    assert shrunk.getextrema() == ((255, 255), (255, 255), (255, 255))


@pytest.mark.parametrize(("orientation", "is_tall"), [(1, False), (6, True), (8, True), (3, False)])
def test_a_preview_is_upright(orientation: int, is_tall: bool) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    preview = ImagePages(picture("RGB", "JPEG", (2_000, 1_000), exif=exif), "photo.jpg").preview(0)
    assert (preview.height > preview.width) == is_tall
    assert preview.width <= 1_000
    assert preview.height <= 1_600
