"""Keys of event senders: generates key pairs and edits the receiver's key file (public keys only)."""

import os
import secrets
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from msgspec.structs import replace

from signalbox_core.errors import Conflict, InvalidInput, NotFound
from signalbox_core.signatures import (
    Algorithm,
    KeyFile,
    KeyRecord,
    load_key_set,
    read_key_file,
    write_key_file,
)

_MAX_OVERLAP_HOURS: Final = 876_000


class SenderGrant(msgspec.Struct, frozen=True, kw_only=True):
    """Whose key it is, and which events it may sign."""

    sender: str
    tenant: str
    events: tuple[str, ...]


class SenderKeyStore:
    """The records of one key file. A change is validated as the receiver does it, then written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        found = read_key_file(path) if path.exists() else KeyFile(keys=())
        self.records: tuple[KeyRecord, ...] = found.keys
        self._jwks = found.jwks

    def get(self, keyid: str) -> KeyRecord:
        """The key with this keyid.

        Raises:
            NotFound: the file has no such key.
        """
        for record in self.records:
            if record.keyid == keyid:
                return record
        raise NotFound(f"{self._path} has no key {keyid}; `keys list` lists them", field="keyid")

    def add(self, record: KeyRecord) -> None:
        """Add a record.

        Raises:
            Conflict: the keyid is taken.
            InvalidInput: the key is weak, or does not fit its algorithm.
        """
        if any(record.keyid == other.keyid for other in self.records):
            raise Conflict(
                f"{self._path} already has a key {record.keyid}; choose another keyid", field="keyid"
            )
        self._save((*self.records, record))

    def replace(self, changed: KeyRecord) -> None:
        """Replace the record that has the same keyid."""
        self.get(changed.keyid)
        self._save(tuple(changed if record.keyid == changed.keyid else record for record in self.records))

    def _save(self, records: tuple[KeyRecord, ...]) -> None:
        load_key_set(records, self._path.parent)
        write_key_file(self._path, records, self._jwks)
        self.records = records


def create_key(keys: SenderKeyStore, grant: SenderGrant, *, keyid: str, private_file: Path) -> KeyRecord:
    """Generate an Ed25519 key pair: the private key in a new file (0600), the public one in the key file."""
    private = ed25519.Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    record = KeyRecord(
        keyid=keyid,
        alg=Algorithm.ED25519,
        sender=grant.sender,
        tenant=grant.tenant,
        events=grant.events,
        public_pem=public,
    )
    write_private_key(private_file, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    try:
        keys.add(record)
    except BaseException:
        private_file.unlink()
        raise
    return record


def rotate_key(
    keys: SenderKeyStore, old: KeyRecord, *, keyid: str, private_file: Path, until: datetime
) -> KeyRecord:
    """Create the key that replaces `old`; both are valid until `until`, so that senders can switch."""
    grant = SenderGrant(sender=old.sender, tenant=old.tenant, events=old.events)
    new = create_key(keys, grant, keyid=keyid, private_file=private_file)
    if new.sources != old.sources:
        keys.replace(replace(new, sources=old.sources))
    keys.replace(replace(old, not_after=until if old.not_after is None else min(until, old.not_after)))
    return new


def revoke_key(keys: SenderKeyStore, keyid: str) -> None:
    """Revoke a key; its record stays in the file, so that the keyid is not reused."""
    keys.replace(replace(keys.get(keyid), state="revoked"))


def generate_keyid(sender: str, now: datetime) -> str:
    """A keyid of the sender, the date and six random digits."""
    return f"{sender}-{now:%Y%m%d}-{secrets.token_hex(3)}"


def overlap_end(now: datetime, hours: float) -> datetime:
    """When the old key of a rotation expires.

    Raises:
        InvalidInput: the overlap is negative, or longer than a hundred years.
    """
    if not 0 <= hours <= _MAX_OVERLAP_HOURS:
        raise InvalidInput(
            f"--overlap-hours must be a number from 0 to {_MAX_OVERLAP_HOURS}", field="overlap_hours"
        )
    return (now + timedelta(hours=hours)).replace(microsecond=0)


def write_private_key(path: Path, body: bytes) -> None:
    """Write a new file that only its owner can read.

    Raises:
        Conflict: the file exists; a private key is never overwritten.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise Conflict(
            f"{path} exists already; choose a new file for the private key", field="private"
        ) from None
    except OSError as error:
        raise InvalidInput(f"cannot write {path}: {error.strerror}", field="private") from None
    with os.fdopen(handle, "wb") as file:
        file.write(body)
