"""Facts in a page's text: each type, its validation and position, and what must not be reported."""

import pytest

from signalbox_pipelines.document_batch.document.contract import Language
from signalbox_pipelines.document_batch.document.extract.entities import find_entities
from signalbox_pipelines.document_batch.document.messages import Entity, PageText


def find_in(text: str, language: Language = "vi") -> list[Entity]:
    return find_entities(PageText(number=3, text=text, read_by="text layer"), (language,))


@pytest.mark.parametrize(
    ("text", "kind", "value", "valid"),
    [
        pytest.param("IBAN: DE89 3704 0044 0532 0130 00", "iban", "DE89370400440532013000", True, id="iban"),
        pytest.param(
            "IBAN: DE88 3704 0044 0532 0130 00",
            "iban",
            "DE88370400440532013000",
            False,
            id="iban, wrong check digits",
        ),
        pytest.param("VAT BE0428759497", "vat", "BE0428759497", True, id="vat"),
        pytest.param("VAT BE0428759496", "vat", "BE0428759496", False, id="vat, wrong check digits"),
        pytest.param("Mã số thuế: 0100109106", "tax_id", "0100109106", True, id="tax code"),
        pytest.param("MST 0100109106-011", "tax_id", "0100109106-011", True, id="tax code of a branch"),
        pytest.param(
            "Ma so thue: 0100109107",
            "tax_id",
            "0100109107",
            False,
            id="tax code, wrong check digit, accents lost",
        ),
        pytest.param("ngày 5 tháng 9 năm 2026", "date", "2026-09-05", True, id="Vietnamese date"),
        pytest.param("31/02/2026", "date", "31/02/2026", False, id="no such day"),
        pytest.param("on March 9th, 2026", "date", "2026-03-09", True, id="English date"),
        pytest.param("2026-12-24", "date", "2026-12-24", True, id="ISO date"),
        pytest.param("12.500.000 đ", "amount", "12500000", True, id="dong"),
        pytest.param("1.250,50 €", "amount", "1250.50", True, id="comma decimals"),
        pytest.param("USD 1,250.50", "amount", "1250.50", True, id="point decimals"),
        pytest.param("Tel. 0912 345 678", "phone", "+84912345678", True, id="Vietnamese mobile"),
        pytest.param("call +44 20 7946 0958", "phone", "+442079460958", True, id="international"),
        pytest.param(
            "to Lan.Nguyen@acme.example.vn.", "email", "lan.nguyen@acme.example.vn", True, id="e-mail"
        ),
    ],
)
def test_a_fact_is_found_once_and_validated(text: str, kind: str, value: str, valid: bool) -> None:
    assert [(entity.type, entity.value, entity.valid) for entity in find_in(text)] == [(kind, value, valid)]


@pytest.mark.parametrize(
    "text",
    [
        "page 7806 of 9000",
        "version 1.2.3.4",
        "5 boxes",
        "Số tài khoản 19001234567890123456",
        "INVOICE NUMBER ABCD",
        "192.168.10.12",
        "đ",
        "",
    ],
)
def test_other_numbers_are_not_reported_as_facts(text: str) -> None:
    assert find_in(text) == []


def test_an_entity_has_its_page_and_position() -> None:
    text = "Ngày 12/03/2026, 99 EUR"

    first, second = find_in(text)

    assert (first.page, text[first.start : first.end]) == (3, "12/03/2026")
    assert (second.text, second.currency) == ("99 EUR", "EUR")


def test_an_ambiguous_date_has_a_remark_in_english_only() -> None:
    assert find_in("03/04/2026", "en")[0].note == "could be month first"
    assert find_in("03/04/2026", "vi")[0].note is None
    assert find_in("13/04/2026", "en")[0].note is None


def test_an_account_number_is_not_reported_as_a_phone_number() -> None:
    assert [entity.type for entity in find_in("DE89 3704 0044 0532 0130 00 / 0912 345 678")] == [
        "iban",
        "phone",
    ]
