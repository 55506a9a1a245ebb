"""Identifiers: random run ids, deterministic ids, and the check of a caller's run id."""

import hashlib
import re
import secrets
import time
from typing import Final

from signalbox_core.errors import InvalidInput

RUN_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,127}")
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"


def new_run_id(pipeline: str) -> str:
    """A new run id: the pipeline's name, then 26 characters that sort by time (ULID layout, lower case)."""
    stamp = int(time.time() * 1000) << 80 | secrets.randbits(80)
    return f"{pipeline.replace('_', '-')}-{_base32(stamp, 26)}"


def derived_id(*parts: str, length: int = 26) -> str:
    """A deterministic id: base32 of the SHA-256 of the length-prefixed parts."""
    digest = hashlib.sha256("".join(f"{len(part)}:{part}" for part in parts).encode()).digest()
    return _base32(int.from_bytes(digest), 52)[:length]


def parse_run_id(text: str, *, field: str = "run_id") -> str:
    """Return a caller's run id if it is valid.

    Raises:
        InvalidInput: it is not 1 to 128 letters, digits or `._~-`, or does not start with a letter or digit.
    """
    if not RUN_ID.fullmatch(text):
        raise InvalidInput(
            f"{field} must be 1 to 128 letters, digits or ._~- and start with a letter or digit", field=field
        )
    return text


def _base32(number: int, width: int) -> str:
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(5 * (width - 1), -1, -5))
