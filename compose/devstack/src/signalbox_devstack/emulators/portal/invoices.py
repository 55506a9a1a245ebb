"""Generates invoices. Pure: the same seed, company, kind and number give the same invoice."""

import random
from collections.abc import Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Final

from msgspec import Struct

from signalbox_devstack.emulators.portal.companies import Party, company, partners
from signalbox_devstack.emulators.portal.invoice_index import InvoiceIndex, InvoiceSlot

NEW, REPLACING, ADJUSTING, REPLACED, ADJUSTED, CANCELLED = range(1, 7)
"""The portal's `tthai`."""
NOT_COUNTED: Final = frozenset({REPLACED, CANCELLED})
RATES: Final = ("10%", "8%", "8%", "10%", "5%", "0%", "KCT", "KKKNT", "8%", "10%")
_GOODS: Final = (
    ("Cà phê rang xay", "kg"),
    ("Giấy in A4", "ram"),
    ("Dịch vụ vận chuyển", "chuyến"),
    ("Bàn gỗ sồi", "cái"),
    ("Gạo ST25", "kg"),
    ("Đèn bàn LED", "cái"),
    ("Phần mềm kế toán", "gói"),
    ("Ghế văn phòng", "cái"),
)


class InvoiceLine(Struct, frozen=True):
    name: str
    unit: str
    quantity: int
    price: int
    rate: str
    """10%, 8%, 5%, 0%, KCT (not taxable) or KKKNT (not declared)."""

    @property
    def amount(self) -> int:
        return self.quantity * self.price


class TaxRateTotal(Struct, frozen=True):
    """The total for one tax rate, in đồng."""

    rate: str
    amount: int
    tax: int


class LinkedInvoice(Struct, frozen=True):
    """The invoice that another one replaces or adjusts."""

    series: str
    number: int
    day: date


class Invoice(Struct, frozen=True, kw_only=True):
    """One invoice.

    `differs` is the difference in đồng between the total of the original and that of the list row.
    """

    slot: InvoiceSlot
    seller: Party
    buyer: Party | None
    form: int
    series: str
    number: int
    status: int
    state: int
    lines: tuple[InvoiceLine, ...]
    link: LinkedInvoice | None
    has_original: bool
    differs: int

    @property
    def key(self) -> str:
        """The natural key: seller, form, series, number."""
        return f"{self.seller.mst}-{self.form}-{self.series}-{self.number}"

    @property
    def sums(self) -> tuple[TaxRateTotal, ...]:
        return sums_of(self.lines)

    @property
    def amount(self) -> int:
        return sum(line.amount for line in self.lines)

    @property
    def tax(self) -> int:
        return sum(item.tax for item in self.sums)

    @property
    def total(self) -> int:
        return self.amount + self.tax


def sums_of(lines: Sequence[InvoiceLine]) -> tuple[TaxRateTotal, ...]:
    """Totals by rate in order of appearance; tax is rounded per rate, half away from zero."""
    rates = dict.fromkeys(line.rate for line in lines)
    amounts = ((rate, sum(line.amount for line in lines if line.rate == rate)) for rate in rates)
    return tuple(TaxRateTotal(rate, amount, tax_of(amount, rate)) for rate, amount in amounts)


def tax_of(amount: int, rate: str) -> int:
    percent = int(rate[:-1]) if rate.endswith("%") else 0
    return int((Decimal(amount) * percent / 100).quantize(Decimal(1), ROUND_HALF_UP))


@lru_cache(maxsize=4_096)
def invoice_at(index: InvoiceIndex, mst: str, slot: InvoiceSlot) -> Invoice:
    """The invoice of a company in this slot."""
    number, code = slot.number, slot.kind.code
    dice = random.Random(f"{index.seed}/{mst}/{code}/{number}")
    state = state_of(index, mst, slot)
    follows = state in (REPLACING, ADJUSTING)
    other = _partner(index, mst, slot, number - 1 if follows else number)
    before = index.slot(mst, slot.kind, number - 1) if follows else None
    own = company(mst)
    if slot.kind.direction == "purchase" and number % 23 == 5:
        own = Party(f"{mst}-001", f"{own.name} - Chi nhánh 1", own.address)
    is_sale = slot.kind.direction == "sold"
    series = f"{'K' if code[1] == 'K' else 'C'}{slot.day.year % 100}{'M' if code[1] == 'M' else 'T'}SM"
    return Invoice(
        slot=slot,
        seller=own if is_sale else other,
        buyer=(None if code == "SM" and number % 2 else other) if is_sale else own,
        form=1,
        series=series,
        number=_printed_number(index, mst, slot),
        status=slot.kind.status,
        state=state,
        lines=_lines(dice, state=state, is_huge=code == "PC" and number == 3),
        link=LinkedInvoice(series, _printed_number(index, mst, before), before.day) if before else None,
        has_original=dice.random() >= 0.03,
        differs=dice.choice((1_000, -500)) if number % 131 == 77 else 0,
    )


def state_of(index: InvoiceIndex, mst: str, slot: InvoiceSlot) -> int:
    """The invoice's state. Pairs are neighbours: 8 replaces 7, 28 adjusts 27, …

    The first invoice of a month replaces the last of the previous month.
    """
    number = slot.number
    if number % 60 == 50:
        return CANCELLED
    own = _pair(number) or (REPLACED if _ends_month(index, mst, slot) else 0)
    if own:
        return own
    before = index.slot(mst, slot.kind, number - 1)
    opened = (
        0 if before is None else _pair(number - 1) or (REPLACED if _ends_month(index, mst, before) else 0)
    )
    is_open = opened and (number - 1) % 60 != 50
    return {REPLACED: REPLACING, ADJUSTED: ADJUSTING}.get(opened, NEW) if is_open else NEW


def _pair(number: int) -> int:
    return {7: REPLACED, 27: ADJUSTED}.get(number % 40, 0)


def _ends_month(index: InvoiceIndex, mst: str, slot: InvoiceSlot) -> bool:
    """Whether the next invoice is in the next month and neither belongs to another pair."""
    after = index.slot(mst, slot.kind, slot.number + 1)
    is_last = after is not None and (after.day.year, after.day.month) != (slot.day.year, slot.day.month)
    return (
        is_last and not _pair(slot.number - 1) and not _pair(slot.number + 1) and (slot.number + 1) % 60 != 50
    )


def _collides(index: InvoiceIndex, mst: str, slot: InvoiceSlot) -> bool:
    """Whether this invoice has the same series and number as the one before, from another seller."""
    if slot.kind.direction == "sold" or slot.number % 25 != 12:
        return False
    before = index.slot(mst, slot.kind, slot.number - 1)
    return (
        before is not None
        and before.day.year == slot.day.year
        and state_of(index, mst, slot) not in (REPLACING, ADJUSTING)
    )


def _printed_number(index: InvoiceIndex, mst: str, slot: InvoiceSlot) -> int:
    return slot.number if _collides(index, mst, slot) else slot.number + 1


def _partner(index: InvoiceIndex, mst: str, slot: InvoiceSlot, number: int) -> Party:
    known = partners()
    at = random.Random(f"{index.seed}/{mst}/{slot.kind.code}/party/{number}").randrange(len(known))
    if number == slot.number and _collides(index, mst, slot):
        before = index.slot(mst, slot.kind, number - 1)
        opened = before is not None and state_of(index, mst, before) in (REPLACING, ADJUSTING)
        other_partner = random.Random(
            f"{index.seed}/{mst}/{slot.kind.code}/party/{number - 1 - opened}"
        ).randrange(len(known))
        at = at if at != other_partner else (at + 1) % len(known)
    return known[at]


def _lines(dice: random.Random, *, state: int, is_huge: bool) -> tuple[InvoiceLine, ...]:
    """One to eight lines.

    An adjustment is one negative line; a huge amount is one the portal writes with an exponent.
    """
    sign = -1 if state == ADJUSTING else 1
    count = 1 if state == ADJUSTING else dice.randint(1, 8)
    lines = []
    for _ in range(count):
        name, unit = dice.choice(_GOODS)
        price = 14_727_778 if is_huge else dice.randrange(1_000, 900_000)
        lines.append(InvoiceLine(name, unit, sign * dice.randint(1, 40), price, dice.choice(RATES)))
    return tuple(lines)
