"""A value that is never printed.

Settings hold it in clear; a run's input holds it sealed, which means encrypted
(signalbox_core.crypto.sealing). In JSON a secret is a string. It is not encoded by accident: msgspec
handles the type only through `encode_hook`, which accepts sealed secrets only, and `decode_hook`, which
makes sealed ones. The gateway reads what a caller sends in clear with `clear_hook`.
"""

import re
from typing import Any, Final

MAX_CHARS: Final = 10_000
SEALED: Final = re.compile(r"sealed\.[A-Za-z0-9_-]{1,64}\.[A-Za-z0-9_-]{38,}")
"""`sealed.<key id>.<base64url of nonce and ciphertext>`."""


class Secret:
    """A secret in clear, sealed, or both; it prints as `Secret(***)`, and only its sealed form is encoded."""

    __slots__ = ("_clear", "_sealed")

    def __init__(self, clear: str | None, *, sealed: str | None = None) -> None:
        self._clear = clear
        self._sealed = sealed

    def reveal(self) -> str:
        """The value in clear.

        Raises:
            ValueError: only the sealed form is present; an activity opens it with `deps.reveal(secret)`.
        """
        if self._clear is None:
            raise ValueError("this secret is sealed; open it in an activity: deps.reveal(secret)")
        return self._clear

    @property
    def has_clear(self) -> bool:
        """Whether the value in clear is present."""
        return self._clear is not None

    @property
    def sealed(self) -> str | None:
        """The sealed form, for workflow history, stores and topics; None if only the clear one is present."""
        return self._sealed

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and (self._clear, self._sealed) == (other._clear, other._sealed)

    def __hash__(self) -> int:
        return hash((self._clear, self._sealed))

    def __reduce__(self) -> Any:
        raise TypeError("a Secret cannot be pickled")


def encode_hook(value: object) -> object:
    """For msgspec's `enc_hook`: encodes a sealed secret as a string.

    Raises:
        TypeError: a secret in clear, or another type without a JSON form.
    """
    if isinstance(value, Secret) and value.sealed is not None:
        return value.sealed
    raise TypeError(
        "a secret in clear cannot be encoded"
        if isinstance(value, Secret)
        else f"{type(value).__name__} is not a JSON type"
    )


def decode_hook(kind: type, value: object) -> object:
    """For msgspec's `dec_hook` inside the system: accepts sealed secrets only."""
    if kind is not Secret:
        raise TypeError(f"{kind.__name__} is not a JSON type")
    if not isinstance(value, str) or not SEALED.fullmatch(value):
        raise ValueError("a secret must be sealed: start runs through the gateway, which seals it")
    return Secret(None, sealed=value)


def clear_hook(kind: type, value: object) -> object:
    """For msgspec's `dec_hook` in the gateway: any string is a secret in clear, even if it looks sealed."""
    if kind is not Secret:
        raise TypeError(f"{kind.__name__} is not a JSON type")
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_CHARS:
        raise ValueError(f"must be a string of 1 to {MAX_CHARS:,} characters")
    return Secret(value)


def schema_hook(kind: type) -> dict[str, object]:
    """For msgspec's `schema_hook`: a password field in forms, and absent from responses (`writeOnly`)."""
    if kind is not Secret:
        raise NotImplementedError(f"no JSON Schema for {kind.__name__}")
    return {"type": "string", "format": "password", "writeOnly": True, "minLength": 1, "maxLength": MAX_CHARS}
