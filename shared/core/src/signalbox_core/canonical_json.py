"""Canonical JSON, its digest, and where two values differ. Pure."""

import hashlib
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import rfc8785


def canonical_json(value: object) -> bytes:
    """Encode as JSON with sorted members and no white space."""
    return msgspec.json.encode(msgspec.json.decode(msgspec.json.encode(value)), order="sorted")


def sha256_of(value: object) -> str:
    """Compute the SHA-256 of the canonical JSON, hexadecimal."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def jcs_json(value: object) -> bytes:
    """Encode as canonical JSON by RFC 8785 (JCS), which other languages can compute too: 1.0 is 1.

    Raises:
        ValueError: an integer exceeds 2^53 - 1, which RFC 8785 cannot represent.
    """
    return rfc8785.dumps(_plain(value))


def compact_json(value: msgspec.Raw) -> msgspec.Raw:
    """Remove the white space between the tokens of JSON; texts and numbers stay as they are written."""
    return msgspec.Raw(msgspec.json.format(bytes(value), indent=-1))


def normalized_json(value: msgspec.Raw) -> bytes:
    """Encode an answer as canonical JSON in which whole numbers have no fraction: 1.0 is 1."""
    return msgspec.json.encode(_DECODER.decode(value), order="sorted")


def _number(text: str) -> int | float:
    value = float(text)
    return int(value) if value.is_integer() and abs(value) < _MAX_WHOLE else value


_MAX_WHOLE: Final = 2**53 - 1
_DECODER: Final = msgspec.json.Decoder(float_hook=_number)


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


def edited_members(proposed: object, answer: object) -> tuple[str, ...]:
    """Return the JSON pointers, in the answer, of the members that differ from what was proposed.

    A member counts as edited if both have it and its value differs; null in the answer keeps what was
    proposed. Objects in lists are compared with the one of the same name: the first member whose values are
    texts that occur once in either list.
    """
    return tuple(_edits(_plain(proposed), _plain(answer), ""))


def _edits(proposed: Any, answer: Any, at: str) -> Iterator[str]:
    if answer is None:
        return
    if isinstance(proposed, dict) and isinstance(answer, dict):
        for name in answer:
            if name in proposed:
                yield from _edits(proposed[name], answer[name], f"{at}/{pointer_part(name)}")
    elif isinstance(proposed, list) and isinstance(answer, list):
        yield from _item_edits(proposed, answer, at)
    elif canonical_json(proposed) != canonical_json(answer):
        yield at


def _item_edits(proposed: list[Any], answer: list[Any], at: str) -> Iterator[str]:
    name = _naming_member(proposed, answer)
    known = {item[name]: item for item in proposed} if name is not None else dict(enumerate(proposed))
    for index, item in enumerate(answer):
        key = item[name] if name is not None else index
        if key in known:
            yield from _edits(known[key], item, f"{at}/{index}")
        else:
            yield f"{at}/{index}"


def _naming_member(*lists: list[Any]) -> str | None:
    items = [item for each in lists for item in each]
    if not items or not all(isinstance(item, dict) for item in items):
        return None
    for name in items[0]:
        columns = [[item.get(name) for item in each] for each in lists]
        if all(all(isinstance(v, str) for v in found) and len(set(found)) == len(found) for found in columns):
            return str(name)
    return None


def pointer_part(name: str) -> str:
    """Escape a member's name for a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def _plain(value: object) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))
