"""`@target-uri` (RFC 9421 §2.2.2): one spelling on both sides, from a configured origin, never from a Host header."""

from urllib.parse import SplitResult, urlsplit

from signalbox_core.errors import InvalidInput

_DEFAULT_PORTS = {"http": 80, "https": 443}


def parse_origin(url: str, *, field: str) -> str:
    """`https://Example.com:443/` → `https://example.com`: scheme and authority as browsers and clients send them.

    Raises:
        InvalidInput: not an http or https origin, or it has a path, query or user name.
    """
    parts = _split(url, field)
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise InvalidInput(
            f"{field} must be an origin without a path, as in https://events.example.com", field=field
        )
    return _origin(parts)


def target_uri(url: str) -> str:
    """The target URI that a request to `url` has: no fragment, a path of at least `/`, encoded as it will be sent."""
    parts = _split(url, "url")
    query = f"?{parts.query}" if parts.query else ""
    return f"{_origin(parts)}{parts.path or '/'}{query}"


def _split(url: str, field: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = (
            parts.scheme in _DEFAULT_PORTS
            and bool(parts.hostname)
            and "@" not in parts.netloc
            and (parts.port or 1) > 0
        )
    except ValueError:
        usable = False
    if not usable or not url.isascii() or not url.isprintable():
        raise InvalidInput(
            f"{field} must be an absolute http or https URL, as in https://events.example.com", field=field
        )
    return parts


def _origin(parts: SplitResult) -> str:
    host = parts.hostname or ""
    bracketed = f"[{host}]" if ":" in host else host
    port = "" if parts.port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{bracketed}{port}"
