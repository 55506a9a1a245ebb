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
        pytest.param("$0.125", "amount", "0.125", True, id="a fraction of a dollar"),
        pytest.param("€0,875", "amount", "0.875", True, id="a fraction of a euro"),
        pytest.param("$1,234,567.891", "amount", "1234567.891", True, id="groups and three decimals"),
        pytest.param("₹1,23,456.00", "amount", "123456.00", True, id="Indian groups"),
        pytest.param("CHF 1'250.50", "amount", "1250.50", True, id="Swiss groups"),
        pytest.param("1\u202f234,56 €", "amount", "1234.56", True, id="French groups"),
        pytest.param("JPY 12,345", "amount", "12345", True, id="a currency without decimals"),
        pytest.param("HUF 24.900", "amount", "24900", True, id="forints"),
        pytest.param("-25,00 €", "amount", "-25.00", True, id="a credit"),
        pytest.param("$-5.00", "amount", "-5.00", True, id="a credit, the minus after the sign"),
        pytest.param("99 zł", "amount", "99", True, id="zloty"),
        pytest.param("€1.234", "amount", "1234", False, id="one group or three decimals"),
        pytest.param("KWD 1.250", "amount", "1250", False, id="one group or the decimals of a dinar"),
        pytest.param(
            "AT611904300234573201 BIC BKAUATWW", "iban", "AT611904300234573201", True, id="iban before a BIC"
        ),
        pytest.param(
            "DE89 3704 0044 0532 0130 00 SWIFT COBADEFF",
            "iban",
            "DE89370400440532013000",
            True,
            id="iban in groups before a BIC",
        ),
        pytest.param(
            "FR76 10107 00245 00617052317 39",
            "iban",
            "FR7610107002450061705231739",
            True,
            id="iban in French groups",
        ),
        pytest.param(
            "DE89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000",
            "iban",
            "DE89370400440532013000",
            True,
            id="iban with no-break spaces",
        ),
        pytest.param("USt-IdNr. DE136695976 IBAN", "vat", "DE136695976", True, id="vat before capitals"),
        pytest.param("FR40303265045 RCS Paris", "vat", "FR40303265045", True, id="vat before a register"),
        pytest.param("BE 0403.170.701", "vat", "BE0403170701", True, id="vat with dots"),
        pytest.param(
            "Ngày (day) 05 tháng (month) 07 năm (year) 2024", "date", "2024-07-05", True, id="bilingual date"
        ),
        pytest.param("15-Mar-2024", "date", "2024-03-15", True, id="date with a short month"),
        pytest.param("2024/03/15", "date", "2024-03-15", True, id="year first with slashes"),
        pytest.param("15. March 2024", "date", "2024-03-15", True, id="ordinal day"),
        pytest.param("15. März 2024", "date", "2024-03-15", True, id="German date"),
        pytest.param("1er mars 2024", "date", "2024-03-01", True, id="French date"),
        pytest.param("15 de marzo de 2024", "date", "2024-03-15", True, id="Spanish date"),
        pytest.param("2024-03-15T10:20:30Z", "date", "2024-03-15", True, id="ISO date with a time"),
        pytest.param("03/15/2024", "date", "2024-03-15", True, id="month first, since there is no month 15"),
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
        "Version 1.2.2024",
        "v1.2.2024",
        "need ALL 12 of them",
        "IT 2024, SE 5",
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


@pytest.mark.parametrize(
    ("text", "value", "note"),
    [
        pytest.param(
            "03/04/2026",
            "2026-04-03",
            "could be 2026-04-03 or 2026-03-04",
            id="English, nothing shows the order",
        ),
        pytest.param("Paid 03/04/2026, due 04/17/2026", "2026-03-04", None, id="another date is month first"),
        pytest.param("Paid 03/04/2026, due 17/04/2026", "2026-04-03", None, id="another date is day first"),
        pytest.param(
            "03/04/2026, 04/17/2026 and 17/04/2026",
            "2026-04-03",
            "could be 2026-04-03 or 2026-03-04",
            id="other dates contradict each other",
        ),
        pytest.param("Date de facture : 03/04/2026", "2026-04-03", None, id="French"),
        pytest.param("Rechnungsdatum 03/04/2026", "2026-04-03", None, id="German"),
        pytest.param("Ngày 03/04/2026", "2026-04-03", None, id="Vietnamese"),
        pytest.param("Date of the invoice 03.04.2026", "2026-04-03", None, id="full stops"),
        pytest.param("Date of the invoice 04/04/2026", "2026-04-04", None, id="the same in both orders"),
    ],
)
def test_a_numeric_date_is_valid_when_its_order_is_known(text: str, value: str, note: str | None) -> None:
    found = find_in(text, "en")[0]

    assert (found.value, found.valid, found.note) == (value, note is None, note)


def test_a_number_without_a_country_code_is_no_british_one_in_a_german_document() -> None:
    assert find_in("Bitte rufen Sie uns an: Telefon 01234/987654", "en") == []
    assert find_in("Please call us for your order: 020 7946 0958", "en")[0].value == "+442079460958"


def test_an_account_number_is_not_reported_as_a_phone_number() -> None:
    assert [entity.type for entity in find_in("DE89 3704 0044 0532 0130 00 / 0912 345 678")] == [
        "iban",
        "phone",
    ]


@pytest.mark.parametrize(
    ("text", "amounts"),
    [
        pytest.param(
            "Monitor 1 € 156,20 21% € 32,80\nTotaal € 189,00", ["156.20", "32.80", "189.00"], id="sign before"
        ),
        pytest.param(
            "Biscuits 4,55 € 10% 81,90 €\nTotal HT 81,90 €", ["4.55", "81.90", "81.90"], id="sign after"
        ),
        pytest.param("11/17/2017 623.00 €", ["623.00"], id="after a date"),
        pytest.param("EUR\nBruttosumme 529,87", ["529.87"], id="label, currency named once"),
        pytest.param("EUR\nSteuerbetrag:\n56,87", ["56.87"], id="label on the line above"),
        pytest.param("EUR\nMwSt 19,00 % 1.060,66", ["1060.66"], id="a rate beside the tax"),
        pytest.param("EUR, USD\nBruttosumme 529,87", [], id="two currencies"),
        pytest.param("USD\n12.000 đ\nAmount 529,87", ["12000"], id="a currency after its number"),
        pytest.param("EUR\nTotal hours 37.50", [], id="another unit"),
        pytest.param("EUR\nSumme 19 163,16", [], id="a rate or a group"),
        pytest.param("EUR\nVersion 529,87", [], id="no label"),
    ],
)
def test_amounts_of_tables_are_found(text: str, amounts: list[str]) -> None:
    assert [entity.value for entity in find_in(text) if entity.type == "amount" and entity.valid] == amounts


def test_a_space_between_a_quantity_and_a_price_is_no_group() -> None:
    (found,) = find_in("Widget 2 150.00 €")

    assert (found.valid, found.note) == (False, "could be 2150.00 or 150.00")
    assert find_in("Total 2 150,00 €")[0].valid
    assert not [
        entity for entity in find_in("2 150,00 €\n1.150,00 €") if entity.valid and entity.value == "2150.00"
    ]


def test_a_dollar_sign_is_read_as_us_dollars_with_a_remark() -> None:
    assert find_in("$ 5.00")[0].note == "$ is the sign of several currencies; read as US dollars"
    assert find_in("US$ 5.00")[0].note is None


def test_an_ambiguous_amount_names_both_readings() -> None:
    assert find_in("€1.234")[0].note == "could be 1234 or 1.234"


def test_the_other_amounts_of_a_page_decide_an_ambiguous_one() -> None:
    assert [(entity.value, entity.valid) for entity in find_in("1.234,00 € and €1.250")] == [
        ("1234.00", True),
        ("1250", True),
    ]
    assert [(entity.value, entity.valid) for entity in find_in("1,234.00 EUR and 1.250 EUR")] == [
        ("1234.00", True),
        ("1.250", True),
    ]


def test_a_currency_between_two_numbers_belongs_to_the_right_one() -> None:
    assert [entity.value for entity in find_in("14 March 2024 EUR 1,428.00 DE")] == ["2024-03-14", "1428.00"]
    assert [entity.value for entity in find_in("10 EUR 20 EUR")] == ["10", "20"]
    assert [entity.value for entity in find_in("EUR 10 EUR 20")] == ["10", "20"]
