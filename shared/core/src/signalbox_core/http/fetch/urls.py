"""Checking the URL itself, before any name is resolved."""

from typing import Final

import httpx2

from signalbox_core.errors import InvalidInput

_MAX_CHARS: Final = 2_000


def parse_url(text: str, *, field: str) -> httpx2.URL:
    """An absolute http or https URL with a host and without credentials; the fragment is dropped.

    Raises:
        InvalidInput: with code `invalid_url`; the message names the remedy.
    """
    if len(text) > _MAX_CHARS:
        raise _wrong(f"the address is longer than {_MAX_CHARS} characters; give a shorter one", field)
    try:
        url = httpx2.URL(text.strip())
    except (httpx2.InvalidURL, ValueError) as error:
        raise _wrong(
            f"{text[:80]!r} is not an address; write one like https://shop.example/coffee", field
        ) from error
    if url.scheme not in ("http", "https"):
        raise _wrong(f"{text[:80]!r}: the address must start with http:// or https://", field)
    if not url.host:
        raise _wrong(f"{text[:80]!r} names no host; write one like https://shop.example/coffee", field)
    if url.userinfo:
        raise _wrong(
            "the address carries a user name or password; remove them, the page must be public", field
        )
    if url.port is not None and not 0 < url.port < 65_536:
        raise _wrong(f"{text[:80]!r}: port {url.port} does not exist; leave it out", field)
    return url.copy_with(fragment=None)


def _wrong(detail: str, field: str) -> InvalidInput:
    return InvalidInput(detail, field=field, code="invalid_url")
