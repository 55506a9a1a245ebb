"""Decodes and validates request bodies and query parameters; each error names its field and the remedy."""

import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal, TypeVar, Union

import msgspec
from msgspec import Struct

from signalbox_core.errors import InvalidInput
from signalbox_core.http.problems import FieldError, InvalidFields
from signalbox_core.http.strict_json import NumberOutOfRangeError, find_repeated_member
from signalbox_core.secret import clear_hook

T = TypeVar("T", bound=Struct)
_MAX_ERRORS: Final = 50
_MESSAGE: Final = re.compile(r"(?P<message>.*?)(?: - at `(?:key in )?\$?(?P<path>.*)`)?", re.DOTALL)
_TYPE_NAMES: Final[Mapping[str, str]] = {
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


def decode(
    kind: type[T],
    body: bytes | msgspec.Raw,
    *,
    at: str = "",
    dec_hook: Callable[[type, object], object] = clear_hook,
) -> T:
    """Decode JSON into `kind`.

    Args:
        at: the path of `body` in the request (`input`), a prefix of the field paths.
        dec_hook: decodes secrets; must accept and reject the same values as `clear_hook`.

    Raises:
        InvalidFields: fields are missing, unknown or invalid; lists every invalid field of the top level.
        InvalidInput: the body is not JSON (`bad_json`).
    """
    try:
        return msgspec.json.decode(body, type=kind, dec_hook=dec_hook)
    except (msgspec.ValidationError, InvalidInput) as error:
        raise InvalidFields(field_errors(kind, _parse(body), at, error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"{at or 'the body'} is not JSON: {_first_line(error)}", code="bad_json") from None


def check_members(body: bytes) -> None:
    """Refuse a body in which an object has a member twice, instead of using one of the two values.

    Also one with a number out of range: where no type checks it, it would be stored, and not be readable.

    Raises:
        InvalidFields: names the member.
        InvalidInput: the body is too deeply nested, or a number is out of range (`bad_json`).
    """
    try:
        repeated = find_repeated_member(body)
    except RecursionError:
        raise InvalidInput("the body is not JSON: too deeply nested", code="bad_json") from None
    except NumberOutOfRangeError as error:
        raise InvalidInput(f"the body is not JSON: {error}", code="bad_json") from None
    except ValueError:
        # `decode` reports it, with the position.
        return
    if repeated is not None:
        detail = "is given more than once: send it once"
        raise InvalidFields((FieldError(field=repeated or '""', detail=detail),))


def decode_query(kind: type[T], pairs: list[tuple[str, str]]) -> T:
    """Decode query parameters; an empty value counts as absent, a repeated parameter is an error.

    Raises:
        InvalidFields: parameters are unknown, repeated or invalid.
    """
    given = {name: value for name, value in pairs if value != ""}
    repeated = [name for name in given if sum(1 for pair in pairs if pair[0] == name) > 1]
    if repeated:
        raise InvalidFields((FieldError(field=repeated[0], detail="is given more than once: send it once"),))
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidFields(field_errors(kind, given, "", error, strict=False)) from None


def field_errors(
    kind: type[Struct], value: object, at: str, error: Exception, *, strict: bool = True
) -> tuple[FieldError, ...]:
    """Every invalid field of `value`; `error` itself when each field alone is valid."""
    found = tuple(_struct_errors(kind, value, at, strict))[:_MAX_ERRORS]
    return found or (_field_error(error, at, kind),)


def _parse(body: bytes | msgspec.Raw) -> object:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"the body is not JSON: {_first_line(error)}", code="bad_json") from None


def _struct_errors(kind: type[Struct], value: object, at: str, strict: bool) -> Iterator[FieldError]:
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
            yield from _value_errors(field.type, value[name], _join(at, f".{name}"), strict)
        elif field.required:
            yield FieldError(field=_join(at, f".{name}"), detail="is required: add it")


def _value_errors(kind: object, value: object, at: str, strict: bool) -> Iterator[FieldError]:
    inner = _struct_in(kind)
    found = (
        tuple(_struct_errors(inner, value, at, strict))
        if inner is not None and isinstance(value, dict)
        else ()
    )
    if found:
        yield from found
        return
    try:
        # Through JSON, because `msgspec.convert` does not support Raw.
        msgspec.json.decode(msgspec.json.encode(value), type=kind, strict=strict, dec_hook=clear_hook)
    except (msgspec.ValidationError, InvalidInput) as error:
        yield _field_error(error, at, kind)


def _struct_in(kind: object) -> type[Struct] | None:
    """The Struct type behind Annotated and `| None`; None for other types."""
    if typing.get_origin(kind) is typing.Annotated:
        return _struct_in(typing.get_args(kind)[0])
    if typing.get_origin(kind) in (Union, types.UnionType):
        members = [member for member in typing.get_args(kind) if member is not type(None)]
        return _struct_in(members[0]) if len(members) == 1 else None
    return kind if isinstance(kind, type) and issubclass(kind, Struct) else None


def _field_error(error: Exception, at: str, kind: object) -> FieldError:
    if isinstance(error, InvalidInput):
        # Raised by a `__post_init__` of the contract; its field is relative to the Struct.
        return FieldError(
            field=_join(at, f".{error.field}" if error.field else "") or "body", detail=error.detail
        )
    match = _MESSAGE.fullmatch(str(error))
    message, path = (match["message"], match["path"] or "") if match else (str(error), "")
    if missing := re.fullmatch(r"Object missing required field `(.*)`", message):
        return FieldError(field=_join(at, f"{path}.{missing[1]}"), detail="is required: add it")
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", message, re.DOTALL):
        return FieldError(field=_join(at, f"{path}.{unknown[1][:100]}"), detail="is unknown: remove it")
    return FieldError(field=_join(at, path) or "body", detail=_sentence(message, kind))


def _sentence(message: str, kind: object) -> str:
    """msgspec's message as a sentence: "Expected `int` >= 1" becomes "must be an integer >= 1"."""
    if message.startswith("Invalid enum value") and (choices := _choices(kind)):
        return f"must be one of: {', '.join(choices)}"
    text = re.sub(
        r"`([a-z | ]+)`",
        lambda match: " or ".join(_TYPE_NAMES.get(name, name) for name in match[1].split(" | ")),
        message,
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
