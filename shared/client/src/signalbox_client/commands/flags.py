"""Translates the JSON Schema of a pipeline's input to command line flags, and flags to the input. Pure."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Final, Literal, NoReturn

import msgspec
from msgspec import Struct

from signalbox_core.errors import InvalidInput

Kind = Literal["secret", "upload", "string", "integer", "number", "boolean", "array", "json"]
_SCALARS: Final[frozenset[str]] = frozenset({"string", "integer", "number", "boolean"})
UPLOAD: Final = "signalbox-upload"
"""The format by which the schema of an `Upload` is recognized."""
_TRUE: Final = frozenset({"true", "yes", "1", "on"})
_FALSE: Final = frozenset({"false", "no", "0", "off"})


class Schema(Struct, frozen=True):
    """The subset of JSON Schema that contracts use."""

    type: str | list[str] | None = None
    title: str = ""
    description: str = ""
    properties: "dict[str, Schema]" = {}
    required: tuple[str, ...] = ()
    items: "Schema | bool | None" = None
    enum: tuple[msgspec.Raw, ...] = ()
    anyOf: "tuple[Schema, ...]" = ()  # noqa: N815 - JSON Schema's name
    format: str | None = None
    default: msgspec.Raw = msgspec.Raw(b"")
    examples: tuple[msgspec.Raw, ...] = ()
    ref: str = msgspec.field(default="", name="$ref")
    defs: "dict[str, Schema]" = msgspec.field(default_factory=dict, name="$defs")

    def resolve(self, schema: "Schema | bool | None") -> "Schema":
        """Follow a `$ref` into `$defs`, and reduce `T | null` to `T`."""
        if not isinstance(schema, Schema):
            return Schema()
        found = self.defs.get(schema.ref.removeprefix("#/$defs/"), schema) if schema.ref else schema
        members = [member for member in found.anyOf if member.type != "null"]
        return self.resolve(members[0]) if len(members) == 1 else found


class Flag(Struct, frozen=True, kw_only=True):
    """One field of the input as a flag."""

    field: str
    kind: Kind
    required: bool
    help: str
    choices: tuple[str, ...] = ()
    items: Kind = "string"

    @property
    def option(self) -> str:
        """`--field-name`; for a secret, `--field-name-file`: other users of a machine can read arguments."""
        return "--" + self.field.replace("_", "-") + ("-file" if self.kind == "secret" else "")


def parse_json(text: str) -> object:
    """Parse JSON.

    Raises:
        ValueError: not JSON, as NaN and Infinity are not; or nested too deeply to be read; or with a number
            beyond a double, which would be sent as null.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_float=_read_float)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _read_float(text: str) -> float:
    return _finite(float(text))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def read_schema(schema: msgspec.Raw) -> Schema:
    return msgspec.json.decode(schema, type=Schema)


def flags_of(schema: Schema) -> tuple[Flag, ...]:
    """One flag per field, in the contract's order."""
    return tuple(_flag(schema, name, field) for name, field in schema.properties.items())


def build_input(
    flags: Sequence[Flag], given: Mapping[str, str], base: Mapping[str, object]
) -> Mapping[str, object]:
    """Build the input from `base`, overridden by the flags that were given.

    Raises:
        InvalidInput: a value does not have its flag's type; `field` names the flag.
    """
    by_name = {flag.field: flag for flag in flags}
    return {**base, **{name: _value(by_name[name], by_name[name].kind, text) for name, text in given.items()}}


def _flag(root: Schema, name: str, field: Schema) -> Flag:
    inner = root.resolve(field)
    items = root.resolve(inner.items)
    kind = _kind(inner)
    if kind == "array" and _kind(items) not in _SCALARS:
        kind = "json"
    enum = items.enum if kind == "array" else inner.enum
    return Flag(
        field=name,
        kind=kind,
        required=name in root.required,
        help=_help(field, inner, kind, enum),
        choices=tuple(_text(value) for value in enum),
        items=_kind(items) if kind == "array" else "string",
    )


def _kind(schema: Schema) -> Kind:
    kinds = (
        [schema.type]
        if isinstance(schema.type, str)
        else [kind for kind in schema.type or [] if kind != "null"]
    )
    if not kinds and schema.enum:
        return "string"
    if schema.properties.get("object", Schema()).format == UPLOAD:
        return "upload"
    match kinds:
        case ["string"] if schema.format == "password":
            return "secret"
        case ["string" | "integer" | "number" | "boolean" | "array" as kind]:
            return kind
        case _:
            return "json"


def _help(field: Schema, inner: Schema, kind: Kind, enum: Sequence[msgspec.Raw]) -> str:
    text = field.description or inner.description or field.title or inner.title
    notes = []
    if enum:
        notes.append(
            f"{'any of' if kind == 'array' else 'one of'} {', '.join(_text(value) for value in enum)}"
        )
    elif kind == "array":
        notes.append("comma-separated")
    elif kind == "json":
        notes.append("as JSON")
    elif kind == "upload":
        notes.append("the path of a file to upload")
    if bytes(field.default):
        notes.append(f"default {_text(field.default)}")
    elif field.examples:
        notes.append(f"for example {_text(field.examples[0])}")
    return f"{text} ({'; '.join(notes)})".strip() if notes else text


def _text(raw: msgspec.Raw) -> str:
    value = msgspec.json.decode(raw)
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return value if isinstance(value, str) else json.dumps(value)


def _value(flag: Flag, kind: Kind, text: str) -> object:
    try:
        return _convert(flag, kind, text)
    except ValueError:
        expected = {
            "integer": "a whole number",
            "number": "a number",
            "boolean": "true or false",
            "json": "JSON",
        }[kind]
        raise InvalidInput(
            f"{flag.option} must be {expected}, not {text[:80]!r}", field=flag.option
        ) from None


def _convert(flag: Flag, kind: Kind, text: str) -> object:
    match kind:
        case "integer":
            return int(text)
        case "number":
            return _finite(float(text))
        case "boolean":
            if text.lower() not in _TRUE | _FALSE:
                raise ValueError
            return text.lower() in _TRUE
        case "array":
            return [_value(flag, flag.items, part.strip()) for part in text.split(",") if part.strip()]
        case "json" | "upload":
            return parse_json(text)
        case _:
            return text


def _finite(number: float) -> float:
    """Raises: ValueError: JSON has no such number."""
    if not math.isfinite(number):
        raise ValueError("a number is too large for JSON")
    return number
