"""Encryption of values at rest with AES-256-GCM under a ring of keys.

The active key of the ring encrypts ("seals"); every key of the ring decrypts. The file of the ring is
hot-reloaded, so keys are rotated without a restart (docs/security.md).
"""

import base64
import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Meta, Struct

from signalbox_core import base64url
from signalbox_core.errors import InvalidInput, Unavailable
from signalbox_core.patterns import whole
from signalbox_core.process.followed_file import FollowedFile
from signalbox_core.secret import Secret

VARIABLE: Final = "SIGNALBOX_PAYLOAD_KEYS_FILE"
KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_CHECK_FILE_EVERY_S: Final = 1.0
_SECRET_CONTEXT: Final = b"signalbox secret"
_KEY_FINGERPRINT: Final = b"signalbox payload key"
_FINGERPRINT_PREFIX: Final = b"signalbox fingerprint\0"


class PayloadKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One key: 32 bytes in base64."""

    id: Annotated[str, Meta(pattern=whole(r"[A-Za-z0-9_-]{1,64}"))]
    key: str
    made_at: datetime

    def __repr__(self) -> str:
        return f"PayloadKey(id={self.id!r}, key=***)"


class PayloadKeyFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of a key file.

    Attributes:
        active: the id of the key that seals; the other keys open what they sealed before.
    """

    active: str
    keys: tuple[PayloadKey, ...]


class KeyRingState(Struct, frozen=True, kw_only=True):
    """Which key of a ring seals, and by id a fingerprint of each key, which does not reveal it."""

    active: str
    fingerprints: Mapping[str, str]


class _Ciphers(Struct, frozen=True, kw_only=True):
    """A key file, ready for use. `oldest` is the first key of the file; fingerprints are made with it."""

    active: str
    by_id: Mapping[str, AESGCM]
    oldest: bytes
    state: KeyRingState


def new_payload_key() -> PayloadKey:
    """Make a random key; its id begins with the date."""
    now = datetime.now(UTC).replace(microsecond=0)
    key = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    return PayloadKey(id=f"{now:%Y-%m-%d}-{secrets.token_hex(3)}", key=key, made_at=now)


def decode_payload_keys(body: bytes, name: str) -> PayloadKeyFile:
    """Decode and check a key file.

    Args:
        name: of the file, for messages.

    Raises:
        InvalidInput: not a key file, a key that is not 32 bytes, a duplicate id, or an `active` that is not
            among the keys. The message holds no key.
    """
    try:
        file = msgspec.json.decode(body, type=PayloadKeyFile)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{name} is not a file of payload keys: {error}", field=VARIABLE) from None
    _key_bytes(file, name)
    return file


class KeyRing:
    """Seals and opens values with the keys of a file, which is hot-reloaded (checked once a second at most).

    Args:
        clock: monotonic seconds.

    Raises:
        InvalidInput: the file cannot be read or is not a key file; the message names it.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._file = FollowedFile(
            path, _load, content="payload keys", check_every_s=_CHECK_FILE_EVERY_S, clock=clock
        )

    def describe(self) -> KeyRingState:
        """The keys in use, without the keys themselves."""
        return self._file.current().state

    def seal(self, clear: bytes, context: bytes) -> tuple[str, bytes]:
        """Encrypt with the active key.

        Args:
            context: authenticated but not encrypted; `open` must be given the same.

        Returns:
            The id of the key; nonce and ciphertext.
        """
        ciphers = self._file.current()
        nonce = os.urandom(_NONCE_BYTES)
        return ciphers.active, nonce + ciphers.by_id[ciphers.active].encrypt(nonce, clear, context)

    def open(self, key_id: str, sealed: bytes, context: bytes) -> bytes:
        """Decrypt what `seal` returned.

        Raises:
            Unavailable: the ring lacks the key (`payload_key_missing`), or the value does not decrypt
                (`payload_damaged`).
        """
        cipher = self._file.current().by_id.get(key_id)
        if cipher is None:
            raise Unavailable(
                f"payload key {key_id[:64]} is not in {self._path.name}; put it back",
                code="payload_key_missing",
            )
        try:
            return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)
        except (InvalidTag, ValueError):
            raise Unavailable(
                f"a value sealed with payload key {key_id[:64]} is damaged", code="payload_damaged"
            ) from None

    def seal_secret(self, secret: Secret) -> Secret:
        """The secret in its sealed form only."""
        key_id, sealed = self.seal(secret.reveal().encode(), _SECRET_CONTEXT)
        return Secret(None, sealed=f"sealed.{key_id}.{base64url.encode(sealed)}")

    def open_secret(self, secret: Secret) -> Secret:
        """The secret in clear and in its sealed form; one that is not sealed is returned as it is.

        Raises:
            Unavailable: as `open`.
        """
        if secret.sealed is None:
            return secret
        _, key_id, text = secret.sealed.split(".")
        clear = self.open(key_id, base64url.decode(text), _SECRET_CONTEXT)
        return Secret(clear.decode(), sealed=secret.sealed)

    def seal_hook(self, value: object) -> object:
        """For msgspec's `enc_hook`: encodes a secret as its sealed form."""
        return self.seal_secret(_secret(value)).sealed

    def fingerprint_hook(self, value: object) -> object:
        """For msgspec's `enc_hook` where only equality matters: encodes a secret as its fingerprint."""
        return self.fingerprint(_secret(value).reveal())

    def fingerprint(self, text: str) -> str:
        """HMAC-SHA-256 under the oldest key: equal for equal texts, unpredictable without the ring."""
        message = _FINGERPRINT_PREFIX + text.encode()
        return hmac.new(self._file.value.oldest, message, hashlib.sha256).hexdigest()


def open_key_ring(path: str | None) -> KeyRing | None:
    """Open the key ring that a setting names.

    Returns:
        None without a setting: payloads are not encrypted, and inputs may not hold secrets.
    """
    return KeyRing(Path(path)) if path else None


def _load(path: Path) -> _Ciphers:
    try:
        body = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{VARIABLE}: cannot read {path}: {error.strerror}", field=VARIABLE) from None
    file = decode_payload_keys(body, str(path))
    keys = _key_bytes(file, str(path))
    ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
    fingerprints = {
        key_id: hmac.new(key, _KEY_FINGERPRINT, hashlib.sha256).hexdigest() for key_id, key in keys.items()
    }
    return _Ciphers(
        active=file.active,
        by_id=ciphers,
        oldest=next(iter(keys.values())),
        state=KeyRingState(active=file.active, fingerprints=fingerprints),
    )


def _key_bytes(file: PayloadKeyFile, name: str) -> Mapping[str, bytes]:
    keys: dict[str, bytes] = {}
    for record in file.keys:
        try:
            keys[record.id] = base64.b64decode(record.key, validate=True)
        except ValueError:
            keys[record.id] = b""
        if len(keys[record.id]) != KEY_BYTES:
            raise InvalidInput(
                f"{name}: payload key {record.id} must be {KEY_BYTES} bytes in base64", field=VARIABLE
            )
    if len(keys) != len(file.keys) or file.active not in keys:
        raise InvalidInput(
            f"{name}: every payload key needs an id of its own, and `active` must be one of them",
            field=VARIABLE,
        )
    return keys


def _secret(value: object) -> Secret:
    if not isinstance(value, Secret):
        raise TypeError(f"{type(value).__name__} is not a JSON type")
    return value
