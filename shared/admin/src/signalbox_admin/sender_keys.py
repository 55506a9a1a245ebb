"""Keys of event senders: makes key pairs, and edits the receiver's key file, which holds public keys only."""

import os
import secrets
from datetime import datetime, timedelta
from pathlib import Path

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


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """Who a key belongs to and what it may send."""

    sender: str
    tenant: str
    events: tuple[str, ...]


class SenderKeys:
    """The records of one key file; every change is checked as the receiver would check it, before it is written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        found = read_key_file(path) if path.exists() else KeyFile(keys=())
        self.records: tuple[KeyRecord, ...] = found.keys
        self._jwks = found.jwks

    def get(self, keyid: str) -> KeyRecord:
        """The record of a keyid.

        Raises:
            NotFound: the file has no such key.
        """
        for record in self.records:
            if record.keyid == keyid:
                return record
        raise NotFound(f"{self._path} has no key {keyid}; `keys list` shows them", field="keyid")

    def add(self, record: KeyRecord) -> None:
        """Add a record.

        Raises:
            Conflict: the keyid is taken.
            InvalidInput: the key is weak or of another type than its algorithm.
        """
        if any(record.keyid == other.keyid for other in self.records):
            raise Conflict(
                f"{self._path} already has a key {record.keyid}; choose another keyid", field="keyid"
            )
        self._save((*self.records, record))

    def change(self, changed: KeyRecord) -> None:
        """Put a record in the place of the one with its keyid."""
        self.get(changed.keyid)
        self._save(tuple(changed if record.keyid == changed.keyid else record for record in self.records))

    def _save(self, records: tuple[KeyRecord, ...]) -> None:
        load_key_set(records, self._path.parent)
        write_key_file(self._path, records, self._jwks)
        self.records = records


def new_key(keys: SenderKeys, grant: Grant, *, keyid: str, private_file: Path) -> KeyRecord:
    """Make an Ed25519 key pair: the private half goes to a file of its own (0600), the public half to the key file."""
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
    write_private(private_file, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    try:
        keys.add(record)
    except BaseException:
        private_file.unlink()
        raise
    return record


def rotate_key(
    keys: SenderKeys, old: KeyRecord, *, keyid: str, private_file: Path, until: datetime
) -> KeyRecord:
    """Make the key that replaces `old`; both verify until `until`, so that senders can change over."""
    grant = Grant(sender=old.sender, tenant=old.tenant, events=old.events)
    new = new_key(keys, grant, keyid=keyid, private_file=private_file)
    if new.sources != old.sources:
        keys.change(replace(new, sources=old.sources))
    keys.change(replace(old, not_after=until if old.not_after is None else min(until, old.not_after)))
    return new


def revoke_key(keys: SenderKeys, keyid: str) -> None:
    """Let a key verify nothing any more; its record stays, so that the keyid is not used again."""
    keys.change(replace(keys.get(keyid), state="revoked"))


def fresh_keyid(sender: str, now: datetime) -> str:
    """A keyid that says whose key it is and from when."""
    return f"{sender}-{now:%Y%m%d}-{secrets.token_hex(3)}"


def overlap_end(now: datetime, hours: float) -> datetime:
    """When the old key of a rotation stops.

    Raises:
        InvalidInput: the overlap is negative.
    """
    if hours < 0:
        raise InvalidInput("--overlap-hours cannot be negative", field="overlap_hours")
    return (now + timedelta(hours=hours)).replace(microsecond=0)


def write_private(path: Path, body: bytes) -> None:
    """Write a new file that only its owner may read.

    Raises:
        Conflict: the file exists; a private key is never overwritten.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise Conflict(f"{path} exists; name a new file for the private key", field="private") from None
    except OSError as error:
        raise InvalidInput(f"cannot write {path}: {error.strerror}", field="private") from None
    with os.fdopen(handle, "wb") as file:
        file.write(body)
