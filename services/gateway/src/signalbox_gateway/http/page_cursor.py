"""Bytes in URLs: base64url without padding (RFC 4648 §5), and the cursors of paged lists."""

import base64

from signalbox_core.errors import InvalidInput


def encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def decode(text: str) -> bytes:
    """Decode what `encode` returned.

    Raises:
        ValueError: the text is not base64url.
    """
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def invalid_cursor(route: str) -> InvalidInput:
    """The error for a cursor that no response of the route contained."""
    return InvalidInput(f"the cursor is not from a {route}; omit it to start over", field="cursor")
