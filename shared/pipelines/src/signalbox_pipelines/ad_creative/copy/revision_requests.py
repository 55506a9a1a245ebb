"""What a reason for a rejection asks for, as far as words tell. Pure; English and Vietnamese."""

import re
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

_TAGS: Final[Mapping[str, str]] = {
    "price": r"prices?|costs?|cheap|expensive|giá|rẻ|đắt",
    "rating": r"ratings?|reviews?|stars?|customers?|đánh giá|khách hàng",
    "shipping": r"shipping|delivery|returns?|giao hàng|vận chuyển",
    "benefit": r"benefits?|features?|advantages?|why|lợi ích|ưu điểm|tính năng",
    "slogan": r"slogan|emotion|mood|feeling|cảm xúc|khẩu hiệu",
    "name": r"name|brand|product|tên|thương hiệu|sản phẩm",
}
_NEGATION: Final = (
    r"\b(?:no|not|without|drop|remove|less|avoid|never|don't|too much|bỏ|không|bớt|đừng)\b(?:\W+\w+){0,2}\W+"
)
_SHORTER: Final = re.compile(r"\b(?:short\w*|long|wordy|less text|brief\w*|ngắn|dài|gọn)\b", re.IGNORECASE)
_PICTURE: Final = re.compile(r"\b(?:pictures?|photos?|images?|crop|hình|ảnh)\b", re.IGNORECASE)


class Wishes(Struct, frozen=True, kw_only=True):
    """Tags of texts wanted more or less; whether shorter, and whether another picture."""

    more: frozenset[str]
    less: frozenset[str]
    shorter: bool
    other_picture: bool


def read_wishes(reason: str) -> Wishes:
    """Read the reason; words that say nothing to us leave every wish empty."""
    less = {
        tag for tag, words in _TAGS.items() if re.search(rf"{_NEGATION}(?:{words})\b", reason, re.IGNORECASE)
    }
    more = {
        tag for tag, words in _TAGS.items() if re.search(rf"\b(?:{words})\b", reason, re.IGNORECASE)
    } - less
    return Wishes(
        more=frozenset(more),
        less=frozenset(less),
        shorter=bool(_SHORTER.search(reason)),
        other_picture=bool(_PICTURE.search(reason)),
    )
