"""How much memory reading a picture takes, estimated from its header before anything is decoded.

A decoder that runs out of memory reports a damaged file, so such a picture has to be refused first.
"""

from typing import Final

from PIL import Image, JpegImagePlugin, TiffImagePlugin

BUDGET_BYTES: Final = 235_000_000
"""What fits into a process of the CPU pool with its default limit of 256 MB."""
_WORKING_BYTES: Final = 5.0
"""Per pixel: the picture in colour and in grey, or the grey copies that even out its lighting."""
_WEBP_BYTES: Final = 20.0
"""Per pixel: libwebp's canvas and its two frames, Pillow's copy and the picture."""
_COEFFICIENT_BYTES: Final = 2.5
"""Two for the value, and a quarter more for blocks at the edge and the decoder's buffers."""
_STRIP_COPIES: Final = 2
_ROWS_PER_STRIP: Final = 278
_TILE_WIDTH: Final = 322


def reading_bytes(image: Image.Image, body_bytes: int) -> int:
    """Estimate the memory that reading takes.

    Args:
        image: opened, not decoded.
        body_bytes: the size of the file, which is in memory too.
    """
    per_pixel = _WORKING_BYTES
    if image.format == "WEBP":
        per_pixel = _WEBP_BYTES
    elif isinstance(image, JpegImagePlugin.JpegImageFile) and image.info.get("progressive"):
        per_pixel = _coefficients(image) + (_WORKING_BYTES if image.mode == "CMYK" else 1)
    elif isinstance(image, TiffImagePlugin.TiffImageFile):
        per_pixel += _strip_share(image) * len(image.getbands()) * _STRIP_COPIES
    return int(max(_WORKING_BYTES, per_pixel) * image.width * image.height) + body_bytes


def _coefficients(image: JpegImagePlugin.JpegImageFile) -> float:
    """The bytes per pixel of a progressive JPEG's coefficients, which are all kept until its end."""
    samplings = [(horizontal, vertical) for _, horizontal, vertical, _ in image.layer]
    largest = max(horizontal for horizontal, _ in samplings) * max(vertical for _, vertical in samplings)
    return _COEFFICIENT_BYTES * sum(horizontal * vertical for horizontal, vertical in samplings) / largest


def _strip_share(image: TiffImagePlugin.TiffImageFile) -> float:
    """The part of a TIFF that is decoded in one piece."""
    if _TILE_WIDTH in image.tag_v2:
        return 0.0
    rows = int(image.tag_v2.get(_ROWS_PER_STRIP, image.height))
    return min(1.0, rows / image.height)
