"""What two models of an OCR engine read differently is not certain."""

import pytest

from signalbox_pipelines.document_batch.document.extract.entities import find_entities
from signalbox_pipelines.document_batch.document.messages import PageText, Word
from signalbox_pipelines.document_batch.document.ocr.engine import OcrResult
from signalbox_pipelines.document_batch.document.ocr.model_comparison import compare_readings


def reading(*words: str) -> OcrResult:
    """Each word stands in a line of its own."""
    text, placed = "", []
    for number, word in enumerate(words):
        box = (0.1, 0.1 * number + 0.01, 0.1 + 0.02 * len(word), 0.1 * number + 0.04)
        placed.append(Word(start=len(text), end=len(text) + len(word), box=box))
        text += word + "\n"
    return OcrResult(text=text, confidence=95.0, words=tuple(placed))


@pytest.mark.parametrize(
    ("first", "second", "text", "readings"),
    [
        pytest.param("430.000", "430.000", "430.000", None, id="both agree"),
        pytest.param("450.000", "430.000", "430.000", ("430.000", "450.000"), id="the second has the digits"),
        pytest.param("430.000đ", "430.0004", "430.000đ", None, id="a letter read as a digit"),
        pytest.param("Số", "S6", "Số", None, id="a word without a digit"),
        pytest.param("450.000", "430.00", "450.000", ("450.000", "430.00"), id="another number of digits"),
        pytest.param(
            "lan5@acme.vn", "lan3@acme.vn", "lan5@acme.vn", ("lan5@acme.vn", "lan3@acme.vn"), id="e-mail"
        ),
        pytest.param("Lan@acme.vn", "lan@acme.vn", "Lan@acme.vn", None, id="e-mail in another case"),
    ],
)
def test_differences_are_kept(first: str, second: str, text: str, readings: tuple[str, str] | None) -> None:
    compared = compare_readings(reading("Tổng", first), reading("Tong", second))

    assert compared.text == f"Tổng\n{text}\n"
    assert [doubt.readings for doubt in compared.doubts] == ([readings] if readings else [])


def test_a_word_that_the_second_reading_lacks_stays() -> None:
    compared = compare_readings(reading("Tổng", "450.000"), reading("Tong"))

    assert (compared.text, compared.doubts) == ("Tổng\n450.000\n", ())


def test_a_doubtful_amount_is_invalid_and_names_both_readings() -> None:
    compared = compare_readings(reading("Tổng", "450.000đ"), reading("Tong", "430.000d"))
    page = PageText(number=1, text=compared.text, read_by="ocr", doubts=compared.doubts)

    (amount,) = find_entities(page, ("vi",))

    assert (amount.value, amount.valid) == ("430000", False)
    assert amount.note == "OCR reads 430.000đ or 450.000đ; compare it with the page"


def test_check_digits_decide_about_an_account() -> None:
    compared = compare_readings(reading("DE89570400440552013000"), reading("DE89370400440532013000"))
    page = PageText(number=1, text=compared.text, read_by="ocr", doubts=compared.doubts)

    (account,) = find_entities(page, ("vi",))

    assert (account.value, account.valid) == ("DE89370400440532013000", True)
