"""Picture files as pages for OCR: one page a frame, upright, grey, of a bounded size. Pure: bytes in, bytes out."""

import io
from typing import Final

from PIL import Image, ImageChops, ImageFilter, ImageOps

from signalbox_core.errors import Rejected

MAX_PIXELS: Final = 60_000_000
VIEW_SIZE: Final = (1_000, 1_600)
"""Pixels of a page for people: an A4 page can be read, and weighs about 60 kB."""
_MAX_SIDE: Final = 5_000
_SHADOW_SCALE: Final = 8
_BOMBS: Final = (Image.DecompressionBombError, Image.DecompressionBombWarning)


def count_frames(body: bytes, name: str) -> int:
    """How many pages the picture has (a TIFF may have several).

    Raises:
        Rejected: `damaged_document`, or `too_many_pixels`: a small file that would fill the memory.
    """
    try:
        with Image.open(io.BytesIO(body)) as image:
            _check_pixels(image, name)
            return int(getattr(image, "n_frames", 1))
    except _BOMBS as error:
        raise _too_many_pixels(name, "far too many") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise _damaged(name) from error


def frame_picture(body: bytes, index: int, name: str) -> bytes:
    """One frame as a grey PNG, turned as the camera says and evenly lit."""
    try:
        with Image.open(io.BytesIO(body)) as image:
            image.seek(index)
            _check_pixels(image, name)
            grey = evened(ImageOps.exif_transpose(image).convert("L"))
    except _BOMBS as error:
        raise _too_many_pixels(name, "far too many") from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise _damaged(name) from error
    grey.thumbnail((_MAX_SIDE, _MAX_SIDE))
    buffer = io.BytesIO()
    grey.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def frame_view(body: bytes, index: int, name: str) -> Image.Image:
    """One frame in colour, turned as the camera says and small enough to be looked at."""
    try:
        with Image.open(io.BytesIO(body)) as image:
            image.seek(index)
            _check_pixels(image, name)
            image.draft("RGB", VIEW_SIZE)
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except _BOMBS as error:
        raise _too_many_pixels(name, "far too many") from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise _damaged(name) from error
    upright.thumbnail(VIEW_SIZE)
    return upright


def evened(grey: Image.Image) -> Image.Image:
    """Without the shadows of a photo: the paper, which is the brightest thing around every letter, becomes white."""
    small = grey.reduce(_SHADOW_SCALE) if min(grey.size) > 40 * _SHADOW_SCALE else grey.copy()
    paper = small.filter(ImageFilter.MaxFilter(9)).filter(ImageFilter.GaussianBlur(6)).resize(grey.size)
    return ImageOps.autocontrast(ImageChops.invert(ImageChops.subtract(paper, grey)), cutoff=1)


def _check_pixels(image: Image.Image, name: str) -> None:
    """The header's word, before anything is unpacked."""
    if image.width * image.height > MAX_PIXELS:
        raise _too_many_pixels(name, f"{image.width} × {image.height}")


def _too_many_pixels(name: str, size: str) -> Rejected:
    detail = f"{name} has {size} pixels; at most {MAX_PIXELS // 1_000_000} million are read: give it at 300 dpi or less"
    return Rejected(detail, field="url", code="too_many_pixels")


def _damaged(name: str) -> Rejected:
    return Rejected(
        f"{name} is a damaged picture; send it again, whole", field="url", code="damaged_document"
    )
