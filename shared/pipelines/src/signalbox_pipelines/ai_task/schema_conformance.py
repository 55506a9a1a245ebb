"""Does a value fit a schema? Every keyword that `schemas` admits, in bounded time. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from operator import ge, gt, le, lt
from typing import Final
from uuid import UUID

import msgspec

from signalbox_pipelines.ai_task.schemas import defined, names, types_of

MAX_PROBLEMS: Final = 20
_MAX_STEPS: Final = 50_000
_MAX_DEPTH: Final = 64
_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")
_URI: Final = re.compile(r"[a-z][a-z0-9+.-]*:\S+", re.IGNORECASE)
_KINDS: Final = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
_OF_NUMBERS: Final = {"minimum": ge, "maximum": le, "exclusiveMinimum": gt, "exclusiveMaximum": lt}
_LIMITS: Final[Mapping[str, Mapping[str, Callable[[float, float], bool]]]] = {
    "integer": _OF_NUMBERS,
    "number": _OF_NUMBERS,
    "string": {"minLength": ge, "maxLength": le},
    "array": {"minItems": ge, "maxItems": le},
}
_FORMATS: Final[Mapping[str, Callable[[str], object]]] = {
    "date": lambda text: len(text) == 10 and date.fromisoformat(text),
    "date-time": lambda text: "T" in text.upper() and datetime.fromisoformat(text),
    "uuid": UUID,
    "email": _EMAIL.fullmatch,
    "uri": _URI.fullmatch,
}


def problems_of(schema: Mapping[str, object], value: object) -> tuple[str, ...]:
    """What does not fit, as sentences that name the place; empty when the value conforms. At most MAX_PROBLEMS."""
    checking = _Checking(schema)
    found = []
    for problem in checking.look(schema, value, "the answer", 0):
        found.append(problem)
        if len(found) == MAX_PROBLEMS:
            break
    return tuple(found)


class _Checking:
    """One check. Steps are counted, as nested choices and references can multiply."""

    def __init__(self, root: Mapping[str, object]) -> None:
        self._root = root
        self._steps = 0

    def look(self, node: object, value: object, place: str, depth: int) -> Iterator[str]:
        self._steps += 1
        if self._steps > _MAX_STEPS or depth > _MAX_DEPTH:
            yield f"{place} is too deep or the schema too branched to be checked"
            return
        if isinstance(node, bool) or not isinstance(node, Mapping):
            if node is False:
                yield f"{place} is not allowed"
            return
        if "$ref" in node:
            yield from self.look(defined(self._root, node), value, place, depth + 1)
        yield from _own(node, value, place)
        yield from self._choices(node, value, place, depth)
        if isinstance(value, dict):
            yield from self._members(node, value, place, depth)
        elif isinstance(value, list) and "items" in node:
            for number, item in enumerate(value):
                yield from self.look(node["items"], item, f"{place}[{number}]", depth + 1)

    def _choices(self, node: Mapping[str, object], value: object, place: str, depth: int) -> Iterator[str]:
        choices = node.get("anyOf")
        if not isinstance(choices, list):
            return
        if not any(next(self.look(choice, value, place, depth + 1), None) is None for choice in choices):
            yield f"{place} fits none of the {len(choices)} choices"

    def _members(
        self, node: Mapping[str, object], value: Mapping[str, object], place: str, depth: int
    ) -> Iterator[str]:
        properties = node.get("properties")
        known = properties if isinstance(properties, dict) else {}
        for name in names(node.get("required")):
            if name not in value:
                yield f"{place} lacks {name!r}"
        for name, member in value.items():
            inner = known.get(name, node.get("additionalProperties", True))
            if inner is False:
                yield f"{place} has {name!r}, which the schema does not know"
            else:
                yield from self.look(inner, member, f"{place}.{name}", depth + 1)


def _own(node: Mapping[str, object], value: object, place: str) -> Iterator[str]:
    kinds = types_of(node)
    if kinds and not any(_is(kind, value) for kind in kinds):
        yield f"{place} must be {' or '.join(kinds)}, not {_kind(value)}"
        return
    options = node.get("enum")
    if isinstance(options, list) and not any(_same(option, value) for option in options):
        yield f"{place} must be one of {msgspec.json.encode(options).decode()[:200]}"
    if "const" in node and not _same(node["const"], value):
        yield f"{place} must be {msgspec.json.encode(node['const']).decode()[:200]}"
    yield from _sizes(node, value, place)
    if isinstance(value, str) and not has_format(str(node.get("format", "")), value):
        yield f"{place} must be a {node['format']}, not {value[:60]!r}"


def _sizes(node: Mapping[str, object], value: object, place: str) -> Iterator[str]:
    size = (
        float(value)
        if isinstance(value, int | float)
        else float(len(value))
        if isinstance(value, str | list)
        else 0.0
    )
    for name, fits in _LIMITS.get(_kind(value), {}).items():
        limit = node.get(name)
        if isinstance(limit, int | float) and not fits(size, float(limit)):
            yield f"{place} breaks {name} {limit:g} (it is {size:g})"
    if (
        isinstance(value, list)
        and node.get("uniqueItems") is True
        and len({msgspec.json.encode(item) for item in value}) < len(value)
    ):
        yield f"{place} has an item twice"


def _is(kind: str, value: object) -> bool:
    if kind == "integer":
        return not isinstance(value, bool) and (
            isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        )
    return _kind(value) == kind or (kind == "number" and _kind(value) == "integer")


def _kind(value: object) -> str:
    return "null" if value is None else _KINDS.get(type(value), "object")


def _same(one: object, other: object) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def has_format(name: str, text: str) -> bool:
    """Whether `text` is a `date`, `date-time`, `email`, `uri` or `uuid`; other formats are notes."""
    reads = _FORMATS.get(name)
    try:
        return reads is None or bool(reads(text))
    except ValueError:
        return False
