"""invoice_import: tax codes, months, search text, cursors, the check of the taxpayer."""

import itertools
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signalbox_core.errors import InvalidInput
from signalbox_pipelines.invoice_import.months import (
    Days,
    hanoi_date,
    month_title,
    split_in_half,
    split_months,
)
from signalbox_pipelines.invoice_import.portal.faults import UnexpectedResponse, WrongTaxpayer
from signalbox_pipelines.invoice_import.portal.queries import (
    checked_value,
    is_last_page,
    queries_for,
    search_text,
    smaller_page_size,
)
from signalbox_pipelines.invoice_import.portal.rows import ListPage, check_taxpayer, read_page
from signalbox_pipelines.invoice_import.tax_codes import check_tax_code, is_tax_code, same_taxpayer
from support.fakes.invoices import a_row

DAYS = st.dates(min_value=date(2020, 1, 1), max_value=date(2030, 12, 31))
WEIGHTS = (31, 29, 23, 19, 17, 13, 7, 5, 3)


@pytest.mark.parametrize("code", ["9901000019", "9901000026", "9901000114", "9901000019-001", "001099000001"])
def test_a_tax_code_of_10_13_or_12_digits_is_accepted(code: str) -> None:
    assert check_tax_code(code) == code


def test_the_code_of_a_branch_is_normalised_with_a_dash() -> None:
    assert check_tax_code("9901000019001") == "9901000019-001"


@pytest.mark.parametrize(
    "code", ["", "9901000018", "990100001", "99010000191", "9901000019;ttxly==5", "٠٠١٠٩٩٠٠٠٠٠١", "abc"]
)
def test_an_invalid_tax_code_is_rejected_and_named(code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_tax_code(code)

    assert refused.value.field == "tax_code"


@settings(deadline=None)
@given(st.integers(0, 999_999_999))
def test_at_most_one_check_digit_is_valid(number: int) -> None:
    stem = f"{number:09}"
    fitting = [digit for digit in range(10) if is_tax_code(f"{stem}{digit}")]

    expected = 10 - sum(int(digit) * weight for digit, weight in zip(stem, WEIGHTS, strict=True)) % 11
    assert fitting == ([expected] if expected < 10 and stem[2:] != "0000000" else [])


def test_a_branch_belongs_to_the_same_taxpayer() -> None:
    assert same_taxpayer("9901000019-001", "9901000019")
    assert not same_taxpayer("9901000026", "9901000019")


@settings(deadline=None)
@given(DAYS, st.integers(0, 900))
def test_months_cover_the_range_without_gaps_or_overlaps(first: date, length: int) -> None:
    last = first + timedelta(days=length)
    months = split_months(first, last)

    assert (months[0].first, months[-1].last) == (first, last)
    assert all(
        later.first - earlier.last == timedelta(days=1) for earlier, later in itertools.pairwise(months)
    )
    assert all(
        (month.first.year, month.first.month) == (month.last.year, month.last.month) for month in months
    )


@settings(deadline=None)
@given(DAYS, st.integers(0, 30))
def test_two_halves_cover_the_whole_range(first: date, length: int) -> None:
    days = Days(first, first + timedelta(days=length))
    parts = split_in_half(days)

    assert (parts[0].first, parts[-1].last) == (days.first, days.last)
    assert len(parts) == (1 if length == 0 else 2)
    assert all(
        later.first - earlier.last == timedelta(days=1) for earlier, later in itertools.pairwise(parts)
    )


@pytest.mark.parametrize(
    ("first", "last", "field"),
    [
        pytest.param(date(2026, 2, 1), date(2026, 1, 31), "first_day", id="the wrong way round"),
        pytest.param(date(2020, 1, 1), date(2026, 1, 1), "last_day", id="too long"),
    ],
)
def test_an_invalid_range_of_days_is_rejected(first: date, last: date, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        split_months(first, last)

    assert refused.value.field == field


def test_an_instant_maps_to_the_day_in_hanoi() -> None:
    assert hanoi_date(datetime(2026, 8, 31, 17, 0, tzinfo=UTC)) == date(2026, 9, 1)
    assert hanoi_date(datetime(2026, 8, 31, 16, 59, 59, tzinfo=UTC)) == date(2026, 8, 31)
    assert month_title(date(2026, 8, 1)) == "August 2026"


def test_purchases_need_three_queries_and_sales_two() -> None:
    days = Days(date(2026, 8, 1), date(2026, 8, 31))

    assert [(query.family, query.processing) for query in queries_for("purchase", days)] == [
        ("ordinary", 5),
        ("ordinary", 6),
        ("cash_register", 8),
    ]
    assert [search_text(query) for query in queries_for("sold", days)] == [
        "tdlap=ge=01/08/2026T00:00:00;tdlap=le=31/08/2026T23:59:59"
    ] * 2
    assert search_text(queries_for("purchase", days)[0]).endswith(";ttxly==5")


def test_a_value_that_would_add_a_clause_to_the_filter_is_rejected() -> None:
    assert checked_value("C26TSM", field="series") == "C26TSM"
    with pytest.raises(InvalidInput):
        checked_value("C26TSM;ttxly==8", field="series")


@pytest.mark.parametrize(
    ("count", "state", "ends"),
    [
        pytest.param(14, "next", True, id="short page"),
        pytest.param(15, None, True, id="no state"),
        pytest.param(15, "first", True, id="a state that was there"),
        pytest.param(15, "next", False, id="full page with a new state"),
    ],
)
def test_a_list_ends_at_a_short_page_or_without_a_new_cursor(
    count: int, state: str | None, *, ends: bool
) -> None:
    page = ListPage(rows=tuple(a_row(number=number) for number in range(count)), total=99, state=state)

    assert is_last_page(page, 15, {"first"}) is ends


def test_the_page_size_shrinks_to_that_of_the_portal() -> None:
    assert [smaller_page_size(50), smaller_page_size(25), smaller_page_size(15)] == [25, 15, None]


def test_a_row_of_another_taxpayer_is_rejected() -> None:
    mine, other = a_row(buyer="9901000019-001"), a_row(buyer="9901000026")

    check_taxpayer([mine], "9901000019", "purchase")
    for rows in ([mine, other], [a_row(buyer=None)]):
        with pytest.raises(WrongTaxpayer):
            check_taxpayer(rows, "9901000019", "purchase")
    with pytest.raises(WrongTaxpayer):
        check_taxpayer([mine], "9901000019", "sold")


PAGE = b"""{"datas":[{"id":"x","nbmst":"9901000026","khmshdon":1,"khhdon":"C26TSM","shdon":7,
"tdlap":"2026-08-31T17:00:00Z","tthai":1,
"ttxly":5,"nmmst":"9901000019","tgtcthue":1.4727778E7,"tgtthue":null,"tgtttbso":15906000.24,"hdhhdvu":null,
"thttltsuat":[{"tsuat":"8%","thtien":14727778,"tthue":1178222,"gttsuat":8}]}],
"total":1,"state":"","time":12}"""


def test_amounts_are_exact_in_every_notation_of_the_portal() -> None:
    page = read_page(PAGE, "ordinary")
    row = page.rows[0]

    assert (str(row.net), row.tax, str(row.gross)) == ("14727778", None, "15906000.24")
    assert (row.key, row.issued_on, page.state) == ("9901000026-1-C26TSM-7", date(2026, 9, 1), None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"total":1}',
        b'{"datas":null,"total":0}',
        b'{"datas":[{"nbmst":"1"}],"total":1}',
        b"\xff",
    ],
)
def test_a_list_of_another_shape_is_an_unexpected_response(body: bytes) -> None:
    with pytest.raises(UnexpectedResponse):
        read_page(body, "ordinary")
