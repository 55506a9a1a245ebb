"""Plain text from text that may contain entities and tags, also escaped twice. Pure and linear."""

import html
import re
from typing import Final

_TAG: Final = re.compile(r"</?[A-Za-z][^<>]{0,500}>|<!--[^<>]{0,500}-->")
_MAX_PASSES: Final = 3


def plain_text(text: str) -> str:
    """Decode entities, remove tags and join whitespace."""
    for _ in range(_MAX_PASSES):
        decoded = _TAG.sub(" ", html.unescape(text))
        if decoded == text:
            break
        text = decoded
    return " ".join(text.split())
