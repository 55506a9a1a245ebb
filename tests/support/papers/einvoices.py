"""Electronic invoices of our own making: CII of three versions, UBL, and PDFs that carry them."""

import io
from datetime import UTC, datetime
from xml.sax.saxutils import escape

import pypdfium2 as pdfium
from fpdf import FPDF
from msgspec import Struct

MADE_AT = datetime(2026, 1, 1, tzinfo=UTC)
CII = "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"
ZUGFERD_1 = "urn:ferd:CrossIndustryDocument:invoice:1p0"
ORDER_X = "urn:un:unece:uncefact:data:SCRDMCCBDACIOMessageStructure:100"
UBL = "urn:oasis:names:specification:ubl:schema:xsd"


class StatedInvoice(Struct, frozen=True, kw_only=True):
    """What the XML states."""

    number: str = "471102"
    type_code: str = "380"
    issued: str = "2026-03-05"
    due: str = "2026-04-04"
    currency: str = "EUR"
    seller: str = "Lieferant GmbH"
    seller_vat: str = "DE136695976"
    buyer: str = "Kunden & Söhne AG"
    iban: str = "DE89370400440532013000"
    net: str = "473.00"
    tax: str = "56.87"
    gross: str = "529.87"


class _Names(Struct, frozen=True, kw_only=True):
    """The names that differ between the versions of CII."""

    namespace: str
    root: str
    head: str = "ExchangedDocument"
    part: str = "Header"
    money: str = "HeaderMonetarySummation"
    prefix: str = ""


def cii_xml(invoice: StatedInvoice) -> bytes:
    """Factur-X and ZUGFeRD 2, profile EN 16931."""
    return _cii(invoice, _Names(namespace=CII, root="CrossIndustryInvoice"))


def zugferd_1_xml(invoice: StatedInvoice) -> bytes:
    """ZUGFeRD 1, whose elements have other names."""
    names = _Names(
        namespace=ZUGFERD_1,
        root="CrossIndustryDocument",
        head="HeaderExchangedDocument",
        part="SupplyChain",
        money="MonetarySummation",
        prefix="Specified",
    )
    return _cii(invoice, names)


def order_xml(invoice: StatedInvoice) -> bytes:
    """Order-X."""
    names = _Names(namespace=ORDER_X, root="SCRDMCCBDACIOMessageStructure")
    return _cii(invoice, names).replace(b"InvoiceCurrencyCode", b"OrderCurrencyCode")


def ubl_xml(invoice: StatedInvoice, *, root: str = "Invoice") -> bytes:
    """UBL 2.1 as Peppol and XRechnung use it, without an XML declaration."""
    money = f'currencyID="{invoice.currency}"'
    return f"""<{root} xmlns="{UBL}:{root}-2"
 xmlns:cac="{UBL}:CommonAggregateComponents-2" xmlns:cbc="{UBL}:CommonBasicComponents-2">
<cbc:CustomizationID>urn:cen.eu:en16931:2017</cbc:CustomizationID><cbc:ID>{invoice.number}</cbc:ID>
<cbc:IssueDate>{invoice.issued}</cbc:IssueDate><cbc:DueDate>{invoice.due}</cbc:DueDate>
<cbc:{root}TypeCode>{invoice.type_code}</cbc:{root}TypeCode>
<cbc:DocumentCurrencyCode>{invoice.currency}</cbc:DocumentCurrencyCode>
<cac:AccountingSupplierParty><cac:Party><cac:PartyName>
<cbc:Name>{escape(invoice.seller)}</cbc:Name></cac:PartyName>
<cac:PartyTaxScheme><cbc:CompanyID>{invoice.seller_vat}</cbc:CompanyID>
<cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme></cac:PartyTaxScheme></cac:Party>
</cac:AccountingSupplierParty>
<cac:AccountingCustomerParty><cac:Party><cac:PartyLegalEntity>
<cbc:RegistrationName>{escape(invoice.buyer)}</cbc:RegistrationName></cac:PartyLegalEntity></cac:Party>
</cac:AccountingCustomerParty><cac:PaymentMeans><cac:PayeeFinancialAccount><cbc:ID>{invoice.iban}</cbc:ID>
</cac:PayeeFinancialAccount></cac:PaymentMeans><cac:TaxTotal>
<cbc:TaxAmount {money}>{invoice.tax}</cbc:TaxAmount>
</cac:TaxTotal><cac:LegalMonetaryTotal><cbc:TaxExclusiveAmount {money}>{invoice.net}</cbc:TaxExclusiveAmount>
<cbc:TaxInclusiveAmount {money}>{invoice.gross}</cbc:TaxInclusiveAmount>
<cbc:PayableAmount {money}>{invoice.gross}</cbc:PayableAmount></cac:LegalMonetaryTotal>
<cac:{root}Line><cbc:ID>1</cbc:ID></cac:{root}Line></{root}>""".encode()


def pdf_with(attachments: dict[str, bytes], lines: list[str]) -> bytes:
    """A PDF of one page with attached files."""
    pdf = FPDF()
    pdf.set_creation_date(MADE_AT)
    pdf.add_page()
    pdf.set_font("Helvetica", size=11)
    for line in lines:
        pdf.cell(0, 7, line, new_x="LMARGIN", new_y="NEXT")
    for name, body in attachments.items():
        pdf.embed_file(bytes=body, basename=name, creation_date=MADE_AT, modification_date=MADE_AT)
    return bytes(pdf.output())


def attach(body: bytes, attachments: dict[str, bytes]) -> bytes:
    """The PDF with attached files."""
    document = pdfium.PdfDocument(body)
    for name, content in attachments.items():
        document.new_attachment(name).set_data(content)
    buffer = io.BytesIO()
    document.save(buffer)
    document.close()
    return buffer.getvalue()


def _cii(invoice: StatedInvoice, names: _Names) -> bytes:
    part, money, prefix = names.part, names.money, names.prefix

    def day(text: str) -> str:
        return f'<udt:DateTimeString format="102">{text.replace("-", "")}</udt:DateTimeString>'

    def applicable(name: str, content: str) -> str:
        return f"<ram:Applicable{part}Trade{name}>{content}</ram:Applicable{part}Trade{name}>"

    aggregate = "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100"
    agreement = f"""<ram:SellerTradeParty><ram:Name>{escape(invoice.seller)}</ram:Name>
<ram:SpecifiedTaxRegistration><ram:ID schemeID="FC">201/113/40209</ram:ID></ram:SpecifiedTaxRegistration>
<ram:SpecifiedTaxRegistration><ram:ID schemeID="VA">{invoice.seller_vat}</ram:ID>
</ram:SpecifiedTaxRegistration></ram:SellerTradeParty>
<ram:BuyerTradeParty><ram:Name>{escape(invoice.buyer)}</ram:Name></ram:BuyerTradeParty>"""
    settlement = f"""<ram:InvoiceCurrencyCode>{invoice.currency}</ram:InvoiceCurrencyCode>
<ram:SpecifiedTradeSettlementPaymentMeans><ram:PayeePartyCreditorFinancialAccount>
<ram:IBANID>{invoice.iban}</ram:IBANID>
</ram:PayeePartyCreditorFinancialAccount></ram:SpecifiedTradeSettlementPaymentMeans>
<ram:SpecifiedTradePaymentTerms><ram:DueDateDateTime>{day(invoice.due)}</ram:DueDateDateTime>
</ram:SpecifiedTradePaymentTerms><ram:SpecifiedTradeSettlement{money}>
<ram:TaxBasisTotalAmount>{invoice.net}</ram:TaxBasisTotalAmount>
<ram:TaxTotalAmount currencyID="{invoice.currency}">{invoice.tax}</ram:TaxTotalAmount>
<ram:GrandTotalAmount>{invoice.gross}</ram:GrandTotalAmount>
<ram:DuePayableAmount>{invoice.gross}</ram:DuePayableAmount></ram:SpecifiedTradeSettlement{money}>"""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!-- A comment may stand first. -->
<rsm:{names.root} xmlns:rsm="{names.namespace}" xmlns:ram="{aggregate}"
 xmlns:udt="urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100">
<rsm:{prefix}ExchangedDocumentContext><ram:GuidelineSpecifiedDocumentContextParameter>
<ram:ID>urn:cen.eu:en16931:2017</ram:ID></ram:GuidelineSpecifiedDocumentContextParameter>
</rsm:{prefix}ExchangedDocumentContext><rsm:{names.head}><ram:ID>{invoice.number}</ram:ID>
<ram:TypeCode>{invoice.type_code}</ram:TypeCode><ram:IssueDateTime>{day(invoice.issued)}</ram:IssueDateTime>
</rsm:{names.head}><rsm:{prefix}SupplyChainTradeTransaction><ram:IncludedSupplyChainTradeLineItem/>
{applicable("Agreement", agreement)}{applicable("Delivery", "")}{applicable("Settlement", settlement)}
</rsm:{prefix}SupplyChainTradeTransaction></rsm:{names.root}>""".encode()
