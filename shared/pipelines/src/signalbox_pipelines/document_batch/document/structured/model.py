"""What an electronic invoice or order states as data, as written. Values are validated as facts."""

from typing import Literal

from msgspec import Struct

from signalbox_pipelines.document_batch.document.contract import Kind

Syntax = Literal["CII", "UBL"]
MAX_VALUE_CHARS = 200


class TradeParty(Struct, frozen=True, kw_only=True):
    name: str | None = None
    vat: str | None = None
    tax_number: str | None = None
    email: str | None = None
    phone: str | None = None


class EInvoice(Struct, frozen=True, kw_only=True):
    """The header of an electronic invoice, credit note or order.

    Attributes:
        source: the name of the attachment, or of the document itself.
        profile: the guideline it follows, for example `urn:cen.eu:en16931:2017`.
        type_code: of UNTDID 1001: 380 is an invoice, 381 a credit note.
        net, tax, gross, payable: totals in `currency`, as decimal numbers.
        lines: how many items it lists.
    """

    syntax: Syntax
    source: str
    kind: Kind
    profile: str | None = None
    type_code: str | None = None
    number: str | None = None
    currency: str | None = None
    issued_on: str | None = None
    delivered_on: str | None = None
    due_on: str | None = None
    seller: TradeParty = TradeParty()
    buyer: TradeParty = TradeParty()
    accounts: tuple[str, ...] = ()
    net: str | None = None
    tax: str | None = None
    gross: str | None = None
    payable: str | None = None
    lines: int = 0
