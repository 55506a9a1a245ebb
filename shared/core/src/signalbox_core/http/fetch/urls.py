"""Validation of a URL, before any name is resolved."""

from typing import Final

import httpx2

from signalbox_core.errors import InvalidInput

_MAX_CHARS: Final = 2_000


def parse_url(text: str, *, field: str) -> httpx2.URL:
    """Parse an absolute http or https URL with a host and without credentials; the fragment is dropped.

    Raises:
        InvalidInput: `invalid_url`.
    """
    if len(text) > _MAX_CHARS:
        raise _invalid(f"the address is longer than {_MAX_CHARS} characters; give a shorter one", field)
    try:
        url = httpx2.URL(text.strip())
    except (httpx2.InvalidURL, ValueError) as error:
        raise _invalid(
            f"{text[:80]!r} is not an address; write one like https://shop.example/coffee", field
        ) from error
    if url.scheme not in ("http", "https"):
        raise _invalid(f"{text[:80]!r}: the address must start with http:// or https://", field)
    if not url.host:
        raise _invalid(f"{text[:80]!r} names no host; write one like https://shop.example/coffee", field)
    if url.userinfo:
        raise _invalid(
            "the address carries a user name or password; remove them, the page must be public", field
        )
    if url.port is not None and not 0 < url.port < 65_536:
        raise _invalid(f"{text[:80]!r}: port {url.port} does not exist; leave it out", field)
    return url.copy_with(fragment=None)


def _invalid(detail: str, field: str) -> InvalidInput:
    return InvalidInput(detail, field=field, code="invalid_url")
