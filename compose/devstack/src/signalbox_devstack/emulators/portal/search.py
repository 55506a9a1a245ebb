"""Searching invoices: the subset of RSQL that the portal accepts, its limits, and pagination. Pure."""

import hashlib
import re
from calendar import monthrange
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Final

import msgspec
from msgspec import Struct

from signalbox_core import base64url
from signalbox_devstack.emulators.portal.errors import INTERNAL, MANY_SORTS, RANGE, PortalError
from signalbox_devstack.emulators.portal.invoice_index import (
    Direction,
    Family,
    InvoiceIndex,
    InvoiceSlot,
    kinds_of,
)
from signalbox_devstack.emulators.portal.invoices import Invoice, invoice_at, state_of

MAX_SIZE: Final = 50
_CLAUSE: Final = re.compile(r"(\w+)(==|=ge=|=le=)([^;=]+)")
_MOMENT: Final = "%d/%m/%YT%H:%M:%S"
_TEXTS: Final[Mapping[str, Callable[[Invoice], object]]] = {
    "nbmst": lambda invoice: invoice.seller.mst,
    "nmmst": lambda invoice: invoice.buyer.mst if invoice.buyer else None,
    "khmshdon": lambda invoice: invoice.form,
    "khhdon": lambda invoice: invoice.series,
    "shdon": lambda invoice: invoice.number,
}


class InvoiceQuery(Struct, frozen=True, kw_only=True):
    """A parsed search.

    Attributes:
        first, last: days in Hanoi, both inclusive.
        same: further members that must be equal.
    """

    direction: Direction
    family: Family
    first: date
    last: date
    status: int | None = None
    state: int | None = None
    same: tuple[tuple[str, str], ...] = ()


class PageCursor(Struct, frozen=True, array_like=True):
    offset: int
    digest: str


class SearchPage(Struct, frozen=True):
    """One page of a result. `state` is the cursor of the next page; None on the last."""

    invoices: tuple[Invoice, ...]
    total: int
    state: str | None


def read_query(direction: Direction, family: Family, parameters: Mapping[str, str]) -> InvoiceQuery:
    """Parse the search and sort parameters.

    Raises:
        PortalError: with the portal's message; 400 for an invalid search, 500 for an invalid sort.
    """
    sort = parameters.get("sort", "tdlap:desc")
    if "," in sort:
        raise PortalError(500, MANY_SORTS)
    if sort != "tdlap:desc":
        raise PortalError(500, INTERNAL)
    clauses = _clauses(parameters.get("search", ""))
    first, last = _day(clauses, "=ge="), _day(clauses, "=le=")
    if last > _month_after(first):
        raise PortalError(400, RANGE)
    equal = {name: value for (name, operator), value in clauses.items() if operator == "=="}
    return InvoiceQuery(
        direction=direction,
        family=family,
        first=first,
        last=last,
        status=_whole(equal, "ttxly"),
        state=_whole(equal, "tthai"),
        same=tuple((name, value) for name, value in equal.items() if name in _TEXTS),
    )


def read_size(parameters: Mapping[str, str]) -> int:
    """The page size, 15 by default.

    Raises:
        PortalError: 500 unless it is a number from 1 to 50.
    """
    text = parameters.get("size", "15")
    if not text.isdecimal() or not 1 <= int(text) <= MAX_SIZE:
        raise PortalError(500, INTERNAL)
    return int(text)


def page_of(
    index: InvoiceIndex, mst: str, query: InvoiceQuery, *, size: int, state: str | None
) -> SearchPage:
    """One page of the result.

    Raises:
        PortalError: 500 when `state` is not a cursor of this search.
    """
    digest = hashlib.blake2b(msgspec.json.encode((mst, query)), digest_size=9).hexdigest()
    offset = _offset(state, digest) if state else 0
    found = list(_found(index, mst, query))
    here = tuple(invoice_at(index, mst, slot) for slot in islice(found, offset, offset + size))
    after = offset + size
    following = (
        base64url.encode(msgspec.json.encode(PageCursor(after, digest))) if after < len(found) else None
    )
    return SearchPage(here, len(found), following)


def _found(index: InvoiceIndex, mst: str, query: InvoiceQuery) -> Iterator[InvoiceSlot]:
    kinds = [item for item in kinds_of(query.direction, query.family) if query.status in (None, item.status)]
    for slot in index.slots(mst, kinds, query.first, query.last):
        if query.state is not None and state_of(index, mst, slot) != query.state:
            continue
        if query.same and not _is_same(invoice_at(index, mst, slot), query.same):
            continue
        yield slot


def _is_same(invoice: Invoice, wanted: tuple[tuple[str, str], ...]) -> bool:
    return all(str(_TEXTS[name](invoice)) == value for name, value in wanted)


def _clauses(search: str) -> Mapping[tuple[str, str], str]:
    clauses = {}
    for text in search.split(";"):
        found = _CLAUSE.fullmatch(text)
        if (
            found is None
            or found[1] not in ("tdlap", "ttxly", "tthai", *_TEXTS)
            or ((found[1] == "tdlap") == (found[2] == "=="))
        ):
            raise PortalError(400, f"Điều kiện tìm kiếm không hợp lệ: {text[:80]}")
        clauses[found[1], found[2]] = found[3]
    return clauses


def _day(clauses: Mapping[tuple[str, str], str], operator: str) -> date:
    try:
        return datetime.strptime(clauses["tdlap", operator], _MOMENT).date()  # noqa: DTZ007 - days in Hanoi
    except (KeyError, ValueError):
        raise PortalError(400, "Thời gian lập hóa đơn không hợp lệ") from None


def _month_after(day: date) -> date:
    """The last day that a search starting on `day` may include: one month later, minus one day."""
    year, month = divmod(day.year * 12 + day.month, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1])) - timedelta(days=1)


def _whole(equal: Mapping[str, str], name: str) -> int | None:
    if name not in equal:
        return None
    if not equal[name].isdecimal():
        raise PortalError(400, f"Giá trị không hợp lệ: {name}")
    return int(equal[name])


def _offset(state: str, digest: str) -> int:
    try:
        cursor = msgspec.json.decode(base64url.decode(state), type=PageCursor)
    except (ValueError, msgspec.DecodeError):
        raise PortalError(500, INTERNAL) from None
    if cursor.digest != digest or cursor.offset < 0:
        raise PortalError(500, INTERNAL)
    return cursor.offset
