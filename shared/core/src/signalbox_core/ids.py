"""Identifiers: run ids, run keys (a run id together with its tenant), and deterministic ids.

A run id is unique within its tenant. A run key is unique in the deployment: it is the id of the run's
workflow in Temporal and names the run's stream in Redis. Runs that a release without run keys started have
their run id as workflow id.
"""

import hashlib
import re
import secrets
import time
from typing import Final
from urllib.parse import quote, unquote

from signalbox_core.errors import InvalidInput

RUN_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,127}")
_ALPHANUMERIC: Final = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_UNESCAPED: Final = f"{_ALPHANUMERIC}._-"
_ESCAPED: Final = "wf"
"""Begins a run id whose workflow id begins with an escaped byte."""
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"


def new_run_id(pipeline: str) -> str:
    """A new run id: the pipeline's name, then 26 characters that sort by time (ULID layout, lower case)."""
    stamp = int(time.time() * 1000) << 80 | secrets.randbits(80)
    return f"{pipeline.replace('_', '-')}-{_base32(stamp, 26)}"


def derived_id(*parts: str, length: int = 26) -> str:
    """A deterministic id: base32 of the SHA-256 of the length-prefixed parts."""
    digest = hashlib.sha256("".join(f"{len(part)}:{part}" for part in parts).encode()).digest()
    return _base32(int.from_bytes(digest), 52)[:length]


def run_key(tenant: str, run_id: str) -> str:
    """Return the key of a tenant's run: the percent-encoded tenant, a colon, the run id.

    Injective, because neither part contains a colon; and no run id equals a run key.
    """
    return f"{quote(tenant, safe='')}:{run_id}"


def run_id_of(key: str) -> str:
    """Return the run id of a run key, or of the workflow id of an older run, which is the run id itself."""
    return key.partition(":")[2] if is_run_key(key) else key


def tenant_of(key: str) -> str | None:
    """Return the tenant of a run key; None for the workflow id of an older run, which does not contain it."""
    return unquote(key.partition(":")[0]) if is_run_key(key) else None


def is_run_key(text: str) -> bool:
    """Whether the text names a tenant: it has a colon, and before it no slash."""
    return ":" in text.partition("/")[0]


def plain_run_id(workflow_id: str) -> str | None:
    """Return the run id of a plain workflow, or None if its id is too long to be shown.

    A workflow id that is a valid run id stays as it is. In any other, each byte that a run id cannot have is
    written as `~` and two hexadecimal digits.
    """
    if RUN_ID.fullmatch(workflow_id):
        return workflow_id
    escaped = "".join(
        chr(byte) if chr(byte) in (_UNESCAPED if place else _ALPHANUMERIC) else f"~{byte:02X}"
        for place, byte in enumerate(workflow_id.encode())
    )
    found = f"{_ESCAPED}{escaped}" if escaped.startswith("~") else escaped
    return found if RUN_ID.fullmatch(found) else None


def plain_workflow_ids(run_id: str) -> tuple[str, ...]:
    """Return the ids that a plain workflow with this run id may have, the most likely first."""
    if "~" not in run_id:
        return (run_id,)
    escaped = run_id.removeprefix(_ESCAPED) if run_id.startswith(f"{_ESCAPED}~") else run_id
    try:
        original = unquote(escaped.replace("~", "%"), errors="strict")
    except UnicodeDecodeError:
        return (run_id,)
    return (original, run_id) if plain_run_id(original) == run_id else (run_id,)


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
