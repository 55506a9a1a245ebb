"""Validation of a value against a JSON Schema, for the keywords that `schemas` supports, in bounded time.

Pure.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from itertools import islice
from operator import ge, gt, le, lt
from typing import Final
from uuid import UUID

import msgspec

from signalbox_pipelines.ai_task.schemas import resolve_ref, strings_in, types_of

MAX_VIOLATIONS: Final = 20
_MAX_STEPS: Final = 50_000
_MAX_DEPTH: Final = 64
_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")
_URI: Final = re.compile(r"[a-z][a-z0-9+.-]*:\S+", re.IGNORECASE)
_TYPE_NAMES: Final = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
_NUMBER_LIMITS: Final = {"minimum": ge, "maximum": le, "exclusiveMinimum": gt, "exclusiveMaximum": lt}
_LIMITS: Final[Mapping[str, Mapping[str, Callable[[float, float], bool]]]] = {
    "integer": _NUMBER_LIMITS,
    "number": _NUMBER_LIMITS,
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


def find_violations(schema: Mapping[str, object], value: object) -> tuple[str, ...]:
    """Return the violations, each with its location: none if the value is valid, at most MAX_VIOLATIONS."""
    validator = _SchemaValidator(schema)
    return tuple(islice(validator.check(schema, value, "the answer", 0), MAX_VIOLATIONS))


class _SchemaValidator:
    """One validation. Its steps are limited, because nested choices and references can multiply."""

    def __init__(self, root: Mapping[str, object]) -> None:
        self._root = root
        self._steps = 0

    def check(self, node: object, value: object, place: str, depth: int) -> Iterator[str]:
        self._steps += 1
        if self._steps > _MAX_STEPS or depth > _MAX_DEPTH:
            yield f"{place} cannot be checked: the value is too deep or the schema has too many branches"
            return
        if isinstance(node, bool) or not isinstance(node, Mapping):
            if node is False:
                yield f"{place} is not allowed"
            return
        if "$ref" in node:
            yield from self.check(resolve_ref(self._root, node), value, place, depth + 1)
        yield from _check_value(node, value, place)
        yield from self._check_choices(node, value, place, depth)
        if isinstance(value, dict):
            yield from self._check_members(node, value, place, depth)
        elif isinstance(value, list) and "items" in node:
            for number, item in enumerate(value):
                yield from self.check(node["items"], item, f"{place}[{number}]", depth + 1)

    def _check_choices(
        self, node: Mapping[str, object], value: object, place: str, depth: int
    ) -> Iterator[str]:
        choices = node.get("anyOf")
        if not isinstance(choices, list):
            return
        if not any(next(self.check(choice, value, place, depth + 1), None) is None for choice in choices):
            yield f"{place} matches none of the {len(choices)} alternatives"

    def _check_members(
        self, node: Mapping[str, object], value: Mapping[str, object], place: str, depth: int
    ) -> Iterator[str]:
        properties = node.get("properties")
        known = properties if isinstance(properties, dict) else {}
        for name in strings_in(node.get("required")):
            if name not in value:
                yield f"{place} lacks {name!r}"
        for name, member in value.items():
            member_schema = known.get(name, node.get("additionalProperties", True))
            if member_schema is False:
                yield f"{place} has {name!r}, which the schema does not allow"
            else:
                yield from self.check(member_schema, member, f"{place}.{name}", depth + 1)


def _check_value(node: Mapping[str, object], value: object, place: str) -> Iterator[str]:
    kinds = types_of(node)
    if kinds and not any(_has_type(kind, value) for kind in kinds):
        yield f"{place} must be {' or '.join(kinds)}, not {_type_name(value)}"
        return
    options = node.get("enum")
    if isinstance(options, list) and not any(_equal(option, value) for option in options):
        yield f"{place} must be one of {msgspec.json.encode(options).decode()[:200]}"
    if "const" in node and not _equal(node["const"], value):
        yield f"{place} must be {msgspec.json.encode(node['const']).decode()[:200]}"
    yield from _check_limits(node, value, place)
    if isinstance(value, str) and not matches_format(str(node.get("format", "")), value):
        yield f"{place} must be a {node['format']}, not {value[:60]!r}"


def _check_limits(node: Mapping[str, object], value: object, place: str) -> Iterator[str]:
    size = 0.0
    if isinstance(value, int | float):
        size = float(value)
    elif isinstance(value, str | list):
        size = float(len(value))
    for name, fits in _LIMITS.get(_type_name(value), {}).items():
        limit = node.get(name)
        if isinstance(limit, int | float) and not fits(size, float(limit)):
            yield f"{place} breaks {name} {limit:g} (it is {size:g})"
    if (
        isinstance(value, list)
        and node.get("uniqueItems") is True
        and len({msgspec.json.encode(item) for item in value}) < len(value)
    ):
        yield f"{place} has duplicate items"


def _has_type(kind: str, value: object) -> bool:
    if kind == "integer":
        return not isinstance(value, bool) and (
            isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        )
    return _type_name(value) == kind or (kind == "number" and _type_name(value) == "integer")


def _type_name(value: object) -> str:
    return "null" if value is None else _TYPE_NAMES.get(type(value), "object")


def _equal(one: object, other: object) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def matches_format(name: str, text: str) -> bool:
    """Whether `text` is a valid `date`, `date-time`, `email`, `uri` or `uuid`; other formats always match."""
    parse = _FORMATS.get(name)
    try:
        return parse is None or bool(parse(text))
    except ValueError:
        return False
