"""Image files as pages: one page per frame. Images are turned upright and limited in size."""

import contextlib
import io
from collections.abc import Iterator
from typing import Final

from PIL import ExifTags, Image, ImageChops, ImageFilter, ImageOps

from signalbox_core.errors import Rejected
from signalbox_pipelines.document_batch.document.read.pages import PageContent

MAX_PIXELS: Final = 40_000_000
PREVIEW_SIZE: Final = (1_000, 1_600)
"""Width and height in pixels: an A4 page stays readable and takes about 60 kB."""
_MAX_SIDE: Final = 5_000
_TWICE_PREVIEW: Final = (3_200, 3_200)
_SMOOTH_MODES: Final = ("RGB", "RGBA", "CMYK", "YCbCr", "L")
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
            image.load()
            orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
            # Grey before it is turned: a colour picture takes four times the memory.
            grey = image.convert("L")
            image.close()
        grey.getexif()[ExifTags.Base.Orientation] = orientation
        grey = remove_shadows(ImageOps.exif_transpose(grey))
        grey.thumbnail((_MAX_SIDE, _MAX_SIDE))
        buffer = io.BytesIO()
        grey.save(buffer, "PNG", compress_level=1)
        return buffer.getvalue()

    def preview(self, index: int) -> Image.Image:
        with self._open(index) as image:
            image.draft("RGB", PREVIEW_SIZE)
            if image.mode in _SMOOTH_MODES:
                # Before it is turned, which copies it.
                image.thumbnail(_TWICE_PREVIEW)
            upright = ImageOps.exif_transpose(image).convert("RGB")
        upright.thumbnail(PREVIEW_SIZE)
        return upright

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
        except (OSError, ValueError, SyntaxError, EOFError) as error:
            detail = f"{self._name} is a damaged picture; send it again, whole"
            raise Rejected(detail, field="url", code="damaged_document") from error

    def _check_pixels(self, image: Image.Image) -> None:
        """Check the size in the header, before anything is decompressed."""
        if image.width * image.height > MAX_PIXELS:
            raise self._too_many_pixels(f"{image.width} × {image.height}")

    def _too_many_pixels(self, size: str) -> Rejected:
        limit = MAX_PIXELS // 1_000_000
        detail = (
            f"{self._name} has {size} pixels; at most {limit} million are read: give it at 300 dpi or less"
        )
        return Rejected(detail, field="url", code="too_many_pixels")


def remove_shadows(grey: Image.Image) -> Image.Image:
    """Even out the lighting of a photo.

    The paper is the brightest thing around every letter; subtracting it from the image makes it white.
    """
    small = grey.reduce(_SHADOW_SCALE) if min(grey.size) > 40 * _SHADOW_SCALE else grey.copy()
    paper = small.filter(ImageFilter.MaxFilter(9)).filter(ImageFilter.GaussianBlur(6)).resize(grey.size)
    return ImageOps.autocontrast(ImageChops.invert(ImageChops.subtract(paper, grey)), cutoff=1)
