"""Plain text from text that may contain entities and tags, also escaped twice. Pure and linear."""

import html
import re
from typing import Final

from signalbox_pipelines.ad_creative.design.scripts import is_private

_TAG: Final = re.compile(r"</?[A-Za-z][^<>]{0,500}>|<!--[^<>]{0,500}-->")
_MAX_PASSES: Final = 3


def plain_text(text: str) -> str:
    """Decode entities, remove tags and join whitespace."""
    for _ in range(_MAX_PASSES):
        decoded = _TAG.sub(" ", html.unescape(text))
        if decoded == text:
            break
        text = decoded
    return without_private(" ".join(text.split()))


def without_private(text: str) -> str:
    """Remove characters that are icons of a web font (private use), controls or unassigned."""
    return text if text.isascii() else "".join(sign for sign in text if not is_private(sign)).strip()
