"""Parsing XML from outside: no entity is resolved, nothing is loaded, and a document type is rejected.

Elements are found by local name, since senders choose prefixes and versions of a format differ in namespace.
"""

from collections.abc import Iterator
from typing import Any, Final

from lxml import etree

from signalbox_core.errors import Rejected

_MAX_DETAIL_CHARS: Final = 120


class InvalidXml(Rejected):
    """The bytes are not well-formed XML, or declare a document type."""

    code = "invalid_xml"


class XmlElement:
    """An element, or the absence of one: every look-up below an absent element is absent."""

    def __init__(self, node: Any) -> None:
        self._node = node

    def __bool__(self) -> bool:
        return self._node is not None

    @property
    def name(self) -> str:
        """The local name; empty for an absent element."""
        return str(etree.QName(self._node).localname) if self else ""

    @property
    def text(self) -> str | None:
        """The text before the first child, stripped; None when there is none."""
        return (self._node.text or "").strip() or None if self else None

    def attribute(self, name: str) -> str | None:
        value = self._node.get(name) if self else None
        return str(value).strip() or None if value is not None else None

    def children(self, *names: str) -> Iterator["XmlElement"]:
        """The child elements of any of the local names."""
        for node in self._node if self else ():
            if isinstance(node.tag, str) and etree.QName(node).localname in names:
                yield XmlElement(node)

    def child(self, *names: str) -> "XmlElement":
        """The first child element of any of the local names."""
        return next(self.children(*names), ABSENT)

    def at(self, *path: str) -> "XmlElement":
        """The element at a path of local names, the first one on each level."""
        found = self
        for name in path:
            found = found.child(name)
        return found

    def all_at(self, *path: str) -> list["XmlElement"]:
        """All elements at a path of local names."""
        found = [self]
        for name in path:
            found = [child for element in found for child in element.children(name)]
        return found


ABSENT: Final = XmlElement(None)


def parse_xml(body: bytes) -> XmlElement:
    """Return the root element.

    Raises:
        InvalidXml: not well formed, nested too deeply, or with a document type declaration.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise InvalidXml(f"not well-formed XML: {str(error)[:_MAX_DETAIL_CHARS]}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise InvalidXml("the XML declares a document type (DOCTYPE)")
    return XmlElement(root)
