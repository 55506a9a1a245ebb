"""The signed original of an invoice: extracted from its ZIP and parsed. Pure.

The schema is that of Decree 123 / Circular 78; elements are found by local name. No entity is resolved,
and a document type declaration is rejected, because no signed invoice has one.
"""

import io
import struct
import zipfile
import zlib
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Final

from msgspec import Struct

from signalbox_core.errors import Rejected
from signalbox_core.formats.xml import InvalidXml, XmlElement, parse_xml
from signalbox_pipelines.invoice_import.portal.faults import UnexpectedResponse
from signalbox_pipelines.invoice_import.portal.rows import RateAmount, rate_amount

MEMBER: Final = "invoice.xml"
MAX_XML_BYTES: Final = 20_000_000
MAX_MEMBERS: Final = 50
_ZIP_ERRORS: Final = (
    *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError),
    # An offset before the file, a name in no encoding, a date outside the format.
    *(ValueError, OverflowError, struct.error),
)


class BadOriginal(Rejected):
    """The file is damaged or not an invoice; it is quarantined and counts as failed."""

    code = "bad_original"


class Original(Struct, frozen=True, kw_only=True):
    """The content of the signed XML. Amounts are in `currency`; None where the invoice has none."""

    seller: str
    form: int
    series: str
    number: int
    issued_on: date
    buyer: str | None
    currency: str
    net: Decimal | None
    tax: Decimal | None
    gross: Decimal | None
    rates: tuple[RateAmount, ...]
    lines: int


def extract_xml(archive: bytes) -> bytes:
    """Extract the signed XML from an export.

    Raises:
        UnexpectedResponse: not a ZIP.
        BadOriginal: the ZIP is damaged, or contains no invoice.
    """
    if not archive.startswith(b"PK"):
        raise UnexpectedResponse("the portal's export is not a ZIP; its format has changed")
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as found:
            members = [
                item for item in found.infolist()[:MAX_MEMBERS] if item.filename.rpartition("/")[2] == MEMBER
            ]
            if not members:
                raise BadOriginal(f"the export contains no {MEMBER}")
            with found.open(members[0]) as member:
                body = member.read(MAX_XML_BYTES + 1)
    except _ZIP_ERRORS as error:
        raise BadOriginal(f"the export is a damaged ZIP ({type(error).__name__})") from error
    if len(body) > MAX_XML_BYTES:
        raise BadOriginal(f"the invoice has more than {MAX_XML_BYTES:,} bytes")
    return body


def read_original(body: bytes) -> Original:
    """Parse the XML.

    Raises:
        BadOriginal: it is not well formed, declares a document type, or lacks a mandatory element.
    """
    try:
        root = parse_xml(body)
    except InvalidXml as error:
        raise BadOriginal(f"the invoice cannot be read: {error.detail}") from error
    invoice = _child(root, "DLHDon")
    general, content = _child(invoice, "TTChung"), _child(invoice, "NDHDon")
    seller, totals = _child(content, "NBan"), content.child("TToan")
    try:
        return Original(
            seller=_required(seller, "MST"),
            form=int(_required(general, "KHMSHDon")),
            series=_required(general, "KHHDon"),
            number=int(_required(general, "SHDon")),
            issued_on=date.fromisoformat(_required(general, "NLap")[:10]),
            buyer=content.at("NMua", "MST").text,
            currency=general.child("DVTTe").text or "VND",
            net=_amount(totals, "TgTCThue"),
            tax=_amount(totals, "TgTThue"),
            gross=_amount(totals, "TgTTTBSo"),
            rates=_rates(totals),
            lines=len(list(content.child("DSHHDVu").children("HHDVu"))),
        )
    except (ValueError, InvalidOperation) as error:
        raise BadOriginal(f"the invoice has an invalid value: {str(error)[:120]}") from error


def _rates(totals: XmlElement) -> tuple[RateAmount, ...]:
    return tuple(
        rate_amount(item.child("TSuat").text, _amount(item, "ThTien"), _amount(item, "TThue"))
        for item in totals.child("THTTLTSuat").children("LTSuat")
    )


def _child(parent: XmlElement, name: str) -> XmlElement:
    found = parent.child(name)
    if not found:
        raise BadOriginal(f"the invoice has no {name}")
    return found


def _required(parent: XmlElement, name: str) -> str:
    text = parent.child(name).text
    if text is None:
        raise BadOriginal(f"the invoice has no {name}")
    return text


def _amount(parent: XmlElement, name: str) -> Decimal | None:
    text = parent.child(name).text
    if text is None:
        return None
    value = Decimal(text)
    if not value.is_finite():
        raise ValueError(f"{name} is {text[:20]}")
    return value
