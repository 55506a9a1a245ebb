"""Image files as pages: one page per frame. Images are turned upright and limited in size."""

import contextlib
import io
from collections.abc import Iterator
from typing import Final

from PIL import ExifTags, Image, ImageChops, ImageFilter, ImageOps

from signalbox_core.errors import Rejected
from signalbox_core.formats.pictures import DAMAGED_PICTURE
from signalbox_pipelines.document_batch.document.read.pages import PageContent
from signalbox_pipelines.document_batch.document.read.picture_memory import BUDGET_BYTES, reading_bytes

MAX_PIXELS: Final = 40_000_000
PREVIEW_SIZE: Final = (1_000, 1_600)
"""Width and height in pixels: an A4 page stays readable and takes about 60 kB."""
_MAX_SIDE: Final = 5_000
_STRIP_ROWS: Final = 64
_TURNED: Final = frozenset({5, 6, 7, 8})
"""Orientations (EXIF) that exchange width and height."""
_SHADOW_SCALE: Final = 8
_BOMBS: Final = (Image.DecompressionBombError, Image.DecompressionBombWarning)


class ImagePages:
    """The frames of an image file; a TIFF may have several.

    Raises:
        Rejected: `damaged_document`, or `too_many_pixels` for a file that would exhaust the memory.
    """

    def __init__(self, body: bytes, name: str) -> None:
        self._body = body
        self._name = name
        with self._open() as image:
            self.page_count = int(getattr(image, "n_frames", 1))

    def content(self, index: int) -> PageContent:  # noqa: ARG002 - required by the protocol
        return PageContent(text="", needs_ocr=True)

    def ocr_image(self, index: int) -> bytes:
        """Return one frame as an upright, evenly lit greyscale PNG."""
        with self._open(index) as image:
            image.draft("L", image.size)
            image.load()
            orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
            # Grey before it is turned: a colour picture takes four times the memory.
            grey = Image.new("L", image.size)
            for top, strip in strips(image, _STRIP_ROWS):
                grey.paste(strip.convert("L"), (0, top))
            image.close()
        grey.getexif()[ExifTags.Base.Orientation] = orientation
        grey = remove_shadows(ImageOps.exif_transpose(grey))
        grey.thumbnail((_MAX_SIDE, _MAX_SIDE))
        buffer = io.BytesIO()
        grey.save(buffer, "PNG", compress_level=1)
        return buffer.getvalue()

    def preview(self, index: int) -> Image.Image:
        with self._open(index) as image:
            orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
            size = PREVIEW_SIZE[::-1] if orientation in _TURNED else PREVIEW_SIZE
            image.draft("RGB", size)
            shrunk = shrink(image, size)
        shrunk.getexif()[ExifTags.Base.Orientation] = orientation
        return ImageOps.exif_transpose(shrunk)

    def close(self) -> None:
        """Nothing is held open."""

    @contextlib.contextmanager
    def _open(self, index: int = 0) -> Iterator[Image.Image]:
        try:
            with Image.open(io.BytesIO(self._body)) as image:
                if index:
                    image.seek(index)
                self._check_pixels(image)
                yield image
        except _BOMBS as error:
            raise self._too_many_pixels("far too many") from error
        except DAMAGED_PICTURE as error:
            detail = f"{self._name} is a damaged picture; send it again, whole"
            raise Rejected(detail, field="url", code="damaged_document") from error

    def _check_pixels(self, image: Image.Image) -> None:
        """Check the size in the header, before anything is decompressed."""
        if image.width * image.height > MAX_PIXELS:
            raise self._too_many_pixels(f"{image.width} × {image.height}")
        if reading_bytes(image, len(self._body)) > BUDGET_BYTES:
            detail = (
                f"{self._name} has {image.width} × {image.height} pixels, which take too much memory in this "
                "format; give it at 300 dpi or less, or as a PNG"
            )
            raise Rejected(detail, field="url", code="too_many_pixels")

    def _too_many_pixels(self, size: str) -> Rejected:
        limit = MAX_PIXELS // 1_000_000
        detail = (
            f"{self._name} has {size} pixels; at most {limit} million are read: give it at 300 dpi or less"
        )
        return Rejected(detail, field="url", code="too_many_pixels")


def shrink(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """A copy in RGB on white paper that fits into `size`.

    Args:
        size: width and height.
    """
    factor = max(1, int(max(image.width / size[0], image.height / size[1]) / 2))
    small = Image.new("RGB", (-(-image.width // factor), -(-image.height // factor)))
    for top, strip in strips(image, factor * _STRIP_ROWS):
        small.paste(_on_white(strip).reduce(factor), (0, top // factor))
    small.thumbnail(size)
    return small


def strips(image: Image.Image, rows: int) -> Iterator[tuple[int, Image.Image]]:
    """The image in strips of `rows` rows, each with its top row.

    A conversion strip by strip needs no second or third picture in full size in addition to the decoded one.
    """
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(image.height, top + rows)))


def _on_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    ink = image.convert("RGBA")
    paper = Image.new("RGB", image.size, "white")
    paper.paste(ink, mask=ink.getchannel("A"))
    return paper


def remove_shadows(grey: Image.Image) -> Image.Image:
    """Even out the lighting of a photo.

    The paper is the brightest thing around every letter; subtracting it from the image makes it white.
    """
    small = grey.reduce(_SHADOW_SCALE) if min(grey.size) > 40 * _SHADOW_SCALE else grey.copy()
    paper = small.filter(ImageFilter.MaxFilter(9)).filter(ImageFilter.GaussianBlur(6)).resize(grey.size)
    return ImageOps.autocontrast(ImageChops.invert(ImageChops.subtract(paper, grey)), cutoff=1)
