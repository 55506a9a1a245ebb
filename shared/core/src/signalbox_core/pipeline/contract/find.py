"""`Find`, which makes a field of an input searchable, and the subject of a run, made from its input."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from types import UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from msgspec import Struct

from signalbox_core.pipeline.contract.search_terms import (
    BY,
    FIND,
    TAG,
    WORD,
    bounded,
    id_terms,
    value_term,
    word_terms,
)
from signalbox_core.secret import Secret

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,40}")
_PART: Final = re.compile(r"\{([^{}]*)\}")
_SCALARS: Final = (str, int, float, Decimal, date, datetime, UUID)
_ITEMS: Final = (list, tuple, set, frozenset)
_MAX_SUBJECT: Final = 200
_MAX_INDEXED: Final = 500
_SEPARATORS: Final = " \t\n·|,;:–—-/"


class Find(Struct, frozen=True):
    """Marks a field of a pipeline's input as searchable: `Annotated[str, Find()]`.

    A run is then found with `find.<name>:<value>`. The value is stored unencrypted in Temporal's search
    index.

    Attributes:
        name: how the field is called in a search; by default its own name.
    """

    name: str = ""


def find_fields(kind: type[Struct]) -> Mapping[str, str]:
    """Return the searchable fields of an input: the name in a search, and the field's name.

    Raises:
        ValueError: the field is a Secret or has no plain value, its name is malformed or used twice, or it is
            not a field of the input itself.
    """
    return _cached_fields(kind)


def _find_fields(kind: type[Struct]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for field in msgspec.structs.fields(kind):
        path = f"{kind.__name__}.{field.name}"
        marker = next(_field_markers(field.type), None)
        if marker is None:
            if any(True for _ in _nested_markers(field.type, frozenset({kind}))):
                raise ValueError(f"{path} contains a Find; mark a field of the input itself")
            continue
        name = marker.name or field.name
        if _holds(field.type, Secret):
            raise ValueError(
                f"{path} is a Secret and cannot be a Find, because the search index is not encrypted"
            )
        if not all(_is_scalar(part) for part in _item_types(field.type)):
            raise ValueError(f"{path} cannot be a Find; it must be a text, number or date, or a list of such")
        if not _NAME.fullmatch(name):
            raise ValueError(f"{path}: Find name {name!r} must be lower case letters, digits and underscores")
        if name in found:
            raise ValueError(f"{path}: Find name {name!r} is used twice")
        found[name] = field.name
    return found


_cached_fields: Final[Callable[[type[Struct]], Mapping[str, str]]] = cache(_find_fields)


def check_subject(template: str, kind: type[Struct]) -> None:
    """Check the template of a run's subject.

    Raises:
        ValueError: it names a field that the input does not have, that is a Secret or that is not one value.
    """
    for path in _PART.findall(template):
        _resolve(path, kind)
    if "{" in _PART.sub("", template) or "}" in _PART.sub("", template):
        raise ValueError(f"the subject {template!r} has a brace without a counterpart")


def render_subject(template: str, value: Struct) -> str:
    """Return the subject of a run with this input; empty when its fields are."""
    text = _PART.sub(lambda part: _text_at(part[1], value), template)
    return " ".join(text.split()).strip(_SEPARATORS)[:_MAX_SUBJECT]


class RunFacts(Struct, frozen=True, kw_only=True):
    """What a run is found by, besides its input.

    Attributes:
        started_by, starter: the name and the subject of who started it.
    """

    run_id: str
    started_by: str | None = None
    starter: str | None = None
    tags: tuple[str, ...] = ()


def run_terms(subject: str, value: Struct, facts: RunFacts) -> list[str]:
    """Return the search terms of a run.

    Args:
        subject: of the run, as `render_subject` made it.
        value: its input.
    """
    return bounded(_run_terms(subject, value, facts))


def _run_terms(subject: str, value: Struct, facts: RunFacts) -> Iterator[str]:
    yield from (value_term(TAG, tag) for tag in facts.tags)
    found = [
        (name, text[:_MAX_INDEXED])
        for name, field in find_fields(type(value)).items()
        for text in _texts(getattr(value, field))
    ]
    yield from (value_term(f"{FIND}{name}", text) for name, text in found)
    for who in (facts.started_by, facts.starter):
        if who:
            yield value_term(BY, who)
    yield from word_terms(BY, facts.started_by or "")
    yield from id_terms(facts.run_id)
    for text in (subject, *facts.tags, *(text for _, text in found)):
        yield from word_terms(WORD, text)


def _markers(kind: object) -> Iterator[Find]:
    for note in getattr(kind, "__metadata__", ()):
        if isinstance(note, Find):
            yield note
        elif note is Find:
            yield Find()


def _field_markers(kind: object) -> Iterator[Find]:
    """The markers of a field, also those within `... | None`."""
    yield from _markers(kind)
    if get_origin(kind) is Annotated:
        yield from _field_markers(get_args(kind)[0])
    elif get_origin(kind) in (Union, UnionType):
        for part in get_args(kind):
            yield from _field_markers(part)


def _nested_markers(kind: object, seen: frozenset[object]) -> Iterator[Find]:
    yield from _markers(kind)
    if isinstance(kind, type) and issubclass(kind, Struct) and kind not in seen:
        for field in msgspec.structs.fields(kind):
            yield from _nested_markers(field.type, seen | {kind})
    for part in get_args(kind):
        yield from _nested_markers(part, seen)


def _holds(kind: object, wanted: type) -> bool:
    return kind is wanted or any(_holds(part, wanted) for part in get_args(kind))


def _alternatives(kind: object) -> tuple[object, ...]:
    """The types of a value, without `None` and annotations."""
    if get_origin(kind) is Annotated:
        return _alternatives(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return tuple(part for each in get_args(kind) for part in _alternatives(each))
    return () if kind is type(None) else (kind,)


def _item_types(kind: object) -> tuple[object, ...]:
    """The types of a field's values: of its items when it is a list."""
    parts: list[object] = []
    for each in _alternatives(kind):
        items = [part for part in get_args(each) if part is not Ellipsis]
        parts += [part for item in items for part in _alternatives(item)] if _is_list(each) else [each]
    return tuple(parts)


def _is_list(kind: object) -> bool:
    return kind in _ITEMS or get_origin(kind) in _ITEMS


def _is_scalar(kind: object) -> bool:
    return get_origin(kind) is Literal or (isinstance(kind, type) and issubclass(kind, (*_SCALARS, Enum)))


def _resolve(path: str, kind: type[Struct]) -> None:
    name, _, rest = path.partition(".")
    fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
    if name not in fields:
        raise ValueError(f"the subject names {path!r}, but {kind.__name__} has no field {name!r}")
    if _holds(fields[name], Secret):
        raise ValueError(f"the subject names {path!r}, which is a Secret; a subject is shown and searched")
    types = _alternatives(fields[name])
    if len(types) == 1 and isinstance(types[0], type) and issubclass(types[0], Struct) and rest:
        _resolve(rest, types[0])
        return
    allowed = "count" if all(map(_is_list, types)) else "host or .page or .name" if types == (str,) else ""
    if rest and rest not in allowed.split(" or ."):
        raise ValueError(f"the subject names {path!r}; {kind.__name__}.{name} has no part {rest!r}")
    if not rest and not all(map(_is_scalar, types)):
        hint = f"; use {{{name}.count}}" if allowed == "count" else ""
        raise ValueError(f"the subject names {path!r}, which is not one value{hint}")


def _text_at(path: str, value: object) -> str:
    name, _, rest = path.partition(".")
    found = getattr(value, name)
    if found is None or (isinstance(found, Struct) and rest):
        return "" if found is None else _text_at(rest, found)
    if rest:
        return _PARTS[rest](found)
    return next(iter(_texts(found)), "")


def _texts(value: object) -> Sequence[str]:
    if value is None:
        return ()
    if isinstance(value, _ITEMS):
        return [text for item in value for text in _texts(item)]
    return (str(value.value if isinstance(value, Enum) else value),)


def _host(url: str) -> str:
    """The host of a URL; empty when it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _page(url: str) -> str:
    """Host and path of a URL: no query, which may hold a token, and no user."""
    host = _host(url)
    return f"{host}{urlsplit(url).path}".rstrip("/") if host else ""


def _last_part(path: str) -> str:
    """The last part of a path or of a URL's path."""
    try:
        return urlsplit(path).path.rstrip("/").rpartition("/")[2]
    except ValueError:
        return ""


def _count(items: Sequence[object]) -> str:
    return str(len(items)) if items else ""


_PARTS: Final[Mapping[str, Callable[[Any], str]]] = {
    "host": _host,
    "page": _page,
    "name": _last_part,
    "count": _count,
}
