"""How much of a PDF page is pictures that its text layer does not cover: whether the page was read."""

from itertools import islice
from typing import Final

import pypdfium2 as pdfium
from msgspec import Struct
from pypdfium2 import raw

_MAX_OBJECTS: Final = 400
"""Objects of a page that are looked at: a drawing has tens of thousands, and listing them is slow."""
_MAX_DEPTH: Final = 3
_MAX_RECTS: Final = 2_000
_SMALLEST: Final = 0.08
"""Share of the page from which a picture counts; logos and icons are smaller."""
_COVERED: Final = 0.02
"""Share of a picture under text from which its text is in the layer: an earlier OCR, or a background."""
_MIN_OUTLINES: Final = 40
"""A page without text and with this many shapes is a drawing or text turned into curves."""

Rect = tuple[float, float, float, float]
"""Left, bottom, right, top in points."""


_SCAN: Final = 0.5
_STAMP: Final = 0.05
"""A page that is a picture by this share or more, and text by less, is a scan with a stamp on it."""


class PictureCover(Struct, frozen=True):
    """Shares of the page's area.

    Attributes:
        pictures: of the largest picture that text does not cover; 1 for a page of shapes without text.
        text: of all text.
    """

    pictures: float
    text: float

    @property
    def needs_ocr(self) -> bool:
        return self.pictures > 0 and (self.text == 0 or (self.pictures >= _SCAN and self.text < _STAMP))

    @property
    def unread(self) -> str | None:
        """What stays unread when the text layer is taken."""
        if self.pictures == 0 or self.needs_ocr:
            return None
        return f"a picture that covers {self.pictures:.0%} of the page was not read"


def picture_cover(page: pdfium.PdfPage, textpage: pdfium.PdfTextPage, *, has_text: bool) -> PictureCover:
    """Measure the page."""
    width, height = page.get_size()
    area = max(1.0, width * height)
    objects = list(islice(page.get_objects(max_depth=_MAX_DEPTH), _MAX_OBJECTS))
    found = [_inside(item.get_bounds(), (0.0, 0.0, width, height)) for item in objects if _is_picture(item)]
    pictures = [picture for picture in found if _area(picture) >= _SMALLEST * area]
    if not has_text:
        is_drawn = len(objects) >= _MIN_OUTLINES or bool(found)
        return PictureCover(pictures=1.0 if is_drawn else 0.0, text=0.0)
    if not pictures:
        return PictureCover(pictures=0.0, text=0.0)
    rects = [textpage.get_rect(number) for number in range(min(_MAX_RECTS, textpage.count_rects()))]
    bare = [picture for picture in pictures if _text_within(rects, picture) < _COVERED * _area(picture)]
    return PictureCover(
        pictures=max(map(_area, bare), default=0.0) / area, text=sum(map(_area, rects)) / area
    )


def _is_picture(item: pdfium.PdfObject) -> bool:
    return bool(item.type == raw.FPDF_PAGEOBJ_IMAGE)


def _text_within(rects: list[Rect], picture: Rect) -> float:
    return sum(_area(_inside(rect, picture)) for rect in rects)


def _inside(rect: Rect, frame: Rect) -> Rect:
    """Return the part of `rect` that lies in `frame`; it has no area when there is none."""
    left, bottom = max(rect[0], frame[0]), max(rect[1], frame[1])
    return left, bottom, max(left, min(rect[2], frame[2])), max(bottom, min(rect[3], frame[3]))


def _area(rect: Rect) -> float:
    return max(0.0, rect[2] - rect[0]) * max(0.0, rect[3] - rect[1])
