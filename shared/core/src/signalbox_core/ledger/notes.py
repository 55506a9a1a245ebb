"""Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint, tlog-cosignature), with Ed25519 keys."""

import hashlib
import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from cryptography.exceptions import InvalidSignature as WrongSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Struct

from signalbox_core.errors import InvalidInput, InvalidSignature
from signalbox_core.ledger.tiles import HASH_BYTES

KeyUse = Literal["log", "witness"]
_TYPES: Final[dict[KeyUse, bytes]] = {"log": b"\x01", "witness": b"\x04"}
_USES: Final = {value: use for use, value in _TYPES.items()}
_PRIVATE: Final = "PRIVATE+KEY"
_SEPARATOR: Final = "\n\n"
_SIGNATURE: Final = re.compile("\u2014 (\\S+) ([A-Za-z0-9+/]+={0,2})")
_NAME: Final = re.compile(r"[^\s+]+")
_KEY_BYTES: Final = 32
_TIMESTAMP_BYTES: Final = 8


class Checkpoint(Struct, frozen=True, kw_only=True):
    """The size and root of a log at one moment (C2SP tlog-checkpoint)."""

    origin: str
    size: int
    root: bytes

    @property
    def body(self) -> str:
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


class NoteVerifier(Struct, frozen=True, kw_only=True):
    """A public key: its name, and whether it signs a log or cosigns as a witness."""

    name: str
    use: KeyUse
    public: bytes

    @property
    def key_id(self) -> bytes:
        return _key_id(self.name, _TYPES[self.use] + self.public)

    @property
    def text(self) -> str:
        """`name+id+key`, as tools for transparency logs exchange it (a vkey)."""
        return _key_text(self.name, self.key_id, _TYPES[self.use] + self.public)

    def matches(self, signature: bytes, body: str) -> bool:
        """Whether `signature`, without the key id, is this key's over the note's body."""
        if self.use == "witness":
            stamp, signature = signature[:_TIMESTAMP_BYTES], signature[_TIMESTAMP_BYTES:]
            body = _cosigned(body, int.from_bytes(stamp, "big"))
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, body.encode())
        except WrongSignature:
            return False
        return True


class NoteSigner:
    """A private key that signs notes.

    Args:
        seed: the Ed25519 private key, 32 bytes.
    """

    def __init__(self, name: str, seed: bytes, *, use: KeyUse = "log") -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self._seed = seed
        self.verifier = NoteVerifier(name=name, use=use, public=self._key.public_key().public_bytes_raw())

    @property
    def private_text(self) -> str:
        """The content of the key file; secret."""
        verifier = self.verifier
        key = _key_text(verifier.name, verifier.key_id, _TYPES[verifier.use] + self._seed)
        return f"{_PRIVATE}+{key}"

    def sign(self, body: str, at: datetime) -> str:
        """The signature line over a note's body; only a witness signs the time."""
        stamp = b""
        if self.verifier.use == "witness":
            seconds = int(at.astimezone(UTC).timestamp())
            stamp, body = seconds.to_bytes(_TIMESTAMP_BYTES, "big"), _cosigned(body, seconds)
        signature = self.verifier.key_id + stamp + self._key.sign(body.encode())
        return f"\u2014 {self.verifier.name} {b64encode(signature).decode()}\n"


def new_signer(name: str, *, use: KeyUse = "log") -> NoteSigner:
    """Generate a key.

    Raises:
        InvalidInput: the name is empty, or contains a space or a plus sign.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"key name {name!r}: use a name without spaces and plus signs", field="name")
    return NoteSigner(name, Ed25519PrivateKey.generate().private_bytes_raw(), use=use)


def read_signer(path: Path) -> NoteSigner:
    """Read a private key file.

    Raises:
        InvalidInput: the file cannot be read, or holds no private key; the message names it.
    """
    try:
        text = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"cannot read the ledger key {path}: {error}", field="ledger_key_file") from None
    if not text.startswith(f"{_PRIVATE}+"):
        raise InvalidInput(
            f"{path} is not a ledger key; create one: signalbox-admin audit new-key", field="ledger_key_file"
        )
    name, use, seed = _parse_key(text.removeprefix(f"{_PRIVATE}+"), is_private=True)
    return NoteSigner(name, seed, use=use)


def parse_verifier(text: str) -> NoteVerifier:
    """Parse a public key, `name+id+key`.

    Raises:
        InvalidInput: it has another form, or its id does not match.
    """
    name, use, public = _parse_key(text.strip(), is_private=False)
    return NoteVerifier(name=name, use=use, public=public)


def sign_checkpoint(checkpoint: Checkpoint, signers: Sequence[NoteSigner], at: datetime) -> str:
    """Write a checkpoint as a signed note."""
    return f"{checkpoint.body}\n{''.join(signer.sign(checkpoint.body, at) for signer in signers)}"


def open_checkpoint(note: str, verifiers: Sequence[NoteVerifier]) -> Checkpoint:
    """Verify a note by every given key, and read its checkpoint. Signatures of other keys are ignored.

    Raises:
        InvalidSignature: the signature of a given key is missing or wrong.
        InvalidInput: the note is malformed.
    """
    checkpoint = parse_checkpoint(note)
    body, signatures = _split_note(note)
    for verifier in verifiers:
        mine = [signature for name, signature in signatures if name == verifier.name]
        matching = [signature[4:] for signature in mine if signature[:4] == verifier.key_id]
        if not any(verifier.matches(signature, body) for signature in matching):
            problem = "does not match" if matching else "is missing"
            raise InvalidSignature(
                f"the signature of {verifier.name} on the checkpoint {problem}", code="wrong_checkpoint"
            )
    return checkpoint


def parse_checkpoint(note: str) -> Checkpoint:
    """Read a checkpoint without verifying it.

    Raises:
        InvalidInput: the note is malformed.
    """
    lines = _split_note(note)[0].split("\n")
    try:
        origin, size, root = lines[0], int(lines[1]), b64decode(lines[2], validate=True)
    except (IndexError, ValueError):
        raise _malformed() from None
    if not origin or size < 0 or len(root) != HASH_BYTES:
        raise _malformed()
    return Checkpoint(origin=origin, size=size, root=root)


def _split_note(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    head, separator, tail = note.rpartition(_SEPARATOR)
    if not separator:
        raise _malformed()
    signatures = []
    for line in tail.splitlines():
        found = _SIGNATURE.fullmatch(line)
        if found is None:
            raise _malformed()
        try:
            signatures.append((found[1], b64decode(found[2], validate=True)))
        except ValueError:
            raise _malformed() from None
    return f"{head}\n", signatures


def _malformed() -> InvalidInput:
    return InvalidInput("the checkpoint is not a signed note of origin, size and root", field="checkpoint")


def _cosigned(body: str, seconds: int) -> str:
    return f"cosignature/v1\ntime {seconds}\n{body}"


def _key_id(name: str, key: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]


def _key_text(name: str, key_id: bytes, key: bytes) -> str:
    return f"{name}+{key_id.hex()}+{b64encode(key).decode()}"


def _parse_key(text: str, *, is_private: bool) -> tuple[str, KeyUse, bytes]:
    problem = InvalidInput("not a key of a signed note; expected name+id+key", field="key")
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    try:
        key = b64decode(encoded, validate=True)
    except ValueError:
        raise problem from None
    use = _USES.get(key[:1])
    if use is None or len(key) != _KEY_BYTES + 1 or not name:
        raise problem
    public = NoteSigner(name, key[1:], use=use).verifier.public if is_private else key[1:]
    if _key_id(name, _TYPES[use] + public).hex() != key_id.lower():
        raise problem
    return name, use, key[1:]
