"""Decoding what a caller sent into its contract; every fault is named by its field, with the remedy."""

import re
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Final, Literal, TypeVar, Union

import msgspec
from msgspec import Struct

from signalbox_core.errors import InvalidInput
from signalbox_core.http.problems import FieldError, InvalidFields
from signalbox_core.secret import clear_hook

T = TypeVar("T", bound=Struct)
_MAX_FAULTS: Final = 50
_AT: Final = re.compile(r"(?P<what>.*?)(?: - at `(?:key in )?\$?(?P<path>.*)`)?", re.DOTALL)
_WORDS: Final[Mapping[str, str]] = {
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
    "datetime": "a date and time (RFC 3339)",
    "decimal": "a decimal number",
}


def decode(kind: type[T], body: bytes | msgspec.Raw, *, at: str = "") -> T:
    """Decode JSON into `kind`.

    Args:
        at: where `body` sits in the request (`input`), for the paths of the faults.

    Raises:
        InvalidFields: a field is missing, unknown or wrong; all faults of the top level are listed.
        InvalidInput: not JSON (`bad_json`).
    """
    try:
        return msgspec.json.decode(body, type=kind, dec_hook=clear_hook)
    except (msgspec.ValidationError, InvalidInput) as error:
        raise InvalidFields(faults(kind, _plain(body), at, error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"{at or 'the body'} is not JSON: {_first_line(error)}", code="bad_json") from None


def decode_query(kind: type[T], pairs: list[tuple[str, str]]) -> T:
    """Decode query parameters; an empty value counts as absent, a repeated one is a fault."""
    given = {name: value for name, value in pairs if value != ""}
    twice = [name for name in given if sum(1 for pair in pairs if pair[0] == name) > 1]
    if twice:
        raise InvalidFields((FieldError(field=twice[0], detail="is given more than once: send it once"),))
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidFields(faults(kind, given, "", error, strict=False)) from None


def faults(
    kind: type[Struct], value: object, at: str, error: Exception, *, strict: bool = True
) -> tuple[FieldError, ...]:
    """Every fault of `value`; when no field is at fault alone (a rule of the contract's own), the word of `error`."""
    found = tuple(_faults(kind, value, at, strict))[:_MAX_FAULTS]
    return found or (_fault(error, at, kind),)


def _plain(body: bytes | msgspec.Raw) -> object:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"the body is not JSON: {_first_line(error)}", code="bad_json") from None


def _faults(kind: type[Struct], value: object, at: str, strict: bool) -> Iterator[FieldError]:
    if not isinstance(value, dict):
        yield FieldError(field=at or "body", detail="must be an object")
        return
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    if kind.__struct_config__.forbid_unknown_fields:
        known = f"known are: {', '.join(fields)}" if fields else "it takes none"
        for name in value:
            if name not in fields and name != kind.__struct_config__.tag_field:
                yield FieldError(field=_join(at, f".{name[:100]}"), detail=f"is unknown; {known}")
    for name, field in fields.items():
        if name in value:
            yield from _value_faults(field.type, value[name], _join(at, f".{name}"), strict)
        elif field.required:
            yield FieldError(field=_join(at, f".{name}"), detail="is required: add it")


def _value_faults(kind: object, value: object, at: str, strict: bool) -> Iterator[FieldError]:
    inner = _struct_in(kind)
    found = tuple(_faults(inner, value, at, strict)) if inner is not None and isinstance(value, dict) else ()
    if found:
        yield from found
        return
    try:
        # By way of JSON, as `convert` knows no Raw.
        msgspec.json.decode(msgspec.json.encode(value), type=kind, strict=strict, dec_hook=clear_hook)
    except (msgspec.ValidationError, InvalidInput) as error:
        yield _fault(error, at, kind)


def _struct_in(kind: object) -> type[Struct] | None:
    """The Struct that `kind` is, seen through Annotated and `| None`."""
    if typing.get_origin(kind) is typing.Annotated:
        return _struct_in(typing.get_args(kind)[0])
    if typing.get_origin(kind) in (Union, types.UnionType):
        members = [member for member in typing.get_args(kind) if member is not type(None)]
        return _struct_in(members[0]) if len(members) == 1 else None
    return kind if isinstance(kind, type) and issubclass(kind, Struct) else None


def _fault(error: Exception, at: str, kind: object) -> FieldError:
    if isinstance(error, InvalidInput):
        # A contract's own rule names the field within its Struct.
        return FieldError(
            field=_join(at, f".{error.field}" if error.field else "") or "body", detail=error.detail
        )
    match = _AT.fullmatch(str(error))
    what, path = (match["what"], match["path"] or "") if match else (str(error), "")
    if missing := re.fullmatch(r"Object missing required field `(.*)`", what):
        return FieldError(field=_join(at, f"{path}.{missing[1]}"), detail="is required: add it")
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", what, re.DOTALL):
        return FieldError(field=_join(at, f"{path}.{unknown[1][:100]}"), detail="is unknown: remove it")
    return FieldError(field=_join(at, path) or "body", detail=_sentence(what, kind))


def _sentence(what: str, kind: object) -> str:
    """The decoder's message in words: "Expected `int` >= 1" becomes "must be an integer >= 1"."""
    if what.startswith("Invalid enum value") and (choices := _choices(kind)):
        return f"must be one of: {', '.join(choices)}"
    text = re.sub(
        r"`([a-z | ]+)`",
        lambda match: " or ".join(_WORDS.get(word, word) for word in match[1].split(" | ")),
        what,
    )
    text = re.sub(r"^Expected (.*?), got (.*)$", r"must be \1, not \2", text)
    text = re.sub(r"^Expected ", "must be ", text)
    return f"{text[:1].lower()}{text[1:]}"[:500]


def _choices(kind: object) -> list[str]:
    if typing.get_origin(kind) is Literal:
        return [str(choice) for choice in typing.get_args(kind)]
    return [choice for member in typing.get_args(kind) for choice in _choices(member)]


def _join(at: str, path: str) -> str:
    return f"{at}{path}".lstrip(".")


def _first_line(error: Exception) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return "too deeply nested" if isinstance(error, RecursionError) else text[:200]
