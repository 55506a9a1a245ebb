"""The generated invoices: their number, unique keys, states and totals."""

from collections import Counter
from datetime import date

import pytest
from stdnum.vn import mst as tax_code

from signalbox_devstack.emulators.portal.companies import companies, has_cash_register, partners
from signalbox_devstack.emulators.portal.ground_truth import GroundTruth, ground_truth
from signalbox_devstack.emulators.portal.invoice_index import InvoiceIndex, MonthRange
from signalbox_devstack.emulators.portal.invoices import ADJUSTED, ADJUSTING, CANCELLED, REPLACED, REPLACING

QUARTER = MonthRange(2026, 7, 3)
MST = companies(1)[0]


def truth(mst: str = MST, *, invoices: int = 400, seed: int = 1, months: MonthRange = QUARTER) -> GroundTruth:
    return ground_truth(InvoiceIndex(seed, invoices, months), mst, date(2026, 1, 1), date(2027, 12, 31))


@pytest.mark.parametrize("count", [0, 1, 7, 100, 1_000])
def test_a_company_has_exactly_the_configured_number_of_invoices(count: int) -> None:
    assert {len(truth(mst, invoices=count).rows) for mst in companies(5)} == {count}


def test_no_two_invoices_have_the_same_key() -> None:
    keys = [row.key for row in truth(invoices=1_000).rows]
    assert len(set(keys)) == len(keys)


def test_series_and_number_alone_are_not_unique() -> None:
    shared = Counter(row.key.split("-", 1)[1] for row in truth().rows if row.direction == "purchase")
    assert max(shared.values()) > 1


def test_the_seed_determines_the_invoices() -> None:
    assert truth() == truth()
    assert truth(seed=2).totals != truth().totals


def test_every_state_occurs_and_pairs_are_complete() -> None:
    states = Counter(row.state for row in truth(invoices=1_000).rows)
    assert set(states) == {1, REPLACING, ADJUSTING, REPLACED, ADJUSTED, CANCELLED}
    assert states[REPLACED] == states[REPLACING]
    assert states[ADJUSTED] == states[ADJUSTING]


def test_a_replacement_can_be_in_the_next_month() -> None:
    newest_first = truth().rows
    firsts = [row for row in newest_first if row.day == date(2026, 8, 1)]
    assert any(row.state == REPLACING for row in firsts)


def test_totals_exclude_replaced_and_cancelled_invoices_but_not_adjusted_ones() -> None:
    truth_of_company = truth()
    for total in truth_of_company.totals:
        rows = [
            row
            for row in truth_of_company.rows
            if (f"{row.day:%Y-%m}", row.direction) == (total.month, total.direction)
        ]
        counted = [row for row in rows if row.state not in (REPLACED, CANCELLED)]
        assert total.invoices == len(counted)
        assert total.total == sum(row.total for row in counted) == total.amount + total.tax
        assert total.amount == sum(rate.amount for rate in total.rates)
        assert total.tax == sum(rate.tax for rate in total.rates)


def test_about_three_in_a_hundred_have_no_original_and_some_originals_differ() -> None:
    rows = truth(invoices=1_000).rows
    assert 15 < sum(not row.has_original for row in rows) < 45
    assert any(row.differs for row in rows)


def test_tax_codes_are_unassigned_and_have_valid_check_digits() -> None:
    codes = companies(100)
    assert len(set(codes)) == 100
    assert all(code.startswith("99") and tax_code.is_valid(code) for code in codes)
    assert {len(party.mst) for party in partners()} == {10, 12}


def test_a_company_without_cash_register_has_no_cash_register_invoices() -> None:
    without = next(code for code in companies(10) if not has_cash_register(code))
    assert {row.family for row in truth(without).rows} == {"query"}
    assert {row.family for row in truth().rows} == {"query", "sco-query"}


def test_the_months_can_span_two_years() -> None:
    rows = truth(months=MonthRange(2026, 11, 4)).rows
    assert {f"{row.day:%Y-%m}" for row in rows} == {"2026-11", "2026-12", "2027-01", "2027-02"}
    assert len({row.key for row in rows}) == len(rows)
