"""Searching invoices: accepted queries, limits and pagination."""

from datetime import date

import pytest

from signalbox_devstack.emulators.portal.companies import companies
from signalbox_devstack.emulators.portal.errors import MANY_SORTS, RANGE, PortalError
from signalbox_devstack.emulators.portal.invoice_index import InvoiceIndex, MonthRange
from signalbox_devstack.emulators.portal.search import InvoiceQuery, page_of, read_query, read_size

MST = companies(1)[0]
INDEX = InvoiceIndex(1, 300, MonthRange(2026, 7, 3))


def search(first: str, last: str, more: str = "") -> dict[str, str]:
    return {"search": f"tdlap=ge={first}T00:00:00;tdlap=le={last}T23:59:59{more}", "sort": "tdlap:desc"}


def error_of(parameters: dict[str, str]) -> tuple[int, str]:
    with pytest.raises(PortalError) as error:
        read_query("purchase", "query", parameters)
    return error.value.status, error.value.message


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("01/07/2026", "31/07/2026"),
        ("15/07/2026", "14/08/2026"),
        ("01/02/2026", "28/02/2026"),
        ("31/12/2026", "30/01/2027"),
    ],
)
def test_a_search_over_one_month_is_allowed(first: str, last: str) -> None:
    query = read_query("purchase", "query", search(first, last))
    assert f"{query.first:%d/%m/%Y}" == first


@pytest.mark.parametrize(
    ("first", "last"),
    [("01/07/2026", "01/08/2026"), ("15/07/2026", "15/08/2026"), ("01/01/2026", "31/12/2026")],
)
def test_a_search_over_more_than_a_month_is_rejected_with_the_portals_message(first: str, last: str) -> None:
    assert error_of(search(first, last)) == (400, RANGE)


def test_several_sort_keys_are_rejected() -> None:
    assert error_of({**search("01/07/2026", "02/07/2026"), "sort": "tdlap:desc,shdon:desc"}) == (
        500,
        MANY_SORTS,
    )


@pytest.mark.parametrize(
    "text", ["", "tdlap=ge=01/07/2026T00:00:00", "nbmst=ge=1", "x==1", "tdlap==01/07/2026", "nbmst=='a' or 1"]
)
def test_an_invalid_search_is_a_bad_request(text: str) -> None:
    assert error_of({"search": text})[0] == 400


@pytest.mark.parametrize("size", ["0", "51", "200", "-1", "x"])
def test_an_invalid_page_size_is_rejected(size: str) -> None:
    with pytest.raises(PortalError):
        read_size({"size": size})


def everything(query: InvoiceQuery, size: int) -> list[str]:
    found, state = [], None
    while True:
        page = page_of(INDEX, MST, query, size=size, state=state)
        found += [invoice.key for invoice in page.invoices]
        if page.state is None:
            assert page.total == len(found)
            return found
        state = page.state


@pytest.mark.parametrize("size", [1, 7, 15, 50])
def test_pagination_returns_each_invoice_once_newest_first(size: int) -> None:
    query = InvoiceQuery(direction="purchase", family="query", first=date(2026, 7, 10), last=date(2026, 8, 9))
    assert everything(query, size) == everything(query, 50)
    days = [invoice.slot.day for invoice in page_of(INDEX, MST, query, size=50, state=None).invoices]
    assert days == sorted(days, reverse=True)
    assert query.first <= min(days) <= max(days) <= query.last


def test_search_clauses_filter_the_result() -> None:
    whole = read_query("purchase", "query", search("01/07/2026", "31/07/2026"))
    parts = [
        read_query("purchase", "query", search("01/07/2026", "31/07/2026", f";ttxly=={code}"))
        for code in (5, 6)
    ]
    assert sorted(key for part in parts for key in everything(part, 50)) == sorted(everything(whole, 50))
    one = everything(whole, 50)[0]
    seller, form, series, number = one.split("-")
    exact = search(
        "01/07/2026", "31/07/2026", f";nbmst=={seller};khmshdon=={form};khhdon=={series};shdon=={number}"
    )
    assert everything(read_query("purchase", "query", exact), 50) == [one]


def test_a_cursor_is_valid_for_its_search_only() -> None:
    july = InvoiceQuery(direction="purchase", family="query", first=date(2026, 7, 1), last=date(2026, 7, 31))
    august = InvoiceQuery(
        direction="purchase", family="query", first=date(2026, 8, 1), last=date(2026, 8, 31)
    )
    state = page_of(INDEX, MST, july, size=5, state=None).state
    with pytest.raises(PortalError):
        page_of(INDEX, MST, august, size=5, state=state)
    with pytest.raises(PortalError):
        page_of(INDEX, MST, july, size=5, state="nonsense")
