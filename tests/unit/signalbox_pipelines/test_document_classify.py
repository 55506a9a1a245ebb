"""Classifying documents: sure with its cues, unsure when two kinds are close or there are no cues."""

import pytest

from signalbox_pipelines.document_batch.document.classify.classifier import CONFIDENT_MARGIN, classify, fold
from signalbox_pipelines.document_batch.document.messages import PageText


def pages(*texts: str) -> list[PageText]:
    return [
        PageText(number=number, text=text, read_by="text layer") for number, text in enumerate(texts, start=1)
    ]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        pytest.param("HÓA ĐƠN GIÁ TRỊ GIA TĂNG\nĐơn vị bán hàng: A", "invoice", id="invoice vi"),
        pytest.param("HOA DON GIA TRI GIA TANG", "invoice", id="accents lost"),
        pytest.param("INVOICE\nBill to: B\nAmount due: EUR 5", "invoice", id="invoice en"),
        pytest.param("Kính gửi: Ông Minh\nTrân trọng", "letter", id="letter vi"),
        pytest.param("Dear Ms Taylor,\nKind regards", "letter", id="letter en"),
        pytest.param("HỢP ĐỒNG\nBên A\nBên B\nĐiều khoản", "contract", id="contract vi"),
        pytest.param("Sao kê tài khoản\nSố dư đầu kỳ", "bank_statement", id="statement vi"),
        pytest.param("PHIẾU THU\nNgười nộp tiền", "receipt", id="receipt vi"),
    ],
)
def test_a_clear_document_is_classified_with_its_cues(text: str, kind: str) -> None:
    found = classify(pages(text))

    assert (found.kind, found.is_sure) == (kind, True)
    assert all(cue.phrase in text for cue in found.cues)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        pytest.param("Rechnung\nRechnungsnr. 471102\nGesamtbetrag 529,87", "invoice", id="invoice de"),
        pytest.param("GUTSCHRIFT\nMwSt 19 %\nBetrag 20,00 EUR", "invoice", id="credit note de"),
        pytest.param(
            "Facture n°562044387 du 02 Juillet 2015\nTVA 20%\nTotal TTC 29.99", "invoice", id="invoice fr"
        ),
        pytest.param("Factuurnummer: 9935\nBTW 21% 124,61\nTe betalen 717,97", "invoice", id="invoice nl"),
        pytest.param("FACTURA\nBase imponible 100,00\nIVA 21% 21,00", "invoice", id="invoice es"),
        pytest.param("Fattura n. 12\nImponibile 100,00\nTotale documento 122,00", "invoice", id="invoice it"),
        pytest.param("QUITTUNG\nBetrag dankend erhalten", "receipt", id="receipt de"),
        pytest.param("Kontoauszug\nAlter Kontostand 100,00", "bank_statement", id="statement de"),
        pytest.param("MIETVERTRAG\nVertragspartner\nKündigungsfrist", "contract", id="contract de"),
        pytest.param("Sehr geehrte Damen und Herren,\nMit freundlichen Grüßen", "letter", id="letter de"),
        pytest.param("Madame, Monsieur,\nVeuillez agréer nos salutations", "letter", id="letter fr"),
        pytest.param("Geachte heer,\nMet vriendelijke groet", "letter", id="letter nl"),
        pytest.param("BON DE COMMANDE\nArticles pour le bureau", "other", id="order fr"),
    ],
)
def test_papers_of_western_europe_are_classified(text: str, kind: str) -> None:
    found = classify(pages(text))

    assert (found.kind, found.is_sure) == (kind, True)


def test_a_text_about_invoices_is_no_invoice() -> None:
    beginning = "Accounts are kept for ten years, in a dry room. " * 10
    text = "The office keeps every invoice and the invoice number of each order in a book. " * 40

    found = classify(pages(beginning + text))

    assert (found.kind, found.is_sure) == ("other", True)


def test_an_order_with_the_labels_of_an_invoice_is_not_taken_for_one() -> None:
    found = classify(
        pages("PURCHASE ORDER\nUnit price: 5.00\nVAT amount: 1.00\nTotal amount: 6.00\nGrand total: 6.00")
    )

    assert (found.kind, found.is_sure) != ("invoice", True)


def test_a_delivery_note_named_by_an_invoice_does_not_change_its_kind() -> None:
    heading = "Rechnung\nRechnungsnummer: 12\n" + "Artikel\n" * 60
    found = classify(pages(f"{heading}Lieferschein: 99\nZahlbetrag: 20,00"))

    assert (found.kind, found.is_sure) == ("invoice", True)


def test_a_text_without_cues_is_classified_as_other_and_unsure() -> None:
    found = classify(pages("Two boxes are in the cellar."))

    assert (found.kind, found.is_sure, found.margin, found.cues) == ("other", False, 0.0, ())


def test_a_classification_with_two_close_kinds_is_unsure() -> None:
    found = classify(pages("Dear customer, kind regards.", "Invoice\nInvoice number 4\nBill to you"))

    assert found.margin < CONFIDENT_MARGIN
    assert not found.is_sure


def test_a_phrase_counts_once_and_weighs_more_in_the_heading() -> None:
    at_top = classify(pages("invoice invoice invoice"))
    below = classify(pages("x " * 300 + "invoice"))

    assert at_top.scores["invoice"] == 1.5 * below.scores["invoice"]


def test_a_cue_has_its_page() -> None:
    assert [cue.page for cue in classify(pages("", "Phiếu thu")).cues] == [2]


def test_folding_preserves_positions() -> None:
    text = "Đường Nguyễn Huệ, số 5 İ"

    assert len(fold(text)) == len(text)
    assert fold("Đường Huệ") == "duong hue"
