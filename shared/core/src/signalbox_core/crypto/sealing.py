"""Sealing bytes with AES-256-GCM under a ring of keys: the active one seals, every one of the ring opens.

The file of the ring is read again when it changes, so keys are rotated without a restart (docs/security.md).
"""

import base64
import hashlib
import hmac
import logging
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

from signalbox_core.errors import InvalidInput, Unavailable
from signalbox_core.secret import Secret

log = logging.getLogger(__name__)

VARIABLE: Final = "SIGNALBOX_PAYLOAD_KEYS_FILE"
KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_LOOK_EVERY_S: Final = 1.0
_SECRET: Final = b"signalbox secret"


class PayloadKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One key: 32 bytes, base64."""

    id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    key: str
    made_at: datetime

    def __repr__(self) -> str:
        return f"PayloadKey(id={self.id!r}, key=***)"


class PayloadKeyFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`active` seals; the others open what they sealed before."""

    active: str
    keys: tuple[PayloadKey, ...]


def new_payload_key() -> PayloadKey:
    """A random key with an id that tells its day."""
    now = datetime.now(UTC).replace(microsecond=0)
    key = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    return PayloadKey(id=f"{now:%Y-%m-%d}-{secrets.token_hex(3)}", key=key, made_at=now)


def decode_payload_keys(body: bytes, where: str) -> PayloadKeyFile:
    """Raises: InvalidInput: no key file, a key that is not 32 bytes, an id twice, or no active key; names `where`, never a key."""
    try:
        file = msgspec.json.decode(body, type=PayloadKeyFile)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{where} is no file of payload keys: {error}", field=VARIABLE) from None
    _load(file, where)
    return file


class KeyRing:
    """The keys of a file.

    Args:
        clock: monotonic seconds; the file is looked at once a second at most.

    Raises:
        InvalidInput: it cannot be read, or is no key file; the message names it.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._looked_at = clock()
        self._stamp = _stamp(path)
        self._take(_read(path))

    def seal(self, clear: bytes, context: bytes) -> tuple[str, bytes]:
        """The id of the active key, and nonce and ciphertext. `context` must be the same at opening."""
        self._look()
        nonce = os.urandom(_NONCE_BYTES)
        return self._active, nonce + self._ciphers[self._active].encrypt(nonce, clear, context)

    def open(self, key_id: str, sealed: bytes, context: bytes) -> bytes:
        """What was sealed.

        Raises:
            Unavailable: the ring lacks the key (`payload_key_missing`), or the bytes were changed (`payload_damaged`).
        """
        self._look()
        cipher = self._ciphers.get(key_id)
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
        """The secret with its sealed form."""
        key_id, sealed = self.seal(secret.reveal().encode(), _SECRET)
        return Secret(None, sealed=f"sealed.{key_id}.{base64.urlsafe_b64encode(sealed).decode().rstrip('=')}")

    def open_secret(self, secret: Secret) -> Secret:
        """The secret in clear, sealed form and all. Raises: Unavailable as `open`."""
        if secret.sealed is None:
            return secret
        _, key_id, text = secret.sealed.split(".")
        clear = self.open(key_id, base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), _SECRET)
        return Secret(clear.decode(), sealed=secret.sealed)

    def seal_hook(self, value: object) -> object:
        """For msgspec's `enc_hook`: a secret as its sealed form."""
        if not isinstance(value, Secret):
            raise TypeError(f"{type(value).__name__} is no JSON type")
        return self.seal_secret(value).sealed

    def fingerprint_hook(self, value: object) -> object:
        """For msgspec's `enc_hook`, where only equality counts: a secret as its fingerprint."""
        if not isinstance(value, Secret):
            raise TypeError(f"{type(value).__name__} is no JSON type")
        return self.fingerprint(value.reveal())

    def fingerprint(self, text: str) -> str:
        """Equal for equal texts, and useless without the ring: HMAC-SHA-256 under its oldest key."""
        return hmac.new(self._oldest, b"signalbox fingerprint\0" + text.encode(), hashlib.sha256).hexdigest()

    def _look(self) -> None:
        if self._clock() - self._looked_at < _LOOK_EVERY_S:
            return
        self._looked_at = self._clock()
        stamp = _stamp(self._path)
        if stamp in (None, self._stamp):
            return
        self._stamp = stamp
        try:
            self._take(_read(self._path))
        except InvalidInput as error:
            log.error("payload keys not taken over, the old ones stay", extra={"detail": error.detail})
            return
        log.info("payload keys taken over", extra={"active": self._active, "keys": len(self._ciphers)})

    def _take(self, body: bytes) -> None:
        file = decode_payload_keys(body, str(self._path))
        keys = _load(file, str(self._path))
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._active = file.active
        self._oldest = next(iter(keys.values()))


def open_key_ring(path: str | None) -> KeyRing | None:
    """The ring of a service's setting; None without one: payloads are then in clear, and inputs may hold no secrets."""
    return KeyRing(Path(path)) if path else None


def _load(file: PayloadKeyFile, where: str) -> Mapping[str, bytes]:
    keys: dict[str, bytes] = {}
    for record in file.keys:
        try:
            keys[record.id] = base64.b64decode(record.key, validate=True)
        except ValueError:
            keys[record.id] = b""
        if len(keys[record.id]) != KEY_BYTES:
            raise InvalidInput(
                f"{where}: payload key {record.id} must be {KEY_BYTES} bytes in base64", field=VARIABLE
            )
    if len(keys) != len(file.keys) or file.active not in keys:
        raise InvalidInput(
            f"{where}: every payload key needs an id of its own, and `active` must be one of them",
            field=VARIABLE,
        )
    return keys


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{VARIABLE}: cannot read {path}: {error.strerror}", field=VARIABLE) from None


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
