"""Content-Digest (RFC 9530): creates the field for a body and checks a received one."""

import hashlib
import hmac
from base64 import b64encode
from typing import Final

import http_sf

from signalbox_core.errors import InvalidSignature

# RFC 9530 §5 registers these two as active; md5, sha, unixsum and the rest are deprecated there.
_ALGORITHMS: Final = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}


def content_digest(body: bytes) -> str:
    """Return the `Content-Digest` field value of a body, with SHA-256."""
    return f"sha-256=:{b64encode(hashlib.sha256(body).digest()).decode()}:"


def check_digest(field: str, body: bytes) -> None:
    """Check every digest in the field against the body.

    Raises:
        InvalidSignature: `digest_malformed`, `digest_unsupported` (not sha-256 or sha-512) or
            `digest_mismatched`.
    """
    if hmac.compare_digest(field.encode("latin-1", "replace"), content_digest(body).encode()):
        return
    for algorithm, digest in _read_digests(field).items():
        if not hmac.compare_digest(_ALGORITHMS[algorithm](body).digest(), digest):
            raise InvalidSignature("Content-Digest does not match the body", code="digest_mismatched")


def _read_digests(field: str) -> dict[str, bytes]:
    malformed = InvalidSignature(
        "Content-Digest must have the form sha-256=:<base64>:", code="digest_malformed"
    )

    def refuse_duplicate(_name: str, _context: str) -> None:
        raise malformed

    try:
        members = http_sf.parse(field.encode("ascii"), tltype="dictionary", on_duplicate_key=refuse_duplicate)
    except (ValueError, TypeError):
        raise malformed from None
    if not isinstance(members, dict) or not members:
        raise malformed
    digests: dict[str, bytes] = {}
    for name, member in members.items():
        value = member[0] if isinstance(member, tuple) else member
        if name not in _ALGORITHMS:
            raise InvalidSignature(
                "Content-Digest must use sha-256 or sha-512 only", code="digest_unsupported"
            )
        if not isinstance(value, bytes) or len(value) != _ALGORITHMS[name]().digest_size:
            raise malformed
        digests[name] = value
    return digests
