"""The supported subset of JSON Schema for answers. Schemas with other keywords are rejected. Pure.

Excluded on purpose: `pattern`, because a caller's regular expression could block a worker, and references to
other documents.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from signalbox_core.errors import InvalidInput

Schema: TypeAlias = dict[str, Any]
"""A JSON Schema.

`Any`, because msgspec has no schema for `object`; the code reads it as `Mapping[str, object]`.
"""
MAX_SCHEMA_BYTES: Final = 32_000
_MAX_DEPTH: Final = 24
_FIELD: Final = "output_schema"
_ANNOTATIONS: Final = frozenset(
    {"title", "description", "examples", "default", "$schema", "$id", "$comment", "deprecated", "readOnly"}
)
_SUBSCHEMA_KEYWORDS: Final = frozenset({"items", "additionalProperties"})
_SUBSCHEMA_MAPS: Final = frozenset({"properties", "$defs"})
_NUMERIC_KEYWORDS: Final = frozenset(
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
    _ANNOTATIONS
    | _SUBSCHEMA_KEYWORDS
    | _SUBSCHEMA_MAPS
    | _NUMERIC_KEYWORDS
    | {"type", "required", "enum", "const", "uniqueItems", "format", "anyOf", "$ref"}
)


def check_schema(schema: Schema) -> None:
    """Check that a schema uses supported keywords only.

    Raises:
        InvalidInput: `field` is the location in the schema.
    """
    size = len(msgspec.json.encode(schema))
    if size > MAX_SCHEMA_BYTES:
        raise InvalidInput(
            f"output_schema has {size} bytes, at most {MAX_SCHEMA_BYTES} are allowed; ask for fewer fields",
            field=_FIELD,
        )
    if (
        schema.get("type") != "object"
        or not isinstance(schema.get("properties"), dict)
        or not schema["properties"]
    ):
        raise InvalidInput(
            'output_schema must be {"type": "object", "properties": {…}} with at least one property',
            field=_FIELD,
        )
    for place, node in _subschemas(schema, _FIELD, 0):
        _check_node(schema, node, place)


def resolve_ref(root: Mapping[str, object], node: Mapping[str, object]) -> Mapping[str, object]:
    """Follow a reference to the root's `$defs`; empty when it cannot be resolved."""
    reference = node.get("$ref")
    if not isinstance(reference, str):
        return node
    places = root.get("$defs")
    found = places.get(reference.removeprefix("#/$defs/")) if isinstance(places, dict) else None
    return found if isinstance(found, dict) else {}


def types_of(node: Mapping[str, object]) -> tuple[str, ...]:
    """Return the types a node allows; empty means any."""
    declared = node.get("type")
    if isinstance(declared, list):
        return tuple(str(name) for name in declared)
    return () if declared is None else (str(declared),)


def _subschemas(node: object, place: str, depth: int) -> Iterator[tuple[str, Mapping[str, object]]]:
    if isinstance(node, bool):
        return
    if not isinstance(node, dict):
        raise InvalidInput(f"{place} must be a schema (an object)", field=place)
    if depth > _MAX_DEPTH:
        raise InvalidInput(
            f"{place} is nested deeper than {_MAX_DEPTH} levels; flatten the schema", field=place
        )
    yield place, node
    for name, child in _children(node, place):
        yield from _subschemas(child, name, depth + 1)


def _children(node: Mapping[str, object], place: str) -> Iterator[tuple[str, object]]:
    yield from ((f"{place}.{name}", node[name]) for name in sorted(_SUBSCHEMA_KEYWORDS & node.keys()))
    for name in sorted(_SUBSCHEMA_MAPS & node.keys()):
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
        known = ", ".join(sorted(KEYWORDS - _ANNOTATIONS))
        raise InvalidInput(
            f"{place}: keyword {unknown[0]!r} is not supported; use one of {known}", field=place
        )
    wrong = [kind for kind in types_of(node) if kind not in _TYPES]
    if wrong:
        raise InvalidInput(
            f"{place}: there is no type {wrong[0]!r}; use one of {', '.join(sorted(_TYPES))}", field=place
        )
    for name in sorted(_NUMERIC_KEYWORDS & node.keys()):
        if isinstance(node[name], bool) or not isinstance(node[name], int | float):
            raise InvalidInput(f"{place}.{name} must be a number", field=place)
    for name in ("required", "enum"):
        if name in node and not isinstance(node[name], list):
            raise InvalidInput(f"{place}.{name} must be a list", field=place)
    if "$ref" in node and not resolve_ref(root, node):
        raise InvalidInput(
            f"{place}: {node['$ref']!r} cannot be resolved; use #/$defs/NAME of this schema", field=place
        )


def strings_in(values: object) -> Sequence[str]:
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []
