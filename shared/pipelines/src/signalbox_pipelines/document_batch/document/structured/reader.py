"""Reading an electronic invoice: from an XML document, or from the attachment of a PDF. Pure."""

import re
from collections.abc import Sequence
from typing import Final

from msgspec import Struct, structs

from signalbox_core.errors import Rejected
from signalbox_core.formats.xml import parse_xml
from signalbox_pipelines.document_batch.document.structured import cii, ubl
from signalbox_pipelines.document_batch.document.structured.model import MAX_VALUE_CHARS, EInvoice, TradeParty

MAX_XML_BYTES: Final = 10_000_000
KNOWN_NAMES: Final = ("factur-x.xml", "xrechnung.xml", "zugferd-invoice.xml", "order-x.xml")
"""Names of the attachment that the standards prescribe, in lower case."""
_HEAD_BYTES: Final = 20_000
"""Comments, such as a licence, may stand before the root element."""
_ROOT: Final = re.compile(rb"<(?:[\w.-]{1,40}:)?([A-Za-z]{1,60})[\s>/]")
_BEFORE_ROOT: Final = ((b"<!--", b"-->"), (b"<?", b"?>"))


class StructuredData(Struct, frozen=True, kw_only=True):
    """The invoice that a document states as data, or the reason why it could not be read."""

    invoice: EInvoice | None = None
    problem: str | None = None


def is_einvoice(body: bytes) -> bool:
    """Whether the root element is that of an electronic invoice or order. Does not parse."""
    head = body[:_HEAD_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n")
    root = _root_name(head) if head.startswith(b"<") else ""
    return root in cii.ROOTS or (root in ubl.ROOTS and ubl.NAMESPACE.encode() in head)


def read_einvoice(body: bytes, source: str) -> EInvoice:
    """Read an electronic invoice or order.

    Args:
        source: the name of the attachment or document.

    Raises:
        Rejected: `damaged_document`: it is no XML, or no invoice of a known syntax, or too large.
    """
    if len(body) > MAX_XML_BYTES:
        raise _damaged(f"{source} has more than {MAX_XML_BYTES:,} bytes")
    try:
        root = parse_xml(body)
    except Rejected as error:
        raise _damaged(f"{source} cannot be read: {error.detail}") from error
    if root.name in cii.ROOTS:
        return _bounded(cii.read_cii(root, source))
    if root.name in ubl.ROOTS:
        return _bounded(ubl.read_ubl(root, source))
    raise _damaged(f"{source} is no UBL or CII invoice or order")


def read_attachment(attachments: Sequence[tuple[str, bytes]]) -> StructuredData:
    """Read the first attachment that is an electronic invoice; names of the standards come first."""
    ordered = sorted(attachments, key=lambda item: item[0].lower() not in KNOWN_NAMES)
    for name, body in ordered:
        if name.lower() in KNOWN_NAMES or is_einvoice(body):
            try:
                return StructuredData(invoice=read_einvoice(body, name))
            except Rejected as error:
                return StructuredData(problem=error.detail)
    return StructuredData()


def _root_name(head: bytes) -> str:
    """Return the local name of the first element; empty when there is none within `head`."""
    position = head.find(b"<")
    while position >= 0:
        end = next((close for start, close in _BEFORE_ROOT if head.startswith(start, position)), None)
        if end is None:
            root = _ROOT.match(head, position)
            return root[1].decode() if root else ""
        closed = head.find(end, position)
        position = head.find(b"<", closed) if closed >= 0 else -1
    return ""


def _damaged(detail: str) -> Rejected:
    return Rejected(detail, field="url", code="damaged_document")


def _bounded(invoice: EInvoice) -> EInvoice:
    """Cut every value to a length that no real one exceeds."""
    cut = {
        name: _cut(value)
        for name, value in structs.asdict(invoice).items()
        if isinstance(value, str | TradeParty)
    }
    accounts = tuple(account[:MAX_VALUE_CHARS] for account in invoice.accounts[:20])
    return structs.replace(invoice, **cut, accounts=accounts)


def _cut(value: str | TradeParty) -> str | TradeParty:
    if isinstance(value, str):
        return value[:MAX_VALUE_CHARS]
    fields = structs.asdict(value)
    return TradeParty(**{name: text[:MAX_VALUE_CHARS] if text else None for name, text in fields.items()})
