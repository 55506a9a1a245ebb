"""Finds the product in the JSON-LD of a page. The structure of the data is not trusted."""

import json
from collections.abc import Iterator
from typing import Final

_MAX_CHARS: Final = 300_000
Node = dict[str, object]


def find_product(scripts: list[str]) -> Node:
    """Return the first node whose type ends in `Product`; an empty node if there is none."""
    for script in scripts:
        try:
            tree = json.loads(script[:_MAX_CHARS])
        except (ValueError, RecursionError):
            continue
        for node in _nodes(tree, depth=0):
            kinds = node.get("@type")
            names = kinds if isinstance(kinds, list) else [kinds]
            if any(
                isinstance(name, str) and name.removeprefix("http://schema.org/").endswith("Product")
                for name in names
            ):
                return node
    return {}


def text_at(node: Node, *path: str) -> str:
    """Return the text at a path. Of a list the first item counts, of a node its name or URL."""
    value: object = node
    for name in path:
        value = _first(value)
        value = value.get(name) if isinstance(value, dict) else None
    value = _first(value)
    if isinstance(value, dict):
        value = value.get("name") or value.get("url") or value.get("@id")
    return " ".join(str(value).split()) if isinstance(value, str | int | float) else ""


def texts_at(node: Node, name: str) -> list[str]:
    """Return the texts of a list, or the single text."""
    value = node.get(name)
    items = value if isinstance(value, list) else [value]
    return [text for item in items if (text := text_at({"item": item}, "item"))]


def _nodes(tree: object, depth: int) -> Iterator[Node]:
    if depth > 6:
        return
    if isinstance(tree, list):
        for item in tree:
            yield from _nodes(item, depth + 1)
    elif isinstance(tree, dict):
        yield tree
        for name in ("@graph", "mainEntity", "itemListElement", "item"):
            if name in tree:
                yield from _nodes(tree[name], depth + 1)


def _first(value: object) -> object:
    return (value[0] if value else None) if isinstance(value, list) else value
