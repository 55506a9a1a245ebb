"""Facts that a document states as data (an electronic invoice), and their places in its text. Pure.

Data is exact, so its facts come first: a fact of the text at the same place is left out. When the text of the
pages does not show a value that the data states, the fact has a note on that.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import Final

import phonenumbers
from msgspec import Struct, structs
from stdnum import iban
from stdnum.eu import vat
from stdnum.exceptions import ValidationError

from signalbox_core.formats.currencies import CODES
from signalbox_core.formats.numerals import NUMERAL, read_numeral
from signalbox_pipelines.document_batch.document.contract import EntityType
from signalbox_pipelines.document_batch.document.extract.dates import read_dates
from signalbox_pipelines.document_batch.document.messages import Entity, PageText
from signalbox_pipelines.document_batch.document.structured.model import EInvoice

NOT_SHOWN: Final = "not found in the text of the pages"
_NUMERAL: Final = re.compile(rf"(?<![\w.,]){NUMERAL}")
_SHORT_DATE: Final = re.compile(r"(?<![\d./-])(\d{1,2})([./-])(\d{1,2})\2(\d{2})(?![\d./-])")
_DECIMAL: Final = re.compile(r"[+-]?\d{1,30}(?:\.\d{1,30})?")
_EU: Final = frozenset({*vat.MEMBER_STATES, "el"})
_MAX_NUMERALS: Final = 5_000
Span = tuple[int, int]


class DataFact(Struct, frozen=True, kw_only=True):
    """A value of the data, validated.

    Attributes:
        label: what it is, for people: `amount with tax`.
        problem: why it is invalid; None when it is valid.
    """

    type: EntityType
    label: str
    value: str
    currency: str | None = None
    problem: str | None = None


def facts_of(invoice: EInvoice) -> list[DataFact]:
    """Return the facts of an invoice, each value once; a value with two meanings names both."""
    merged: dict[tuple[str, str], DataFact] = {}
    for fact in _all_facts(invoice):
        key = (fact.type, fact.value)
        before = merged.get(key)
        label = f"{before.label}, {fact.label}" if before else fact.label
        merged[key] = structs.replace(fact, label=label)
    return list(merged.values())


def place_facts(page: PageText, facts: Sequence[DataFact], in_text: Sequence[Entity]) -> dict[int, Span]:
    """Find the facts in the text of a page: index of the fact to its position.

    Args:
        in_text: the facts that the text of the page shows.
    """
    if not facts:
        return {}
    shown = {(entity.type, entity.value): (entity.start, entity.end) for entity in reversed(in_text)}
    amounts = _amount_places(page.text) if any(fact.type == "amount" for fact in facts) else {}
    dates = _date_places(page.text) if any(fact.type == "date" for fact in facts) else {}
    compact, positions = _compact(page.text)
    found: dict[int, Span] = {}
    for index, fact in enumerate(facts):
        span = shown.get((fact.type, fact.value))
        if span is None and fact.type == "amount":
            span = amounts.get(abs(Decimal(fact.value))) if _DECIMAL.fullmatch(fact.value) else None
        elif span is None and fact.type == "date":
            span = dates.get(fact.value)
        elif span is None:
            span = _find_compact(fact.value, compact, positions)
        if span is not None:
            found[index] = span
    return found


def data_entity(fact: DataFact, source: str, page: PageText, span: Span) -> Entity:
    """Return the fact as an entity at its place.

    Args:
        source: the name of the attachment or document that states it.
    """
    start, end = span
    entity = _entity(fact, f"{fact.label}, from {source}")
    return structs.replace(entity, text=page.text[start:end], page=page.number, start=start, end=end)


def unplaced_entity(fact: DataFact, source: str, *, has_text: bool) -> Entity:
    """Return a fact that no page shows as an entity at the beginning of the first page.

    Args:
        has_text: whether the pages have text that could show it; a telephone number may be written in many
            forms, so that nothing is said about one.
    """
    remark = f"; {NOT_SHOWN}" if has_text and fact.type != "phone" else ""
    return _entity(fact, f"{fact.label}, from {source}{remark}")


def is_not_shown(entity: Entity) -> bool:
    """Whether the data states the fact and the text of the pages does not show it."""
    return entity.source == "data" and (entity.note or "").endswith(NOT_SHOWN)


def _entity(fact: DataFact, origin: str) -> Entity:
    return Entity(
        type=fact.type,
        text=fact.value,
        value=fact.value,
        page=1,
        start=0,
        end=0,
        valid=fact.problem is None,
        currency=fact.currency,
        note=f"{fact.problem}; {origin}" if fact.problem else origin,
        source="data",
    )


def without_overlaps(entities: Sequence[Entity], spans: Sequence[Span]) -> list[Entity]:
    """Return the entities that overlap none of the spans."""
    return [
        entity
        for entity in entities
        if not any(entity.start < end and start < entity.end for start, end in spans)
    ]


def _all_facts(invoice: EInvoice) -> Iterator[DataFact]:
    dates = {
        "date of issue": invoice.issued_on,
        "date of delivery": invoice.delivered_on,
        "due date": invoice.due_on,
    }
    amounts = {
        "amount without tax": invoice.net,
        "tax": invoice.tax,
        "amount with tax": invoice.gross,
        "amount due": invoice.payable,
    }
    yield from (_date_fact(label, text) for label, text in dates.items() if text)
    yield from (_amount_fact(label, text, invoice.currency) for label, text in amounts.items() if text)
    yield from (_number_fact("iban", "account of the payee", account) for account in invoice.accounts)
    for role, party in (("seller", invoice.seller), ("buyer", invoice.buyer)):
        if party.vat and party.vat[:2].lower() in _EU:
            yield _number_fact("vat", f"VAT number of the {role}", party.vat)
        if party.email and "@" in party.email:
            yield DataFact(type="email", label=f"e-mail of the {role}", value=party.email.lower())
        phone = _phone(party.phone or "")
        if phone:
            yield DataFact(type="phone", label=f"telephone of the {role}", value=phone)


def _date_fact(label: str, text: str) -> DataFact:
    try:
        return DataFact(type="date", label=label, value=date.fromisoformat(text[:10]).isoformat())
    except ValueError:
        return DataFact(type="date", label=label, value=text, problem="there is no such day")


def _amount_fact(label: str, text: str, currency: str | None) -> DataFact:
    if not _DECIMAL.fullmatch(text):
        return DataFact(
            type="amount", label=label, value=text, currency=currency, problem="this is no decimal number"
        )
    problem = None if currency in CODES else "its currency is not one of ISO 4217"
    return DataFact(type="amount", label=label, value=_money(text), currency=currency, problem=problem)


def _money(text: str) -> str:
    """Return the number with at least its two decimals: `529.8700` is `529.87`."""
    whole, mark, decimals = text.lstrip("+").partition(".")
    return f"{whole}{mark}{decimals[:2]}{decimals[2:].rstrip('0')}" if mark else whole


def _number_fact(kind: EntityType, label: str, text: str) -> DataFact:
    module = iban if kind == "iban" else vat
    try:
        return DataFact(type=kind, label=label, value=str(module.validate(text)))
    except ValidationError:
        number = re.sub(r"[^0-9A-Z]", "", text.upper())
        problem = "its check digits or its length are wrong"
        return DataFact(type=kind, label=label, value=number or text, problem=problem)


def _phone(text: str) -> str | None:
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _amount_places(text: str) -> Mapping[Decimal, Span]:
    found: dict[Decimal, Span] = {}
    for match in islice(_NUMERAL.finditer(text), _MAX_NUMERALS):
        number = read_numeral(match.group())
        for value in (number.value, number.alternative) if number else ():
            if value is not None:
                found.setdefault(Decimal(value), match.span())
    return found


def _date_places(text: str) -> Mapping[str, Span]:
    found: dict[str, Span] = {}
    for span, days in islice(read_dates(text, None), _MAX_NUMERALS):
        for day in days:
            found.setdefault(day, span)
    for match in islice(_SHORT_DATE.finditer(text), _MAX_NUMERALS):
        day, _, month, year = match.groups()
        found.setdefault(f"20{year}-{int(month):02}-{int(day):02}", match.span())
    return found


def _compact(text: str) -> tuple[str, list[int]]:
    """Return the letters and digits of the text in upper case, and where each stands in the text."""
    kept = [(place, sign.upper()) for place, sign in enumerate(text) if sign.isalnum() or sign in "@+"]
    single = [(place, sign) for place, sign in kept if len(sign) == 1]
    return "".join(sign for _, sign in single), [place for place, _ in single]


def _find_compact(value: str, compact: str, positions: Sequence[int]) -> Span | None:
    wanted, _ = _compact(value)
    at = compact.find(wanted) if wanted else -1
    return (positions[at], positions[at + len(wanted) - 1] + 1) if at >= 0 else None
