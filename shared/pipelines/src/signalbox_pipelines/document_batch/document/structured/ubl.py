"""Universal Business Language of OASIS: invoices and credit notes (Peppol, XRechnung in UBL), and orders."""

from typing import Final

from stdnum import iban

from signalbox_core.formats.xml import XmlElement
from signalbox_pipelines.document_batch.document.structured.model import EInvoice, TradeParty

INVOICE_ROOTS: Final = ("Invoice", "CreditNote")
ROOTS: Final = frozenset({*INVOICE_ROOTS, "Order"})
NAMESPACE: Final = "urn:oasis:names:specification:ubl:schema:xsd:"


def read_ubl(root: XmlElement, source: str) -> EInvoice:
    """Read the header. What is absent is None."""
    currency = root.child("DocumentCurrencyCode").text
    money = root.child("LegalMonetaryTotal", "AnticipatedMonetaryTotal")
    tax = [amount for total in root.children("TaxTotal") for amount in total.children("TaxAmount")]
    due_on = root.child("DueDate").text or root.at("PaymentMeans", "PaymentDueDate").text
    return EInvoice(
        syntax="UBL",
        source=source,
        kind="invoice" if root.name in INVOICE_ROOTS else "other",
        profile=root.child("CustomizationID").text,
        type_code=root.child("InvoiceTypeCode", "CreditNoteTypeCode", "OrderTypeCode").text,
        number=root.child("ID").text,
        currency=currency,
        issued_on=root.child("IssueDate").text,
        delivered_on=root.at("Delivery", "ActualDeliveryDate").text,
        due_on=due_on,
        seller=_party(root.child("AccountingSupplierParty", "SellerSupplierParty").child("Party")),
        buyer=_party(root.child("AccountingCustomerParty", "BuyerCustomerParty").child("Party")),
        accounts=_accounts(root),
        net=money.child("TaxExclusiveAmount").text,
        tax=next((amount.text for amount in tax if amount.attribute("currencyID") == currency), None),
        gross=money.child("TaxInclusiveAmount").text,
        payable=money.child("PayableAmount").text,
        lines=len(list(root.children("InvoiceLine", "CreditNoteLine", "OrderLine"))),
    )


def _party(party: XmlElement) -> TradeParty:
    contact = party.child("Contact")
    vat = tax_number = None
    for scheme in party.children("PartyTaxScheme"):
        if (scheme.at("TaxScheme", "ID").text or "").upper() == "VAT":
            vat = vat or scheme.child("CompanyID").text
        else:
            tax_number = tax_number or scheme.child("CompanyID").text
    return TradeParty(
        name=party.at("PartyName", "Name").text or party.at("PartyLegalEntity", "RegistrationName").text,
        vat=vat,
        tax_number=tax_number,
        email=contact.child("ElectronicMail").text,
        phone=contact.child("Telephone").text,
    )


def _accounts(root: XmlElement) -> tuple[str, ...]:
    """Return the accounts that are IBANs; UBL also names accounts of other countries there."""
    found = [element.text for element in root.all_at("PaymentMeans", "PayeeFinancialAccount", "ID")]
    return tuple(dict.fromkeys(text for text in found if text and iban.is_valid(text)))
