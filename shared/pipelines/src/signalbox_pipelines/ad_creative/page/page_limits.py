"""Limits on a page, checked by one linear scan before the HTML parser, which is quadratic beyond them. Pure.

The scan reads tags as the HTML tokenizer does, but builds no tree: elements with an optional end tag do not
count as nesting, since most pages leave them open.
"""

import re
from typing import Final

from signalbox_core.errors import Rejected

MAX_DEPTH: Final = 512
MAX_ATTRIBUTES: Final = 256
MAX_ELEMENTS: Final = 100_000
_NOT_NESTING: Final = frozenset(
    b"area base br col embed hr img input link meta param source track wbr"
    b" html head body p li dt dd option optgroup thead tbody tfoot tr td th colgroup rb rt rtc rp"
    b" path circle rect line polygon polyline ellipse use stop".split()
)
_RAW_TEXT: Final = frozenset(b"script style textarea title xmp iframe noembed noframes".split())
_TAG: Final = re.compile(rb"<(!--|/?)([a-zA-Z][^\s/>]{0,60})?")
_ATTRIBUTE: Final = re.compile(
    rb"""[\s/]*+([^\s/>=][^\s/>=]*+|=)?(?:\s*+=\s*+(?:"[^"]*+"?|'[^']*+'?|[^\s>"'][^\s>]*+))?"""
)


def check_page_limits(body: bytes, url: str) -> None:
    """Check depth, attributes of one element, and number of elements.

    Raises:
        Rejected: `page_too_complex`; the message names the limit.
    """
    position, depth, elements = 0, 0, 0
    while (tag := _TAG.search(body, position)) is not None:
        if tag[1] == b"!--":
            position = _end_of(body, b"-->", tag.end())
        elif tag[2] is None:
            position = tag.end()
        elif tag[1]:
            position = _end_of(body, b">", tag.end())
            depth -= depth > 0 and tag[2].lower() not in _NOT_NESTING
        else:
            position, nests = _skip_element(body, tag[2].lower(), tag.end(), url)
            depth, elements = depth + nests, elements + 1
            _check_totals(depth, elements, url)


def _check_totals(depth: int, elements: int, url: str) -> None:
    if depth > MAX_DEPTH:
        raise _too_complex(url, f"nests elements deeper than {MAX_DEPTH} levels")
    if elements > MAX_ELEMENTS:
        raise _too_complex(url, f"has more than {MAX_ELEMENTS:,} elements")


def _skip_element(body: bytes, name: bytes, position: int, url: str) -> tuple[int, bool]:
    """Return the end of the start tag, or of the raw text after it, and whether the element nests others."""
    position = _skip_attributes(body, position, url)
    if name in _RAW_TEXT:
        return _end_of_raw_text(body, name, position), False
    return position, name not in _NOT_NESTING


def _skip_attributes(body: bytes, position: int, url: str) -> int:
    """Return the end of the tag."""
    attributes = 0
    while (found := _ATTRIBUTE.match(body, position)) is not None and found.end() > position:
        position = found.end()
        attributes += found[1] is not None
        if attributes > MAX_ATTRIBUTES:
            raise _too_complex(url, f"has an element with more than {MAX_ATTRIBUTES} attributes")
    return position + 1


def _end_of(body: bytes, mark: bytes, position: int) -> int:
    end = body.find(mark, position)
    return len(body) if end < 0 else end + len(mark)


def _end_of_raw_text(body: bytes, name: bytes, position: int) -> int:
    end = re.compile(b"</" + re.escape(name), re.IGNORECASE).search(body, position)
    return len(body) if end is None else _end_of(body, b">", end.end())


def _too_complex(url: str, what: str) -> Rejected:
    return Rejected(f"{url} {what}; use a simpler page of the product", field="url", code="page_too_complex")
