"""The offline provider: summaries, key phrases, labels, and field extraction."""

import pytest

from signalbox_core.errors import Rejected
from signalbox_pipelines.ai_task.contract import Label
from signalbox_pipelines.ai_task.local.fields import extract_fields
from signalbox_pipelines.ai_task.local.labels import choose_label
from signalbox_pipelines.ai_task.local.phrases import key_phrases
from signalbox_pipelines.ai_task.local.textrank import summarise
from signalbox_pipelines.ai_task.local.values import find_dates, find_numbers, parse_number
from signalbox_pipelines.ai_task.local.words import split_sentences
from signalbox_pipelines.ai_task.schemas import Schema

CANAL = """The canal carries rice from the delta to the port of Saigon.
Boats on the canal wait at the lock for the tide.
My aunt likes tea. The lock on the canal was closed for nine days, so no rice reached the port.
Without boats on the canal, rice in the port became dearer. It rained."""
LETTER = """Công ty TNHH Sương Mai
Số hóa đơn: HD-0012
Ngày: ngày 5 tháng 3 năm 2026
Tổng cộng: 1.250.000 đồng
Email: ke.toan@suongmai.vn
Đã thanh toán: có
Các mặt hàng: cà phê, trà; bánh
"""
LETTER_SCHEMA: Schema = {
    "type": "object",
    "properties": {
        "so_hoa_don": {"type": "string", "title": "Số hóa đơn"},
        "ngay": {"type": "string", "format": "date", "title": "Ngày"},
        "total": {"type": "integer", "description": "Tổng cộng, amount due"},
        "email": {"type": "string", "format": "email"},
        "paid": {"type": "boolean", "title": "Đã thanh toán"},
        "items": {"type": "array", "items": {"type": "string"}, "title": "Các mặt hàng"},
        "discount": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        "iban": {"type": "string"},
    },
}


def test_a_summary_selects_the_most_central_sentences() -> None:
    summary = summarise(CANAL, 2)

    assert all(sentence in " ".join(CANAL.split()) for sentence in summary)
    assert all("canal" in sentence for sentence in summary)


def test_a_summary_keeps_the_order_of_the_text() -> None:
    places = [" ".join(CANAL.split()).index(sentence) for sentence in summarise(CANAL, 3)]

    assert places == sorted(places)


def test_a_short_text_is_its_own_summary() -> None:
    assert summarise("One short line.", 3) == ["One short line."]


def test_a_long_text_is_ranked_in_blocks() -> None:
    text = " ".join(f"Boat {number} waits at lock {number % 7} of the canal." for number in range(1_500))

    assert len(summarise(text, 5)) == 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Dr. Lan paid 3.50 EUR. Then she left.", ["Dr. Lan paid 3.50 EUR.", "Then she left."]),
        ("Xin chào. Đây là kênh.", ["Xin chào.", "Đây là kênh."]),
        ("First paragraph\n\nSecond one", ["First paragraph", "Second one"]),
        ("", []),
    ],
)
def test_text_is_split_into_sentences(text: str, expected: list[str]) -> None:
    assert split_sentences(text) == expected


def test_key_phrases_name_the_subjects_of_the_text() -> None:
    assert {"canal", "rice", "port"} & set(" ".join(key_phrases(CANAL)).split()) == {"canal", "rice", "port"}


def test_the_label_with_the_most_cues_wins_and_lists_them() -> None:
    labels = (
        Label(name="invoice", cues=("invoice", "amount due")),
        Label(name="letter", cues=("dear", "kind regards")),
    )

    found = choose_label("INVOICE 12: the  amount due is 5 EUR. Kind regards", labels)

    assert (found.label, found.evidence, found.confidence) == ("invoice", ("invoice", "amount due"), 0.6)


def test_a_cue_inside_another_word_does_not_count() -> None:
    labels = (Label(name="art", cues=("art",)), Label(name="car", cues=("car",)))

    assert choose_label("A car starts", labels).label == "car"


def test_a_text_without_any_cue_is_refused() -> None:
    with pytest.raises(Rejected, match="add cues") as refused:
        choose_label("Nothing of the kind", (Label(name="invoice"), Label(name="letter")))

    assert refused.value.stable_code == "no_evidence"


def test_fields_are_found_by_name_title_description_and_format() -> None:
    assert extract_fields(LETTER_SCHEMA, LETTER) == {
        "so_hoa_don": "HD-0012",
        "ngay": "2026-03-05",
        "total": 1_250_000,
        "email": "ke.toan@suongmai.vn",
        "paid": True,
        "items": ["cà phê", "trà", "bánh"],
        "discount": None,
    }


def test_an_ambiguous_email_address_is_not_guessed() -> None:
    schema: Schema = {"type": "object", "properties": {"seller": {"type": "string", "format": "email"}}}

    assert extract_fields(schema, "Write to a@example.com or b@example.com") == {}
    assert extract_fields(schema, "Buyer a@example.com, seller: b@example.com") == {"seller": "b@example.com"}


def test_digits_that_are_no_number_are_skipped() -> None:
    assert list(find_numbers("1.234,567.8 and 12.5")) == [12.5]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1,234.50", 1234.5),
        ("1.234,50", 1234.5),
        ("1 234,5", 1234.5),
        ("1.250.000", 1_250_000),
        ("12.5", 12.5),
        ("0,5", 0.5),
        ("1234,567", 1234.567),
        ("-3", -3),
    ],
)
def test_numbers_are_parsed_in_common_notations(text: str, number: float) -> None:
    assert parse_number(text) == number


@pytest.mark.parametrize(
    "text",
    ["2026-03-14", "14/3/2026", "14.03.2026", "14 March 2026", "March 14, 2026", "ngày 14 tháng 3 năm 2026"],
)
def test_dates_are_parsed_in_six_notations(text: str) -> None:
    assert list(find_dates(f"on {text}.")) == ["2026-03-14"]


def test_an_impossible_date_is_skipped() -> None:
    assert list(find_dates("31/02/2026 and 12 Foo 2026")) == []
