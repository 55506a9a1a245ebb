"""Scores the pictures of a page: whether each is usable in an ad, how good it is, and why. Pure."""

import io
from typing import Final

from msgspec import Struct
from PIL import Image, ImageFilter, ImageOps, ImageStat

from signalbox_core.formats.pictures import DAMAGED_PICTURE
from signalbox_pipelines.ad_creative.messages import BrandFacts, ImageLink

_UNREADABLE: Final[tuple[type[Exception], ...]] = (*DAMAGED_PICTURE, Image.DecompressionBombError)
MIN_SIDE: Final = 280
MAX_RATIO: Final = 3.2
MAX_PIXELS: Final = 24_000_000
_STOP_WORDS: Final = frozenset(
    {"the", "a", "an", "of", "and", "with", "in", "on", "for", "và", "của", "với", "trên", "một"}
)


class ScoredPicture(Struct, frozen=True, kw_only=True):
    """A usable picture as upright RGB JPEG.

    `image_hash` is a difference hash, similar for near-duplicates.
    """

    body: bytes
    media_type: str
    width: int
    height: int
    image_hash: int
    points: float
    reasons: tuple[str, ...]


class UnusablePictureError(Exception):
    """The picture cannot be used in an ad; the message is the reason."""


def open_picture(body: bytes) -> Image.Image:
    """Decode the first frame, upright, as RGB on a white background.

    Raises:
        UnusablePictureError: the file is corrupt, or larger than MAX_PIXELS.
    """
    try:
        with Image.open(io.BytesIO(body)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise UnusablePictureError(f"{image.width} × {image.height} pixels are too many")
            ImageOps.exif_transpose(image, in_place=True)
            upright = image
            if upright.mode in ("RGBA", "LA", "P"):
                transparent = upright if upright.mode == "RGBA" else upright.convert("RGBA")
                background = Image.new("RGB", transparent.size, (255, 255, 255))
                background.paste(transparent, mask=transparent.getchannel("A"))
                return background
            upright.load()
            return upright.convert("RGB")
    except _UNREADABLE as error:
        raise UnusablePictureError("the file is corrupt") from error


def picture_size(body: bytes) -> tuple[int, int]:
    """Return width and height of a picture that can be decoded.

    Raises:
        UnusablePictureError: as `open_picture`.
    """
    return open_picture(body).size


def score_picture(body: bytes, link: ImageLink, brand: BrandFacts) -> ScoredPicture:
    """Score one picture.

    Raises:
        UnusablePictureError: too small, too narrow, a single flat colour, or corrupt.
    """
    image = open_picture(body)
    if min(image.size) < MIN_SIDE:
        raise UnusablePictureError(
            f"{image.width} × {image.height} pixels are too few; at least {MIN_SIDE} per side are needed"
        )
    ratio = max(image.size) / min(image.size)
    if ratio > MAX_RATIO:
        raise UnusablePictureError(f"{image.width} × {image.height} is too narrow to crop")
    small = ImageOps.fit(image, (128, 128))
    if max(ImageStat.Stat(small.convert("L")).stddev) < 6:
        raise UnusablePictureError("it is a single flat colour")
    points, reasons = _score(image, link, brand)
    encoded, media_type = _encode(image)
    return ScoredPicture(
        body=encoded,
        media_type=media_type,
        width=image.width,
        height=image.height,
        image_hash=_difference_hash(small),
        points=round(points, 1),
        reasons=reasons,
    )


def is_near_duplicate(one: int, other: int) -> bool:
    """Whether two hashes differ in at most 5 of 64 bits: the same picture in another size or quality."""
    return (one ^ other).bit_count() <= 5


def _score(image: Image.Image, link: ImageLink, brand: BrandFacts) -> tuple[float, tuple[str, ...]]:
    pixels = min(image.size)
    sharp = _sharpness(image)
    words = _words(f"{brand.product} {brand.name}") & _words(link.alt)
    ratio = max(image.size) / min(image.size)
    parts = (
        (min(pixels / 1080, 1.0) * 25, f"{image.width} × {image.height} pixels"),
        ({"product data": 30.0, "share image": 22.0}.get(link.source, 8.0), f"found in the {link.source}"),
        (
            min(len(words) * 6.0, 18.0),
            f"its description names {', '.join(sorted(words))}" if words else "not described as the product",
        ),
        (min(sharp / 8, 1.0) * 15, "sharp" if sharp > 5 else "soft"),
        (12.0 if ratio < 1.7 else 4.0, "crops well to every size" if ratio < 1.7 else "wide: crops tightly"),
    )
    return sum(points for points, _ in parts), tuple(reason for _, reason in parts)


def _sharpness(image: Image.Image) -> float:
    grey = ImageOps.contain(image, (480, 480)).convert("L")
    return ImageStat.Stat(grey.filter(ImageFilter.FIND_EDGES)).rms[0] / 2.5


def _difference_hash(small: Image.Image) -> int:
    """Difference hash: one bit per cell of an 8 × 8 grid, set if it is brighter than its right neighbour."""
    tiny = list(small.convert("L").resize((9, 8), Image.Resampling.BOX).tobytes())
    bits = 0
    for row in range(8):
        for column in range(8):
            bits = bits << 1 | (tiny[row * 9 + column] > tiny[row * 9 + column + 1])
    return bits


def _encode(image: Image.Image) -> tuple[bytes, str]:
    """Encode as JPEG with at most 2400 pixels per side, enough for every ad size."""
    image.thumbnail((2400, 2400), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=92, subsampling=0)
    return buffer.getvalue(), "image/jpeg"


def _words(text: str) -> set[str]:
    return {
        word
        for word in "".join(sign if sign.isalnum() else " " for sign in text.lower()).split()
        if len(word) > 1
    } - _STOP_WORDS
