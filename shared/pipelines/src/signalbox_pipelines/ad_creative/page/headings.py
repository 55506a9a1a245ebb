"""The heading of the product among the headings of a page, and short texts of elements. Pure."""

from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

_MAX_HEADINGS: Final = 20
_MAX_CHARS: Final = 300


def find_heading(tree: LexborHTMLParser, product: str) -> LexborNode | None:
    """Return the heading that shares most words with the product's name or title, the first of equals."""
    words = set(product.lower().split())

    def shared_words(heading: LexborNode) -> int:
        return len(words & set(short_text(heading, _MAX_CHARS).lower().split()))

    return max(tree.css("h1")[:_MAX_HEADINGS], key=shared_words, default=None)


def short_text(element: LexborNode, longest: int) -> str:
    """Return the text of an element; empty when it is longer. Stops early in large elements."""
    parts: list[str] = []
    length = 0
    for node in element.traverse(include_text=True):
        if node.tag == "-text" and node.parent is not None and node.parent.tag not in ("script", "style"):
            text = " ".join((node.text_content or "").split())
            length += len(text)
            if length > longest:
                return ""
            if text:
                parts.append(text)
    return " ".join(parts)
