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
