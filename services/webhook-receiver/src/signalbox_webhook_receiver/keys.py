"""The key file in memory, read again when it changes; a bad new version is reported and the old keys stay."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from signalbox_core.errors import InvalidInput
from signalbox_core.signatures import KeySet, LoadedKey, decode_key_file, load_key_set

log = logging.getLogger(__name__)


class KeyRing:
    """The keys in use. `get` is a dictionary look-up; only the constructor and `reload` read the file."""

    def __init__(self, path: Path, *, on_bad_reload: Callable[[], None] = lambda: None) -> None:
        """Read the file for the first time.

        Raises:
            InvalidInput: it cannot be read, or a key is weak, private, mistyped or there twice: do not start.
        """
        self._path = path
        self._on_bad_reload = on_bad_reload
        self._body = _read(path)
        self._keys = _load(self._body, path)

    def get(self, keyid: str) -> LoadedKey | None:
        return self._keys.get(keyid)

    def __len__(self) -> int:
        return len(self._keys)

    def reload(self) -> bool:
        """Take over the file if its bytes changed; True when the keys in use are now others."""
        try:
            body = _read(self._path)
            if body == self._body:
                return False
            self._body, keys = body, _load(body, self._path)
        except InvalidInput as error:
            self._on_bad_reload()
            log.error("key file not taken over, the old keys stay", extra={"path": str(self._path), "reason": error.detail})
            return False
        self._keys = keys
        log.info("key file taken over", extra={"path": str(self._path), "keys": len(keys)})
        return True

    async def watch(self, *, every_s: float) -> None:
        """Look at the file every `every_s` seconds, until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            await asyncio.to_thread(self.reload)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"cannot read the key file {path}: {error.strerror}", field="keys") from None


def _load(body: bytes, path: Path) -> KeySet:
    return load_key_set(decode_key_file(body, str(path)), path.parent)
