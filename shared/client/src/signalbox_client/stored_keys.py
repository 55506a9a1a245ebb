"""The API keys that `signalbox login` stores: one per gateway, in a file that only its owner can read."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from signalbox_core.errors import InvalidInput


class StoredKeys(Struct, frozen=True, kw_only=True):
    """What the file has.

    Attributes:
        gateway: the URL of the latest login, which is the default.
        keys: API keys by gateway URL. A key is sent to its own gateway only.
    """

    gateway: str = ""
    keys: Mapping[str, str] = {}

    def with_key(self, url: str, key: str) -> "StoredKeys":
        return StoredKeys(gateway=url, keys={**self.keys, url: key})

    def without(self, url: str) -> "StoredKeys":
        keys = {known: key for known, key in self.keys.items() if known != url}
        return StoredKeys(gateway=self.gateway if self.gateway in keys else "", keys=keys)


def keys_path(environ: Mapping[str, str]) -> Path:
    """`$XDG_CONFIG_HOME/signalbox/keys.json`; the folder is `~/.config` by default."""
    base = environ.get("XDG_CONFIG_HOME", "")
    folder = Path(base) if base.startswith("/") else _home(environ) / ".config"
    return folder / "signalbox" / "keys.json"


def _home(environ: Mapping[str, str]) -> Path:
    """The user's folder; `/` for a user without one, as in a container that runs as any number."""
    try:
        return Path(environ.get("HOME") or Path.home())
    except RuntimeError:
        return Path("/")


def read_keys(path: Path) -> StoredKeys:
    """Read the file; empty if there is none.

    Raises:
        InvalidInput: others can read or write the file, or it is damaged.
    """
    try:
        with path.open("rb") as file:
            found, body = os.fstat(file.fileno()), file.read()
    except FileNotFoundError:
        return StoredKeys()
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror}") from None
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise InvalidInput(f"{path} is open to other users: run `chmod 600 {path}`, or delete it and sign in")
    try:
        return msgspec.json.decode(body, type=StoredKeys)
    except (msgspec.DecodeError, msgspec.ValidationError):
        raise InvalidInput(f"{path} is damaged: delete it and sign in again") from None


def write_keys(path: Path, keys: StoredKeys) -> None:
    """Replace the file; it has mode 0600 from its creation on.

    Raises:
        InvalidInput: the folder is not writable.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(msgspec.json.encode(keys))
        partial.replace(path)
    except OSError as error:
        raise InvalidInput(
            f"{path}: {error.strerror}; set XDG_CONFIG_HOME to a folder you can write to"
        ) from None
