"""Products in a page's microdata (`itemprop`) and RDFa (`property`), in the form of JSON-LD nodes."""

from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from signalbox_pipelines.ad_creative.page.linked_data import Node

_MAX_PROPERTIES: Final = 400
_MAX_ANCESTORS: Final = 60
_SYNTAXES: Final = (
    ("itemprop", "itemscope", '[itemtype*="schema.org/Product"], [itemtype*="schema.org/IndividualProduct"]'),
    ("property", "typeof", '[typeof="Product"], [typeof="schema:Product"]'),
)
_VALUES: Final = ("content", "href", "src", "datetime", "value")


def find_marked_products(tree: LexborHTMLParser) -> list[Node]:
    """Return the products that the page marks up, in its order."""
    return [_read(scope, name, nested) for name, nested, query in _SYNTAXES for scope in tree.css(query)[:10]]


def _read(scope: LexborNode, name: str, nested: str) -> Node:
    """Return the properties of a scope; a nested scope becomes a node of its own."""
    product: Node = {}
    nodes: dict[int, Node] = {scope.mem_id: product}
    for element in scope.css(f"[{name}]")[:_MAX_PROPERTIES]:
        owner = nodes.get(_owner_id(element, nested))
        names = (element.attributes.get(name) or "").split()
        if owner is None or element.mem_id == scope.mem_id:
            continue
        value: object = _value(element)
        if nested in element.attributes:
            value = nodes.setdefault(element.mem_id, {"name": ""})
        for key in names:
            _add(owner, key.rpartition(":")[2], value)
    return product


def _add(node: Node, name: str, value: object) -> None:
    known = node.get(name)
    if not known:
        node[name] = value
    elif isinstance(known, list):
        known.append(value)
    else:
        node[name] = [known, value]


def _owner_id(element: LexborNode, nested: str) -> int:
    """Return the id of the nearest enclosing scope; 0 when it is too far away."""
    parent = element.parent
    for _ in range(_MAX_ANCESTORS):
        if parent is None:
            return 0
        if nested in parent.attributes:
            return int(parent.mem_id)
        parent = parent.parent
    return 0


def _value(element: LexborNode) -> str:
    for name in _VALUES:
        if given := element.attributes.get(name):
            return given
    return " ".join(element.text(separator=" ").split())[:2_000]
