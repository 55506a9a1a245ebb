"""`@target-uri` (RFC 9421 §2.2.2): the same spelling on both sides, from the configured origin."""

from urllib.parse import SplitResult, urlsplit

from signalbox_core.errors import InvalidInput

_DEFAULT_PORTS = {"http": 80, "https": 443}


def parse_origin(url: str, *, field: str) -> str:
    """Normalize an origin as HTTP clients do: `https://Example.com:443/` → `https://example.com`.

    Raises:
        InvalidInput: not an http or https origin, or with a path, query or user name.
    """
    parts = _split(url, field)
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise InvalidInput(
            f"{field} must be an origin without a path, as in https://events.example.com", field=field
        )
    return _origin(parts)


def target_uri(url: str) -> str:
    """Return the target URI of a request to `url`: without fragment, with a path, encoded as in `url`."""
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
