"""JSON Schema for answers: the keywords that can be checked fast and without surprises; any other is refused by name. Pure.

Not there on purpose: `pattern` (a caller's expression could keep a worker busy for ever) and references to other documents.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from signalbox_core.errors import InvalidInput

Schema: TypeAlias = dict[str, Any]
"""A JSON Schema. `Any`, because msgspec has no schema for `object`; code here reads it as `Mapping[str, object]`."""
MAX_SCHEMA_BYTES: Final = 32_000
_MAX_DEPTH: Final = 24
_FIELD: Final = "output_schema"
_NOTES: Final = frozenset(
    {"title", "description", "examples", "default", "$schema", "$id", "$comment", "deprecated", "readOnly"}
)
_SCHEMAS: Final = frozenset({"items", "additionalProperties"})
_NAMED: Final = frozenset({"properties", "$defs"})
_NUMBERS: Final = frozenset(
    {
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
    }
)
_TYPES: Final = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})
KEYWORDS: Final = (
    _NOTES
    | _SCHEMAS
    | _NAMED
    | _NUMBERS
    | {"type", "required", "enum", "const", "uniqueItems", "format", "anyOf", "$ref"}
)


def check_schema(schema: Schema) -> None:
    """Refuse what `problems_of` could not check.

    Raises:
        InvalidInput: naming the place in the schema and the remedy.
    """
    size = len(msgspec.json.encode(schema))
    if size > MAX_SCHEMA_BYTES:
        raise InvalidInput(
            f"output_schema has {size} bytes, at most {MAX_SCHEMA_BYTES}: ask for fewer fields", field=_FIELD
        )
    if (
        schema.get("type") != "object"
        or not isinstance(schema.get("properties"), dict)
        or not schema["properties"]
    ):
        raise InvalidInput(
            'output_schema must say {"type": "object", "properties": {…}} and name what to find', field=_FIELD
        )
    for place, node in _nodes(schema, _FIELD, 0):
        _check_node(schema, node, place)


def defined(root: Mapping[str, object], node: Mapping[str, object]) -> Mapping[str, object]:
    """`node` with a reference into the root's `$defs` followed."""
    reference = node.get("$ref")
    if not isinstance(reference, str):
        return node
    places = root.get("$defs")
    found = places.get(reference.removeprefix("#/$defs/")) if isinstance(places, dict) else None
    return found if isinstance(found, dict) else {}


def types_of(node: Mapping[str, object]) -> tuple[str, ...]:
    kind = node.get("type")
    return (
        tuple(str(item) for item in kind)
        if isinstance(kind, list)
        else (str(kind),)
        if kind is not None
        else ()
    )


def _nodes(node: object, place: str, depth: int) -> Iterator[tuple[str, Mapping[str, object]]]:
    if isinstance(node, bool):
        return
    if not isinstance(node, dict):
        raise InvalidInput(f"{place} must be a schema: an object", field=place)
    if depth > _MAX_DEPTH:
        raise InvalidInput(f"{place} is nested more than {_MAX_DEPTH} deep; make it flatter", field=place)
    yield place, node
    for name, inner in _inner(node, place):
        yield from _nodes(inner, name, depth + 1)


def _inner(node: Mapping[str, object], place: str) -> Iterator[tuple[str, object]]:
    yield from ((f"{place}.{name}", node[name]) for name in sorted(_SCHEMAS & node.keys()))
    for name in sorted(_NAMED & node.keys()):
        members = node[name]
        if not isinstance(members, dict):
            raise InvalidInput(f"{place}.{name} must be an object of schemas", field=place)
        yield from ((f"{place}.{name}.{key}", member) for key, member in members.items())
    choices = node.get("anyOf", [])
    if not isinstance(choices, list):
        raise InvalidInput(f"{place}.anyOf must be a list of schemas", field=place)
    yield from ((f"{place}.anyOf.{number}", choice) for number, choice in enumerate(choices))


def _check_node(root: Schema, node: Mapping[str, object], place: str) -> None:
    unknown = sorted(node.keys() - KEYWORDS)
    if unknown:
        known = ", ".join(sorted(KEYWORDS - _NOTES))
        raise InvalidInput(
            f"{place}: keyword {unknown[0]!r} is not supported; supported are: {known}", field=place
        )
    wrong = [kind for kind in types_of(node) if kind not in _TYPES]
    if wrong:
        raise InvalidInput(
            f"{place}: there is no type {wrong[0]!r}; types are: {', '.join(sorted(_TYPES))}", field=place
        )
    for name in sorted(_NUMBERS & node.keys()):
        if isinstance(node[name], bool) or not isinstance(node[name], int | float):
            raise InvalidInput(f"{place}.{name} must be a number", field=place)
    for name in ("required", "enum"):
        if name in node and not isinstance(node[name], list):
            raise InvalidInput(f"{place}.{name} must be a list", field=place)
    if "$ref" in node and not defined(root, node):
        raise InvalidInput(
            f"{place}: {node['$ref']!r} leads nowhere; refer to #/$defs/NAME of this schema", field=place
        )


def names(values: object) -> Sequence[str]:
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []
