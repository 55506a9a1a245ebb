"""Session tokens like the portal's: JSON Web Tokens for one taxpayer, signed with HMAC-SHA-512."""

import hashlib
import hmac
from typing import Final

import msgspec
from msgspec import Struct

from signalbox_core import base64url

_HEADER: Final = base64url.encode(b'{"alg":"HS512"}')


class SessionClaims(Struct, frozen=True, kw_only=True):
    """The claims. `exp` and `iat` are in seconds since 1970; `jti` identifies the session."""

    sub: str
    type: int
    exp: int
    iat: int
    jti: str


def issue(claims: SessionClaims, key: bytes) -> str:
    signed = f"{_HEADER}.{base64url.encode(msgspec.json.encode(claims))}"
    return f"{signed}.{base64url.encode(_mac(signed, key))}"


def read(token: str, key: bytes) -> SessionClaims | None:
    """The claims of a token; None when it was not signed with this key."""
    signed, _, mac = token.rpartition(".")
    if not hmac.compare_digest(base64url.encode(_mac(signed, key)), mac):
        return None
    return msgspec.json.decode(base64url.decode(signed.partition(".")[2]), type=SessionClaims)


def _mac(text: str, key: bytes) -> bytes:
    return hmac.digest(key, text.encode(), hashlib.sha512)
