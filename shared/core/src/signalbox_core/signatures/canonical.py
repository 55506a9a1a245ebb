"""A fast path for signature fields with one label in canonical form (RFC 9651 §4.1).

The full parser and serializer together cost more than the verification itself. Fields in any other form use
them; a test compares both paths.
"""

import re
from base64 import b64decode
from typing import Final

_KEY: Final = r"[a-z*][a-z0-9_.*-]*"
_STRING: Final = r'"[\x20\x21\x23-\x5b\x5d-\x7e]*"'
_INTEGER: Final = r"(?:0|[1-9][0-9]{0,14})"
_INPUT: Final = re.compile(
    rf"({_KEY})=(\(({_STRING}(?: {_STRING})*)?\)((?:;{_KEY}=(?:{_INTEGER}|{_STRING}))*))"
)
_NAME: Final = re.compile(_STRING)
_PARAMETER: Final = re.compile(rf";({_KEY})=({_INTEGER}|{_STRING})")
_SIGNATURE: Final = re.compile(
    rf"({_KEY})=:((?:[A-Za-z0-9+/]{{4}})*(?:[A-Za-z0-9+/]{{2}}==|[A-Za-z0-9+/]{{3}}=)?):"
)


def read_input(text: str) -> tuple[str, list[str], dict[str, int | str], str] | None:
    """Return label, components, parameters and the serialized inner list; None when not canonical."""
    found = _INPUT.fullmatch(text)
    if found is None:
        return None
    pairs = _PARAMETER.findall(found[4])
    parameters: dict[str, int | str] = {
        name: value[1:-1] if value[0] == '"' else int(value) for name, value in pairs
    }
    if len(parameters) < len(pairs):
        return None
    return found[1], [name[1:-1] for name in _NAME.findall(found[3] or "")], parameters, found[2]


def read_signature(text: str) -> tuple[str, bytes] | None:
    """Return label and bytes; None when not canonical."""
    found = _SIGNATURE.fullmatch(text)
    return (found[1], b64decode(found[2])) if found else None
