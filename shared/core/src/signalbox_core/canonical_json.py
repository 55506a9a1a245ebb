"""Canonical JSON, its digest, and where two values differ. Pure."""

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec


def canonical_json(value: object) -> bytes:
    """Encode as JSON with sorted members and no white space."""
    return msgspec.json.encode(msgspec.json.decode(msgspec.json.encode(value)), order="sorted")


def sha256_of(value: object) -> str:
    """Compute the SHA-256 of the canonical JSON, hexadecimal."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def first_difference(expected: object, found: object) -> str | None:
    """Return the JSON pointer (RFC 6901) of the first difference; None if the canonical JSON is equal.

    `""` points to the whole value.
    """
    return next(_differences(_plain(expected), _plain(found), ""), None)


def _differences(expected: Any, found: Any, at: str) -> Iterator[str]:
    if isinstance(expected, dict) and isinstance(found, dict):
        for name in sorted(expected.keys() | found.keys()):
            place = f"{at}/{pointer_part(name)}"
            if name in expected and name in found:
                yield from _differences(expected[name], found[name], place)
            else:
                yield place
    elif isinstance(expected, list) and isinstance(found, list):
        for index, (one, other) in enumerate(zip(expected, found, strict=False)):
            yield from _differences(one, other, f"{at}/{index}")
        if len(expected) != len(found):
            yield f"{at}/{min(len(expected), len(found))}"
    elif canonical_json(expected) != canonical_json(found):
        yield at


def pointer_part(name: str) -> str:
    """Escape a member's name for a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def _plain(value: object) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))
