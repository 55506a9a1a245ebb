"""HTTP settings of both clients: headers, timeouts, backoff. No I/O."""

from typing import Final, TypedDict
from urllib.parse import urlsplit

import httpx2
import msgspec

from signalbox_core.errors import InvalidInput

UNARY_TIMEOUT: Final = httpx2.Timeout(30.0, connect=5.0)
# Three missed heartbeats mean a dead connection, even if TCP has not noticed.
STREAM_TIMEOUT: Final = httpx2.Timeout(45.0, connect=5.0)
# Each stream keeps a connection for hours. A limit would leave none for other requests, which would fail.
LIMITS: Final = httpx2.Limits(max_connections=None, max_keepalive_connections=20)
BACKOFF_S: Final = (0.2, 0.5, 1.0, 2.0)
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class ClientOptions(TypedDict):
    base_url: str
    headers: dict[str, str]
    trust_env: bool
    limits: httpx2.Limits


def client_options(url: str, api_key: str) -> ClientOptions:
    """Build the arguments of the HTTP client. Proxy settings are ignored for a gateway on this machine.

    Raises:
        InvalidInput: the URL is not http(s), or the key cannot be sent in a header.
    """
    host = _host_of(url)
    if host is None:
        raise InvalidInput(
            f"{url!r} is not a gateway URL: set SIGNALBOX_URL, or --gateway, like http://127.0.0.1:8080",
            field="SIGNALBOX_URL",
        )
    if not api_key.isascii() or not api_key.isprintable():
        raise InvalidInput(
            "the API key contains characters that are not valid in a key: copy SIGNALBOX_API_KEY again",
            field="SIGNALBOX_API_KEY",
        )
    headers = {
        "content-type": "application/json",
        **({"authorization": f"Bearer {api_key}"} if api_key else {}),
    }
    return ClientOptions(base_url=url, headers=headers, trust_env=host not in _LOOPBACK, limits=LIMITS)


def _host_of(url: str) -> str | None:
    """The host of an http(s) URL that a connection can be made to; None for any other text."""
    try:
        httpx2.URL(url)
        parts = urlsplit(url)
        # Reading the port checks its range.
        return parts.hostname if parts.scheme in ("http", "https") and parts.port != 0 else None
    except (httpx2.InvalidURL, ValueError):
        return None


def encode_raw(value: object) -> msgspec.Raw:
    return value if isinstance(value, msgspec.Raw) else msgspec.Raw(msgspec.json.encode(value))
