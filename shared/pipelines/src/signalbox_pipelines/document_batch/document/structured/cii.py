"""Cross Industry Invoice of UN/CEFACT: Factur-X, ZUGFeRD 1 and 2, XRechnung in CII, and Order-X."""

from typing import Final

from signalbox_core.formats.xml import XmlElement
from signalbox_pipelines.document_batch.document.structured.model import EInvoice, TradeParty

INVOICE_ROOTS: Final = ("CrossIndustryInvoice", "CrossIndustryDocument")
ORDER_ROOT: Final = "SCRDMCCBDACIOMessageStructure"
ROOTS: Final = frozenset({*INVOICE_ROOTS, ORDER_ROOT})
_MONEY: Final = (
    "SpecifiedTradeSettlementHeaderMonetarySummation",
    "SpecifiedTradeSettlementMonetarySummation",
)


def read_cii(root: XmlElement, source: str) -> EInvoice:
    """Read the header. What is absent is None; the elements' names differ between versions."""
    head = root.child("ExchangedDocument", "HeaderExchangedDocument")
    trade = root.child("SupplyChainTradeTransaction", "SpecifiedSupplyChainTradeTransaction")
    agreement = trade.child("ApplicableHeaderTradeAgreement", "ApplicableSupplyChainTradeAgreement")
    delivery = trade.child("ApplicableHeaderTradeDelivery", "ApplicableSupplyChainTradeDelivery")
    settlement = trade.child("ApplicableHeaderTradeSettlement", "ApplicableSupplyChainTradeSettlement")
    currency = settlement.child("InvoiceCurrencyCode", "OrderCurrencyCode").text
    money = settlement.child(*_MONEY)
    context = root.child("ExchangedDocumentContext", "SpecifiedExchangedDocumentContext")
    return EInvoice(
        syntax="CII",
        source=source,
        kind="invoice" if root.name in INVOICE_ROOTS else "other",
        profile=context.at("GuidelineSpecifiedDocumentContextParameter", "ID").text,
        type_code=head.child("TypeCode").text,
        number=head.child("ID").text,
        currency=currency,
        issued_on=_date(head.child("IssueDateTime")),
        delivered_on=_date(delivery.at("ActualDeliverySupplyChainEvent", "OccurrenceDateTime")),
        due_on=_date(settlement.at("SpecifiedTradePaymentTerms", "DueDateDateTime")),
        seller=_party(agreement.child("SellerTradeParty")),
        buyer=_party(agreement.child("BuyerTradeParty")),
        accounts=_accounts(settlement),
        net=money.child("TaxBasisTotalAmount").text,
        tax=_in_currency(money, "TaxTotalAmount", currency),
        gross=_in_currency(money, "GrandTotalAmount", currency),
        payable=money.child("DuePayableAmount").text,
        lines=len(list(trade.children("IncludedSupplyChainTradeLineItem"))),
    )


def _date(holder: XmlElement) -> str | None:
    """Read a date of format 102, `20180605`; other text is kept as written."""
    text = holder.child("DateTimeString", "DateTime").text
    if text is not None and len(text) >= 8 and text[:8].isdigit():
        return f"{text[:4]}-{text[4:6]}-{text[6:8]}"
    return text


def _party(party: XmlElement) -> TradeParty:
    contact = party.child("DefinedTradeContact")
    email = contact.at("EmailURIUniversalCommunication", "URIID").text
    registrations = {
        number.attribute("schemeID"): number.text for number in party.all_at("SpecifiedTaxRegistration", "ID")
    }
    return TradeParty(
        name=party.child("Name").text,
        vat=registrations.get("VA"),
        tax_number=registrations.get("FC"),
        email=email or party.at("URIUniversalCommunication", "URIID").text,
        phone=contact.at("TelephoneUniversalCommunication", "CompleteNumber").text,
    )


def _accounts(settlement: XmlElement) -> tuple[str, ...]:
    path = ("SpecifiedTradeSettlementPaymentMeans", "PayeePartyCreditorFinancialAccount", "IBANID")
    found = [element.text for element in settlement.all_at(*path)]
    return tuple(dict.fromkeys(text for text in found if text))


def _in_currency(money: XmlElement, name: str, currency: str | None) -> str | None:
    """Return the amount in the invoice's currency; a second one may state the tax in another currency."""
    amounts = list(money.children(name))
    own = [amount for amount in amounts if amount.attribute("currencyID") in (None, currency)]
    return next((amount.text for amount in own), None)
