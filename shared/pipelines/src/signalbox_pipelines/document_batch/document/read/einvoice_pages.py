"""An electronic invoice as one page of text, so that people can read it and facts have a place."""

from collections.abc import Iterator
from typing import Final

from signalbox_pipelines.document_batch.document.read.pages import PageContent
from signalbox_pipelines.document_batch.document.structured.model import EInvoice, TradeParty
from signalbox_pipelines.document_batch.document.structured.reader import read_einvoice

_TITLES: Final = {"381": "Credit note", "261": "Credit note", "396": "Credit note"}


class EInvoicePages:
    """The one page of an XML invoice.

    Raises:
        Rejected: `damaged_document`.
    """

    page_count = 1

    def __init__(self, body: bytes, name: str) -> None:
        self._text = "\n".join(_lines(read_einvoice(body, name)))

    def content(self, index: int) -> PageContent:  # noqa: ARG002 - required by the protocol
        return PageContent(text=self._text, needs_ocr=False)

    def ocr_image(self, index: int) -> bytes:
        raise ValueError(f"page {index} is data and has no image")

    def preview(self, index: int) -> None:
        """Data has no layout to show."""

    def close(self) -> None:
        """Nothing is held open."""


def _lines(invoice: EInvoice) -> Iterator[str]:
    title = _TITLES.get(invoice.type_code or "", "Invoice" if invoice.kind == "invoice" else "Order")
    yield f"{title} {invoice.number or ''}".strip()
    yield from _present({"Date": invoice.issued_on, "Delivered": invoice.delivered_on, "Due": invoice.due_on})
    yield from _party("Seller", invoice.seller)
    yield from _party("Buyer", invoice.buyer)
    currency = invoice.currency or ""
    totals = {
        "Without tax": invoice.net,
        "Tax": invoice.tax,
        "With tax": invoice.gross,
        "Amount due": invoice.payable,
    }
    yield from _present(
        {name: f"{amount} {currency}".strip() if amount else None for name, amount in totals.items()}
    )
    yield from (f"Account: {account}" for account in invoice.accounts)
    yield from _present({"Items": str(invoice.lines), "Profile": invoice.profile})


def _party(role: str, party: TradeParty) -> Iterator[str]:
    yield from _present({role: party.name, "VAT number": party.vat, "Tax number": party.tax_number})
    yield from _present({"E-mail": party.email, "Telephone": party.phone})


def _present(values: dict[str, str | None]) -> Iterator[str]:
    yield from (f"{name}: {value}" for name, value in values.items() if value)
