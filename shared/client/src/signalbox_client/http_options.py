"""How both clients connect: headers, time limits, what is worth repeating. No I/O."""

from typing import Final, TypedDict
from urllib.parse import urlsplit

import httpx2
import msgspec

from signalbox_core.errors import InvalidInput

UNARY_TIMEOUT: Final = httpx2.Timeout(30.0, connect=5.0)
# A stream that is silent for longer than three heartbeats is dead, whatever TCP says.
STREAM_TIMEOUT: Final = httpx2.Timeout(45.0, connect=5.0)
BACKOFF_S: Final = (0.2, 0.5, 1.0, 2.0)
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class Options(TypedDict):
    base_url: str
    headers: dict[str, str]
    trust_env: bool


def options(url: str, api_key: str) -> Options:
    """Arguments of the HTTP client. A gateway on this machine is never behind a proxy.

    Raises:
        InvalidInput: the address is not http(s), or the key cannot be sent in a header.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidInput(
            f"SIGNALBOX_URL {url!r} must look like http://127.0.0.1:8080", field="SIGNALBOX_URL"
        )
    if not api_key.isascii() or not api_key.isprintable():
        raise InvalidInput(
            "SIGNALBOX_API_KEY has characters that no key has: copy it again", field="SIGNALBOX_API_KEY"
        )
    headers = {
        "content-type": "application/json",
        **({"authorization": f"Bearer {api_key}"} if api_key else {}),
    }
    return Options(base_url=url, headers=headers, trust_env=parts.hostname not in _LOOPBACK)


def raw_json(value: object) -> msgspec.Raw:
    return value if isinstance(value, msgspec.Raw) else msgspec.Raw(msgspec.json.encode(value))
