"""Products in the JSON-LD of a page, which is read leniently and not trusted.

Shops write it by hand: with line breaks inside strings, trailing commas, comments, and CDATA around it.
"""

import json
import re
from collections.abc import Iterator
from typing import Final

from signalbox_pipelines.ad_creative.page.plain_text import plain_text

_MAX_CHARS: Final = 300_000
_MAX_DEPTH: Final = 6
_KINDS: Final = ("Product", "ProductGroup", "IndividualProduct", "ProductModel", "SomeProducts")
_STRING_OR_NOISE: Final = re.compile(
    r'(?P<string>"(?:[^"\\]|\\.)*+"?)'
    r"|/\*(?:[^*]|\*(?!/))*+(?:\*/)?|//[^\n]*+|<!--|-->|<!\[CDATA\[|\]\]>"
    r"|(?P<comma>,\s*+(?=[}\]]))",
    re.DOTALL,
)
"""Strings and comments may lack their end: a search for it from each beginning would take quadratic time."""
Node = dict[str, object]


def find_products(scripts: list[str]) -> list[Node]:
    """Return every node that describes a product, in the order of the page."""
    return [node for script in scripts for node in _nodes(_parse(script), depth=0) if _is_product(node)]


def text_at(node: Node, *path: str) -> str:
    """Return the text at a path. Of a list the first item counts, of a node its name or URL."""
    value: object = node
    for name in path:
        value = first(value)
        value = value.get(name) if isinstance(value, dict) else None
    value = first(value)
    if isinstance(value, dict):
        value = value.get("name") or value.get("url") or value.get("@id") or value.get("contentUrl")
    return plain_text(str(value)) if isinstance(value, str | int | float) else ""


def texts_at(node: Node, name: str) -> list[str]:
    """Return the texts of a list, or the single text."""
    return [text for item in items_at(node, name) if (text := text_at({"item": item}, "item"))]


def items_at(node: Node, name: str) -> list[object]:
    """Return the items of a list, or the single value; none when the member is missing."""
    value = node.get(name)
    return value if isinstance(value, list) else [] if value is None else [value]


def first(value: object) -> object:
    return (value[0] if value else None) if isinstance(value, list) else value


def _parse(script: str) -> object:
    script = script[:_MAX_CHARS]
    for text in (script, _STRING_OR_NOISE.sub(lambda match: match["string"] or "", script).strip(" \t\r\n;")):
        try:
            return json.loads(text, strict=False)
        except (ValueError, RecursionError):
            continue
    return None


def _is_product(node: Node) -> bool:
    return any(
        isinstance(kind, str) and kind.rpartition("/")[2].rpartition(":")[2] in _KINDS
        for kind in items_at(node, "@type")
    )


def _nodes(tree: object, depth: int) -> Iterator[Node]:
    if depth > _MAX_DEPTH:
        return
    if isinstance(tree, list):
        for item in tree:
            yield from _nodes(item, depth + 1)
    elif isinstance(tree, dict):
        yield tree
        for name in ("@graph", "mainEntity", "itemListElement", "item", "hasVariant"):
            if name in tree:
                yield from _nodes(tree[name], depth + 1)
