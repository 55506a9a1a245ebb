"""Bytes as text for URLs, JSON and tokens: base64url without padding (RFC 4648 §5)."""

import base64


def encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def decode(text: str) -> bytes:
    """Decode base64url, padded or not.

    Raises:
        ValueError: the text is not base64url.
    """
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def decode_canonical(text: str) -> bytes:
    """Decode exactly what `encode` returns, so that no two texts stand for the same bytes.

    Raises:
        ValueError: the text is not base64url, is padded, or has bits after the last byte.
    """
    value = decode(text)
    if encode(value) != text:
        raise ValueError("not canonical base64url: padding, or bits after the last byte")
    return value
