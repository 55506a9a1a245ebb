"""JSON with every member once; parsers disagree about the value of a repeated member (RFC 8259 §4)."""

import json
from collections.abc import Callable, Iterator
from typing import Final

_MAX_PATH_CHARS: Final = 200


class _RepetitionFoundError(Exception):
    """An object has a member more than once."""


class _Members(list[tuple[str, object]]):
    """The members of an object in the order of the text, repeated ones included."""


def find_repeated_member(body: bytes) -> str | None:
    """The path of a member that an object has more than once, such as `input.url` or `items[2].id`.

    Returns:
        None if every object has each of its members once.

    Raises:
        ValueError: the body is not JSON in UTF-8.
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
    # Numbers stay text: only names matter, and a long integer would be refused.
    return json.loads(
        text, object_pairs_hook=on_object, parse_constant=_refuse_constant, parse_int=str, parse_float=str
    )


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
