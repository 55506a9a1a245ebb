"""JSON that every parser reads alike: every member once (RFC 8259 §4), and no number beyond a double (§6)."""

import json
import math
from collections.abc import Callable, Iterator
from typing import Final

_MAX_PATH_CHARS: Final = 200


# The largest double has 309 digits.
_MAX_DIGITS: Final = 308
_SHOWN_CHARS: Final = 40


class NumberOutOfRangeError(ValueError):
    """The absolute value of a number exceeds that of every double."""


class _RepetitionFoundError(Exception):
    """An object has a member more than once."""


class _Members(list[tuple[str, object]]):
    """The members of an object in the order of the text, repeated ones included."""


def find_repeated_member(body: bytes) -> str | None:
    """The path of a member that an object has more than once, such as `input.url` or `items[2].id`.

    Returns:
        None if every object has each of its members once.

    Raises:
        ValueError: the body is not JSON in UTF-8; `NumberOutOfRangeError` if a number is out of range.
        RecursionError: the body is too deeply nested.
    """
    text = body.decode("utf-8")
    try:
        # Keeps nothing of the body: a megabyte of small objects would take seconds, and much memory.
        _parse(text, _refuse_repetition)
    except _RepetitionFoundError:
        return _path_of_repetition(_parse(text, _Members))
    return None


def _parse(text: str, on_object: Callable[[list[tuple[str, object]]], object]) -> object:
    # Numbers stay text: their values do not matter here.
    return json.loads(
        text,
        object_pairs_hook=on_object,
        parse_constant=_refuse_constant,
        parse_int=_check_integer,
        parse_float=_check_float,
    )


def _check_integer(text: str) -> str:
    if len(text) > _MAX_DIGITS:
        raise _out_of_range(text)
    return text


def _check_float(text: str) -> str:
    if math.isinf(float(text)):
        raise _out_of_range(text)
    return text


def _out_of_range(text: str) -> NumberOutOfRangeError:
    return NumberOutOfRangeError(f"the number {text[:_SHOWN_CHARS]} is out of range")


def _refuse_repetition(members: list[tuple[str, object]]) -> None:
    if len(members) > 1 and len(dict(members)) != len(members):
        raise _RepetitionFoundError


def _path_of_repetition(root: object) -> str | None:
    pending: list[tuple[str, object]] = [("", root)]
    while pending:
        path, value = pending.pop()
        if isinstance(value, _Members) and (name := _repeated_name(value)) is not None:
            return _printable(_join(path, name))
        pending.extend(_children(path, value))
    return None


def _children(path: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, _Members):
        for name, child in value:
            if isinstance(child, list):
                yield _join(path, name), child
    elif isinstance(value, list):
        for index, child in enumerate(value):
            if isinstance(child, list):
                yield f"{path}[{index}]", child


def _repeated_name(members: _Members) -> str | None:
    seen: set[str] = set()
    for name, _ in members:
        if name in seen:
            return name
        seen.add(name)
    return None


def _join(path: str, name: str) -> str:
    joined = f"{path}.{name}" if path else name
    # Bounded, so that a deeply nested body of long names does not take quadratic memory.
    return joined[:_MAX_PATH_CHARS]


def _printable(path: str) -> str:
    """The path without lone surrogates, which cannot be encoded."""
    return path.encode("utf-8", "replace").decode()


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
