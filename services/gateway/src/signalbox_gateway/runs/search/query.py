"""The query language of runs: `status:failed by:minh find.invoice:0815 coffee`. Pure.

See docs/find.md. A query is split into terms of a closed alphabet, so that no text of it reaches the
visibility store.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal, NoReturn, get_args

from msgspec import Struct

from signalbox_core.errors import InvalidInput
from signalbox_core.events.snapshot import RunStatus
from signalbox_core.pipeline.contract.search_terms import BY, ERROR, FIND, STEP, TAG, words

MAX_CHARS: Final = 500
_MAX_PARTS: Final = 30
_PART: Final = re.compile(r'(?:[^\s"]|"[^"]*")+')
_KEY: Final = re.compile(r"([a-z][a-z0-9_.]*):(?!//)(.*)", re.IGNORECASE | re.DOTALL)
_AGE: Final = re.compile(r"(\d{1,4})([mhdw])")
_YEARS: Final = range(1971, 2200)
_UNITS: Final = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_KEYS: Final = ("status", "pipeline", BY, TAG, "started", "ended", ERROR, STEP)
SEARCHED_STATUSES: Final[tuple[RunStatus, ...]] = (
    "running",
    "completed",
    "failed",
    "cancelled",
    "terminated",
    "timed_out",
)
"""The states by which the visibility store can filter."""
OpenState = Literal["waiting", "blocked", "queued"]
"""What the gateway knows of open runs, and the visibility store does not."""
_OPEN_STATES: Final[tuple[OpenState, ...]] = get_args(OpenState)
_OTHER_STATES: Final = frozenset(get_args(RunStatus)) - {*SEARCHED_STATUSES, *_OPEN_STATES}


class Period(Struct, frozen=True, kw_only=True):
    """Instants from `since` (included) to `until` (excluded)."""

    since: datetime | None = None
    until: datetime | None = None


class SearchQuery(Struct, frozen=True, kw_only=True):
    """What all runs of a list have in common.

    Attributes:
        open_states: a run is in one of them; never given together with `statuses`.
        terms: the values of a key, any of which a run has: of `by`, `tag`, `error`, `step`, `find.<name>`.
        words: all of them occur in the run's subject, id, tags or `Find` fields.
    """

    statuses: tuple[RunStatus, ...] = ()
    open_states: tuple[OpenState, ...] = ()
    pipelines: tuple[str, ...] = ()
    started: tuple[Period, ...] = ()
    ended: tuple[Period, ...] = ()
    terms: Mapping[str, tuple[str, ...]] = {}
    words: tuple[str, ...] = ()


def parse_query(
    text: str,
    *,
    pipelines: Collection[str],
    find_names: Collection[str],
    now: datetime,
    types: Collection[str] = (),
) -> SearchQuery:
    """Parse a query.

    Args:
        pipelines: the installed ones.
        find_names: the names of their `Find` fields.
        now: aware UTC; what ages such as `7d` refer to.
        types: those of the tenant's plain workflows, which count as pipelines.

    Raises:
        InvalidInput: the query is malformed; the message names the part and the remedy.
    """
    found: dict[str, list[str]] = {}
    free: list[str] = []
    for part in _parts(text):
        match = _KEY.fullmatch(part)
        if match is None:
            free += _words_of(part, part)
            continue
        key, value = match[1].lower(), _value(match[2])
        _check_key(key, find_names)
        if not value:
            _refuse(f"{key}: has no value; write {key}:VALUE without a space after the colon")
        found.setdefault(key, []).append(value)
    statuses, open_states = _states(found.pop("status", ()))
    return SearchQuery(
        statuses=statuses,
        open_states=open_states,
        pipelines=tuple(
            value if value in types else _pipeline(value, pipelines) for value in found.pop("pipeline", ())
        ),
        started=tuple(_period("started", value, now) for value in found.pop("started", ())),
        ended=tuple(_period("ended", value, now) for value in found.pop("ended", ())),
        terms={key: tuple(_searchable(key, value) for value in values) for key, values in found.items()},
        words=tuple(dict.fromkeys(free)),
    )


def named_pipelines(text: str) -> Sequence[str]:
    """Return the values of `pipeline:` in a query.

    Raises:
        InvalidInput: the query cannot be split.
    """
    matches = filter(None, map(_KEY.fullmatch, _parts(text)))
    return [_value(match[2]) for match in matches if match[1].lower() == "pipeline"]


def _value(text: str) -> str:
    return text.replace('"', "").strip()


def _parts(text: str) -> Sequence[str]:
    if len(text) > MAX_CHARS:
        _refuse(f"the query has {len(text)} characters; {MAX_CHARS} are the most")
    if text.count('"') % 2:
        _refuse('a quotation mark is missing; write "two words"')
    parts = _PART.findall(text)
    if len(parts) > _MAX_PARTS:
        _refuse(f"the query has {len(parts)} parts; {_MAX_PARTS} are the most")
    return parts


def _check_key(key: str, find_names: Collection[str]) -> None:
    if key in _KEYS or (key.startswith(FIND) and key.removeprefix(FIND) in find_names):
        return
    known = [*_KEYS, *(f"{FIND}{name}" for name in sorted(find_names))]
    _refuse(
        f"{key}: is not a search key; use {', '.join(known)}, or put a text with a colon in quotation marks"
    )


def _states(values: Sequence[str]) -> tuple[tuple[RunStatus, ...], tuple[OpenState, ...]]:
    known = [value.lower() for value in values]
    open_states = tuple(value for value in known if value in _OPEN_STATES)
    statuses = tuple(_status(value) for value in known if value not in _OPEN_STATES)
    if open_states and statuses:
        _refuse(
            f"status:{open_states[0]} and status:{statuses[0]} cannot be combined; search for each of them"
        )
    return statuses, open_states


def _status(value: str) -> RunStatus:
    found = next((status for status in SEARCHED_STATUSES if value.lower() == status), None)
    if found is None:
        is_open = value.lower() in _OTHER_STATES
        reason = "the search index only has it as running" if is_open else "there is no such status"
        _refuse(f"status:{value}: {reason}; use {', '.join((*SEARCHED_STATUSES, *_OPEN_STATES))}")
    return found


def _pipeline(value: str, pipelines: Collection[str]) -> str:
    if value.lower() in pipelines:
        return value.lower()
    raise unknown_pipeline(value, pipelines, field="q")


def unknown_pipeline(name: str, pipelines: Collection[str], *, field: str) -> InvalidInput:
    """The refusal of a filter by a pipeline that is neither installed nor the type of a plain workflow."""
    installed = ", ".join(sorted(pipelines)) or "none"
    return InvalidInput(
        f"there is no pipeline {name[:60]!r}; installed: {installed}", field=field, code="unknown_pipeline"
    )


def _searchable(key: str, value: str) -> str:
    _words_of(value, f"{key}:{value}")
    return value


def _words_of(value: str, part: str) -> Sequence[str]:
    found = words(value)
    if not found:
        _refuse(f"{part}: has no letter or digit to search for")
    return found


def _period(key: str, value: str, now: datetime) -> Period:
    if age := _AGE.fullmatch(value):
        return Period(since=now - int(age[1]) * _UNITS[age[2]])
    first, is_range, last = value.partition("..")
    if is_range:
        return Period(since=_instants(key, first)[0], until=_instants(key, last)[1])
    operator = next((sign for sign in (">=", "<=", ">", "<") if value.startswith(sign)), "")
    begin, end = _instants(key, value.removeprefix(operator))
    return Period(
        since={">": end, ">=": begin, "": begin}.get(operator),
        until={"<": begin, "<=": end, "": end}.get(operator),
    )


def _instants(key: str, text: str) -> tuple[datetime, datetime]:
    """The begin of a day and of the next one; of a time, itself and the next second."""
    try:
        is_day = len(text) == len("2026-01-31")
        begin = datetime.combine(date.fromisoformat(text), time()) if is_day else datetime.fromisoformat(text)
        begin = begin.replace(tzinfo=UTC) if begin.tzinfo is None else begin.astimezone(UTC)
        if begin.year not in _YEARS:
            raise ValueError
        return begin, begin + (timedelta(days=1) if is_day else timedelta(seconds=1))
    except (ValueError, OverflowError):
        _refuse(
            f"{key}:{text}: is not a time; use an age (7d, 12h), a day (2026-01-31), >2026-01-31, "
            "2026-01-01..2026-01-31, or a time (2026-01-31T09:30)"
        )


def _refuse(detail: str) -> NoReturn:
    raise InvalidInput(detail, field="q", code="invalid_query")
