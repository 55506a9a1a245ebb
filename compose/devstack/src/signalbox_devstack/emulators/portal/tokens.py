"""Session tokens like the portal's: JSON Web Tokens for one taxpayer, signed with HMAC-SHA-512."""

import base64
import hashlib
import hmac
from typing import Final

import msgspec
from msgspec import Struct

_HEADER: Final = base64.urlsafe_b64encode(b'{"alg":"HS512"}').rstrip(b"=").decode()


class SessionClaims(Struct, frozen=True, kw_only=True):
    """The claims. `exp` and `iat` are in seconds since 1970; `jti` identifies the session."""

    sub: str
    type: int
    exp: int
    iat: int
    jti: str


def issue(claims: SessionClaims, key: bytes) -> str:
    signed = f"{_HEADER}.{_text(msgspec.json.encode(claims))}"
    return f"{signed}.{_text(_mac(signed, key))}"


def read(token: str, key: bytes) -> SessionClaims | None:
    """The claims of a token; None when it was not signed with this key."""
    signed, _, mac = token.rpartition(".")
    if not hmac.compare_digest(_text(_mac(signed, key)), mac):
        return None
    return msgspec.json.decode(base64.urlsafe_b64decode(signed.partition(".")[2] + "=="), type=SessionClaims)


def _mac(text: str, key: bytes) -> bytes:
    return hmac.digest(key, text.encode(), hashlib.sha512)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
