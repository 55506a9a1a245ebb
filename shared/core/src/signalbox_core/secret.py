"""A value that never shows itself: settings hold it in clear, a run's input holds it sealed (signalbox_core.crypto.sealing).

As JSON a secret is a string. Nothing encodes one by accident: msgspec knows the type only through `encode_hook`, which takes sealed
secrets alone, and `decode_hook`, which makes sealed ones. What a caller sends in clear is read at the gateway's door with `clear_hook`.
"""

import re
from typing import Any, Final

MAX_CHARS: Final = 10_000
SEALED: Final = re.compile(r"sealed\.[A-Za-z0-9_-]{1,64}\.[A-Za-z0-9_-]{38,}")
"""`sealed.<key id>.<base64url of nonce and ciphertext>`."""


class Secret:
    """A secret, in clear or sealed. It prints as `Secret(***)`, and as JSON only when sealed."""

    __slots__ = ("_clear", "_sealed")

    def __init__(self, clear: str | None, *, sealed: str | None = None) -> None:
        self._clear = clear
        self._sealed = sealed

    def reveal(self) -> str:
        """The value in clear; a sealed one is opened by an activity: `deps.reveal(secret)`."""
        if self._clear is None:
            raise ValueError("this secret is sealed; open it in an activity: deps.reveal(secret)")
        return self._clear

    @property
    def sealed(self) -> str | None:
        """Its form for history, stores and topics; None while only the clear value is known."""
        return self._sealed

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and (self._clear, self._sealed) == (other._clear, other._sealed)

    def __hash__(self) -> int:
        return hash((self._clear, self._sealed))

    def __reduce__(self) -> Any:
        raise TypeError("a Secret is not pickled")


def encode_hook(value: object) -> object:
    """For msgspec's `enc_hook`: a sealed secret as its string. Raises: TypeError: a secret in clear, or a type that JSON cannot hold."""
    if isinstance(value, Secret) and value.sealed is not None:
        return value.sealed
    raise TypeError(
        "a secret in clear is never encoded"
        if isinstance(value, Secret)
        else f"{type(value).__name__} is no JSON type"
    )


def decode_hook(kind: type, value: object) -> object:
    """For msgspec's `dec_hook` inside the system: only sealed secrets are taken."""
    if kind is not Secret:
        raise TypeError(f"{kind.__name__} is no JSON type")
    if not isinstance(value, str) or not SEALED.fullmatch(value):
        raise ValueError("a secret must come sealed: start runs through the gateway, which seals it")
    return Secret(None, sealed=value)


def clear_hook(kind: type, value: object) -> object:
    """For msgspec's `dec_hook` at the gateway's door: what the caller wrote, whatever it looks like, is the secret in clear."""
    if kind is not Secret:
        raise TypeError(f"{kind.__name__} is no JSON type")
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_CHARS:
        raise ValueError(f"must be a string of 1 to {MAX_CHARS:,} characters")
    return Secret(value)


def schema_hook(kind: type) -> dict[str, object]:
    """For msgspec's `schema_hook`: a form shows a password field, and no answer holds it."""
    if kind is not Secret:
        raise NotImplementedError(f"no JSON Schema for {kind.__name__}")
    return {"type": "string", "format": "password", "writeOnly": True, "minLength": 1, "maxLength": MAX_CHARS}
