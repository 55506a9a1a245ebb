"""Judging a page's pictures: which can carry an ad, how good each is, and why. Pure: bytes in, judgement out."""

import io
from typing import Final

from msgspec import Struct
from PIL import Image, ImageFilter, ImageOps, ImageStat

from signalbox_pipelines.ad_creative.messages import Brand, ImageLink, RankedPicture, StoredPicture

MIN_SIDE: Final = 280
MAX_RATIO: Final = 3.2
MAX_PIXELS: Final = 40_000_000
_STOP_WORDS: Final = frozenset(
    {"the", "a", "an", "of", "and", "with", "in", "on", "for", "và", "của", "với", "trên", "một"}
)


class Judged(Struct, frozen=True, kw_only=True):
    """A usable picture as an upright RGB file, its look (a hash that is close for near-duplicates), points and reasons."""

    body: bytes
    media_type: str
    width: int
    height: int
    look: int
    points: float
    reasons: tuple[str, ...]


class Unusable(Exception):
    """The picture cannot carry an ad; the text says why."""


def open_picture(body: bytes) -> Image.Image:
    """The first frame, upright, in RGB (transparent parts on white).

    Raises:
        Unusable: broken, or so large that it would fill the memory.
    """
    try:
        with Image.open(io.BytesIO(body)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Unusable(f"{image.width} × {image.height} pixels are too many")
            upright = ImageOps.exif_transpose(image)
            if upright.mode in ("RGBA", "LA", "P"):
                clear = upright.convert("RGBA")
                ground = Image.new("RGBA", clear.size, (255, 255, 255, 255))
                return Image.alpha_composite(ground, clear).convert("RGB")
            return upright.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Unusable("the file is broken") from error


def judge(body: bytes, link: ImageLink, brand: Brand) -> Judged:
    """Judge one fetched picture.

    Raises:
        Unusable: too small, too narrow, one flat colour, or broken.
    """
    image = open_picture(body)
    if min(image.size) < MIN_SIDE:
        raise Unusable(
            f"{image.width} × {image.height} pixels are too few; wanted {MIN_SIDE} or more each way"
        )
    ratio = max(image.size) / min(image.size)
    if ratio > MAX_RATIO:
        raise Unusable(f"{image.width} × {image.height} is too narrow to crop")
    small = ImageOps.fit(image, (128, 128))
    if max(ImageStat.Stat(small.convert("L")).stddev) < 6:
        raise Unusable("it is one flat colour")
    points, reasons = _score(image, link, brand)
    packed, media_type = _packed(image)
    return Judged(
        body=packed,
        media_type=media_type,
        width=image.width,
        height=image.height,
        look=_look(small),
        points=round(points, 1),
        reasons=reasons,
    )


def ranked(stored: StoredPicture, judged: Judged) -> RankedPicture:
    return RankedPicture(picture=stored, points=judged.points, reasons=judged.reasons)


def looks_like(one: int, other: int) -> bool:
    """Whether two looks differ in at most 5 of 64 places: the same picture in another size or quality."""
    return (one ^ other).bit_count() <= 5


def _score(image: Image.Image, link: ImageLink, brand: Brand) -> tuple[float, tuple[str, ...]]:
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


def _look(small: Image.Image) -> int:
    """Difference hash: for each of 8 × 8 places, whether it is brighter than its right neighbour."""
    tiny = list(small.convert("L").resize((9, 8), Image.Resampling.BOX).tobytes())
    bits = 0
    for row in range(8):
        for column in range(8):
            bits = bits << 1 | (tiny[row * 9 + column] > tiny[row * 9 + column + 1])
    return bits


def _packed(image: Image.Image) -> tuple[bytes, str]:
    """A file of at most 2400 pixels a side: large enough for every ad size, small enough to be read for each."""
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
