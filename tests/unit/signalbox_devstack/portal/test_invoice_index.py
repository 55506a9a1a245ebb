"""The invented invoices: as many as asked for, no two with the same key, the same again from the same seed."""

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
def test_a_company_has_exactly_as_many_invoices_as_asked_for(count: int) -> None:
    assert {len(truth(mst, invoices=count).rows) for mst in companies(5)} == {count}


def test_no_two_invoices_have_the_same_key() -> None:
    keys = [row.key for row in truth(invoices=1_000).rows]
    assert len(set(keys)) == len(keys)


def test_series_and_number_alone_are_not_unique() -> None:
    shared = Counter(row.key.split("-", 1)[1] for row in truth().rows if row.direction == "purchase")
    assert max(shared.values()) > 1


def test_the_same_seed_gives_the_same_and_another_gives_others() -> None:
    assert truth() == truth()
    assert truth(seed=2).totals != truth().totals


def test_every_state_occurs_and_pairs_come_in_twos() -> None:
    states = Counter(row.state for row in truth(invoices=1_000).rows)
    assert set(states) == {1, REPLACING, ADJUSTING, REPLACED, ADJUSTED, CANCELLED}
    assert states[REPLACED] == states[REPLACING]
    assert states[ADJUSTED] == states[ADJUSTING]


def test_a_replacement_may_fall_into_the_month_after() -> None:
    newest_first = truth().rows
    firsts = [row for row in newest_first if row.day == date(2026, 8, 1)]
    assert any(row.state == REPLACING for row in firsts)


def test_totals_leave_out_what_was_replaced_or_cancelled_and_keep_what_was_adjusted() -> None:
    told = truth()
    for total in told.totals:
        rows = [
            row for row in told.rows if (f"{row.day:%Y-%m}", row.direction) == (total.month, total.direction)
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


def test_codes_are_nobodys_and_pass_the_check() -> None:
    codes = companies(100)
    assert len(set(codes)) == 100
    assert all(code.startswith("99") and tax_code.is_valid(code) for code in codes)
    assert {len(party.mst) for party in partners()} == {10, 12}


def test_a_company_without_a_cash_register_has_no_such_invoices() -> None:
    without = next(code for code in companies(10) if not has_cash_register(code))
    assert {row.family for row in truth(without).rows} == {"query"}
    assert {row.family for row in truth().rows} == {"query", "sco-query"}


def test_a_year_may_end_in_the_span() -> None:
    rows = truth(months=MonthRange(2026, 11, 4)).rows
    assert {f"{row.day:%Y-%m}" for row in rows} == {"2026-11", "2026-12", "2027-01", "2027-02"}
    assert len({row.key for row in rows}) == len(rows)
