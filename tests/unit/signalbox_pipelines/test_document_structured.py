"""Electronic invoices: read from XML and from attachments, and their facts placed on the pages."""

import msgspec
import pytest

from signalbox_core.errors import Rejected
from signalbox_core.formats.xml import InvalidXml, parse_xml
from signalbox_pipelines.document_batch.document.activities import classify_text, with_stated_kind
from signalbox_pipelines.document_batch.document.extract.data_facts import (
    facts_of,
    unplaced_entity,
)
from signalbox_pipelines.document_batch.document.extract.window import find_in_window
from signalbox_pipelines.document_batch.document.messages import Entity, PageText
from signalbox_pipelines.document_batch.document.read.formats import open_pages
from signalbox_pipelines.document_batch.document.read.media_types import TEXT, XML, check_media_type
from signalbox_pipelines.document_batch.document.read.pdf import PdfPages
from signalbox_pipelines.document_batch.document.structured.model import EInvoice
from signalbox_pipelines.document_batch.document.structured.reader import (
    is_einvoice,
    read_attachment,
    read_einvoice,
)
from support.papers.einvoices import StatedInvoice, cii_xml, order_xml, pdf_with, ubl_xml, zugferd_1_xml

STATED = StatedInvoice()
SYNTAXES = [
    pytest.param(cii_xml(STATED), "CII", id="Factur-X, ZUGFeRD 2"),
    pytest.param(zugferd_1_xml(STATED), "CII", id="ZUGFeRD 1"),
    pytest.param(ubl_xml(STATED), "UBL", id="UBL"),
]
SHOWN = [
    "Rechnung 471102 vom 05.03.2026",
    "Betrag ohne USt. 473,00",
    "Steuerbetrag 56,87",
    "Summe 529,87",
    "IBAN DE89 3704 0044 0532 0130 00",
    "USt-IdNr. DE136695976, zahlbar bis 04.04.26",
]


def facts_on(lines: list[str], invoice: EInvoice) -> list[Entity]:
    page = PageText(number=1, text="\n".join(lines), read_by="text layer")
    found = find_in_window(msgspec.json.encode([page]), 0, ("en",), facts_of(invoice), "factur-x.xml")
    left = [unplaced_entity(fact, "factur-x.xml", has_text=found.has_text) for fact in found.unplaced]
    return [*found.entities, *left]


@pytest.mark.parametrize(("body", "syntax"), SYNTAXES)
def test_an_invoice_is_read_in_every_syntax(body: bytes, syntax: str) -> None:
    invoice = read_einvoice(body, "a.xml")

    assert (invoice.syntax, invoice.kind, invoice.number, invoice.lines) == (syntax, "invoice", "471102", 1)
    assert (invoice.issued_on, invoice.due_on) == ("2026-03-05", "2026-04-04")
    assert (invoice.net, invoice.tax, invoice.gross, invoice.payable) == (
        "473.00",
        "56.87",
        "529.87",
        "529.87",
    )
    assert (invoice.seller.name, invoice.seller.vat) == ("Lieferant GmbH", "DE136695976")
    assert (invoice.buyer.name, invoice.accounts) == ("Kunden & Söhne AG", (STATED.iban,))


@pytest.mark.parametrize(("body", "syntax"), SYNTAXES)
def test_an_xml_invoice_is_a_document_with_a_page_of_text(body: bytes, syntax: str) -> None:
    assert check_media_type(body, "a.xml") == XML, syntax

    content = open_pages(body, XML, "a.xml").content(0)

    assert content.text.startswith("Invoice 471102\nDate: 2026-03-05")
    assert "With tax: 529.87 EUR" in content.text


def test_a_credit_note_is_an_invoice_and_an_order_is_none() -> None:
    assert read_einvoice(ubl_xml(STATED, root="CreditNote"), "a.xml").kind == "invoice"
    order = read_einvoice(order_xml(STATED), "order-x.xml")
    assert (order.kind, order.currency) == ("other", "EUR")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'<?xml version="1.0"?><note>Invoice</note>', id="other XML"),
        pytest.param(b"<!-- <Invoice> ", id="a comment that does not end"),
        pytest.param(b"<Invoice>an element of the same name</Invoice>", id="no UBL"),
        pytest.param(b"Invoice 4711", id="text"),
        pytest.param(b"", id="empty"),
    ],
)
def test_other_content_is_no_electronic_invoice(body: bytes) -> None:
    assert not is_einvoice(body)


def test_other_xml_is_refused_by_name_and_text_stays_text() -> None:
    with pytest.raises(Rejected) as refused:
        check_media_type(b'<?xml version="1.0"?><note/>', "note.xml")

    assert refused.value.stable_code == "wrong_media_type"
    assert "note.xml is an XML file that is no UBL or CII invoice" in refused.value.detail
    assert check_media_type(b"Invoice 4711", "a.txt") == TEXT


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<a><b></a>", id="not well formed"),
        pytest.param(b'<!DOCTYPE a [<!ENTITY b "bb">]><a>&b;</a>', id="entities"),
        pytest.param(b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', id="external document type"),
        pytest.param(b"<a>" * 5_000 + b"</a>" * 5_000, id="nested too deeply"),
        pytest.param(b"", id="empty"),
    ],
)
def test_hostile_xml_is_rejected(body: bytes) -> None:
    with pytest.raises(InvalidXml):
        parse_xml(body)
    with pytest.raises(Rejected):
        read_einvoice(body, "a.xml")


@pytest.mark.parametrize("name", ["factur-x.xml", "ZUGFeRD-invoice.xml", "xrechnung.xml", "data.xml"])
def test_the_invoice_attached_to_a_pdf_is_read(name: str) -> None:
    other = {"notes.xml": b"<notes/>", "photo.png": b"png"}
    pages = PdfPages(pdf_with({**other, name: cii_xml(STATED)}, SHOWN), "a.pdf")

    found = read_attachment(pages.attachments())

    pages.close()
    assert found.problem is None
    assert found.invoice is not None
    assert (found.invoice.source, found.invoice.gross) == (name, "529.87")


def test_a_damaged_attachment_is_named() -> None:
    found = read_attachment([("factur-x.xml", b"<broken")])

    assert found.invoice is None
    assert (found.problem or "").startswith("factur-x.xml cannot be read: not well-formed XML")


def test_facts_of_the_data_are_placed_on_the_page_and_replace_those_of_the_text() -> None:
    found = facts_on(SHOWN, read_einvoice(cii_xml(STATED), "factur-x.xml"))

    stated = {entity.value: entity.text for entity in found if entity.source == "data"}
    assert stated == {
        "2026-03-05": "05.03.2026",
        "2026-04-04": "04.04.26",
        "473.00": "473,00",
        "56.87": "56,87",
        "529.87": "529,87",
        STATED.iban: "DE89 3704 0044 0532 0130 00",
        STATED.seller_vat: "DE136695976",
    }
    assert all(entity.valid for entity in found)
    assert [entity.value for entity in found if entity.source == "text"] == []
    total = next(entity for entity in found if entity.value == "529.87")
    assert total.note == "amount with tax, amount due, from factur-x.xml"


def test_a_value_that_the_pages_do_not_show_is_marked() -> None:
    shown = [line.replace("529,87", "629,87") for line in SHOWN]

    found = facts_on(shown, read_einvoice(cii_xml(STATED), "factur-x.xml"))

    missing = [
        entity for entity in found if (entity.note or "").endswith("not found in the text of the pages")
    ]
    assert [(entity.value, entity.page, entity.valid) for entity in missing] == [("529.87", 1, True)]


def test_a_blank_page_contradicts_nothing() -> None:
    found = facts_on([""], read_einvoice(cii_xml(STATED), "factur-x.xml"))

    assert found
    assert not any("not found" in (entity.note or "") for entity in found)


def test_wrong_values_of_the_data_are_invalid() -> None:
    wrong = StatedInvoice(
        issued="2026-02-31", iban="DE88370400440532013000", gross="many", seller_vat="DE136695975"
    )

    found = facts_on(SHOWN, read_einvoice(cii_xml(wrong), "factur-x.xml"))

    invalid = {entity.value for entity in found if not entity.valid}
    assert invalid == {"2026-02-31", "DE88370400440532013000", "many", "DE136695975"}


def test_the_stated_kind_is_certain() -> None:
    page = PageText(number=1, text="Dear customer,\nkind regards", read_by="text layer")
    invoice = read_einvoice(cii_xml(STATED), "factur-x.xml")

    found = with_stated_kind(classify_text(msgspec.json.encode([page])), invoice).classification

    assert (found.kind, found.is_sure, found.margin) == ("invoice", True, 1.0)
    assert found.cues[0].phrase == "CII data in factur-x.xml, type code 380"
