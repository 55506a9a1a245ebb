"""A schema as HTML: its members with type, whether they are required, limits and description."""

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Final

from signalbox_gateway.api.reference.api_document import Schema

_LIMITS: Final[Mapping[str, str]] = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
}
_MAX_VALUES: Final = 12


def prose(text: str) -> str:
    """A text as HTML; what is in backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def schema_details(name: str, schema: Schema) -> str:
    """A component as a folded list of its members."""
    description = f"<p>{prose(str(schema['description']))}</p>" if schema.get("description") else ""
    return (
        f'<details class="schema" id="schema-{escape(name)}"><summary><code>{escape(name)}</code></summary>'
        f"{description}{member_list(schema)}</details>"
    )


def member_list(schema: Schema) -> str:
    """The members of an object; for another schema its type."""
    properties, required = schema.get("properties"), schema.get("required")
    needed = required if isinstance(required, Sequence) else ()
    if not isinstance(properties, Mapping):
        return f"<p>{type_of(schema)}</p>"
    rows = "".join(
        member_row(str(name), part, is_required=name in needed)
        for name, part in properties.items()
        if isinstance(part, Mapping)
    )
    variants = schema.get("oneOf")
    note = (
        f"<p>One of: {', '.join(_variant(item) for item in variants)}.</p>"
        if isinstance(variants, Sequence)
        else ""
    )
    return f'<ul class="members">{rows}</ul>{note}' if rows else "<p>No members.</p>"


def member_row(name: str, schema: Mapping[str, object], *, is_required: bool, note: str = "") -> str:
    """One member or parameter.

    Args:
        note: follows the type, as in `query`.
    """
    facts = [type_of(schema), escape(note), "<strong>required</strong>" if is_required else ""]
    more = " · ".join(filter(None, [*facts, *map(escape, _limits(schema))]))
    description = f"<p>{prose(str(schema['description']))}</p>" if schema.get("description") else ""
    return f"<li><code>{escape(name)}</code> <span>{more}</span>{description}</li>"


def type_of(schema: object) -> str:
    """The type as HTML, with links to components."""
    if not isinstance(schema, Mapping) or not schema:
        return "any JSON"
    if "$ref" in schema:
        name = escape(str(schema["$ref"]).rpartition("/")[2])
        return f'<a href="#schema-{name}">{name}</a>'
    if "const" in schema:
        return f"<code>{escape(str(schema['const']))}</code>"
    if isinstance(listed := schema.get("enum"), Sequence):
        shown = " | ".join(f"<code>{escape(str(item))}</code>" for item in listed[:_MAX_VALUES])
        return f"{shown} | …" if len(listed) > _MAX_VALUES else shown
    alternatives = schema.get("anyOf") or schema.get("oneOf")
    if isinstance(alternatives, Sequence):
        return " or ".join(dict.fromkeys(map(type_of, alternatives)))
    return _named_type(schema)


def _named_type(schema: Mapping[str, object]) -> str:
    kind = schema.get("type")
    if kind == "array":
        return f"list of {type_of(schema.get('items'))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"object of {type_of(schema['additionalProperties'])}"
    if isinstance(kind, Sequence) and not isinstance(kind, str):
        return " or ".join(escape(str(item)) for item in kind)
    form = f" ({escape(str(schema['format']))})" if schema.get("format") else ""
    return f"{escape(str(kind))}{form}" if kind else "any JSON"


def _limits(schema: Mapping[str, object]) -> Iterator[str]:
    for key, text in _LIMITS.items():
        if key in schema:
            yield text.format(schema[key])
    if schema.get("default") is not None:
        yield f"default {schema['default']}"


def _variant(item: object) -> str:
    return escape(str(item.get("title", ""))) if isinstance(item, Mapping) else ""
