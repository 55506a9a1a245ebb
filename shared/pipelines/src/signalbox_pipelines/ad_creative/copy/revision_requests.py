"""Revision requests recognised by keywords in the reason of a rejection, in English and Vietnamese. Pure."""

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


class RevisionRequest(Struct, frozen=True, kw_only=True):
    """What the next version of a variant should change. Tags are those of `CopyIdea`."""

    preferred_tags: frozenset[str]
    avoided_tags: frozenset[str]
    shorter: bool
    another_picture: bool


def parse_revision_request(reason: str) -> RevisionRequest:
    """Find the known keywords; a reason without any gives an empty request."""
    avoided = {
        tag for tag, words in _TAGS.items() if re.search(rf"{_NEGATION}(?:{words})\b", reason, re.IGNORECASE)
    }
    mentioned = {tag for tag, words in _TAGS.items() if re.search(rf"\b(?:{words})\b", reason, re.IGNORECASE)}
    return RevisionRequest(
        preferred_tags=frozenset(mentioned - avoided),
        avoided_tags=frozenset(avoided),
        shorter=bool(_SHORTER.search(reason)),
        another_picture=bool(_PICTURE.search(reason)),
    )
