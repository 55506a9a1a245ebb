"""The JSON file of sender keys, `{"keys": [record, …], "jwks": [source, …]}`; it contains no secrets.

A source is an address where a sender publishes its keys; their sender and permissions are defined in this
file.
"""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from signalbox_core.errors import InvalidInput
from signalbox_core.signatures.jwks import JwksSource
from signalbox_core.signatures.keys import KeyRecord, KeySet, load_key


class KeyFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The content of a key file."""

    keys: tuple[KeyRecord, ...]
    jwks: tuple[JwksSource, ...] = ()


def read_key_file(path: Path) -> KeyFile:
    """Read a key file. Its keys are not checked; `load_key_set` does that.

    Raises:
        InvalidInput: the file cannot be read or is not a key file; the message names the file and the
            position.
    """
    try:
        return msgspec.json.decode(_read(path, "key file"), type=KeyFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"{path} is not a key file: {error}", field="keys") from None


def load_key_set(records: Sequence[KeyRecord], folder: Path) -> KeySet:
    """Parse every record's key material; secrets are read relative to `folder`.

    Raises:
        InvalidInput: a key is weak, of another type than its algorithm, or a duplicate.
    """
    return KeySet(
        load_key(record, lambda name: _read(folder / name, "secret file").strip()) for record in records
    )


def write_key_file(path: Path, records: Sequence[KeyRecord], jwks: Sequence[JwksSource] = ()) -> None:
    """Replace the file atomically, so that a receiver never reads a partial file."""
    replace_file(path, msgspec.json.encode(KeyFile(keys=tuple(records), jwks=tuple(jwks))))


def replace_file(path: Path, document: bytes) -> None:
    """Write an indented JSON document, in one step.

    A file that exists keeps its mode; a new one is readable by its owner only.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.format(document, indent=2) + b"\n")
            os.fchmod(file.fileno(), mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _read(path: Path, kind: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"cannot read the {kind} {path}: {error.strerror}", field="keys") from None
