"""The senders' keys, from the hot-reloaded key file and from the addresses that it names."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path

from signalbox_core.errors import InvalidInput, Unavailable
from signalbox_core.signatures import JwksSource, KeyFile, KeySet, LoadedKey, decode_key_file, load_key_set
from signalbox_webhook_receiver.remote_keys import Fetch, PublishedKeys

log = logging.getLogger(__name__)


class SenderKeys:
    """All keys. For one keyid the file takes precedence over the addresses, in the order of the file."""

    def __init__(self, path: Path, *, fetch: Fetch, on_failure: Callable[[], None] = lambda: None) -> None:
        """Read the file for the first time.

        Args:
            fetch: gives the body at a key address.
            on_failure: called when a new version of file or address could not be taken over.

        Raises:
            InvalidInput: it cannot be read, or a key is weak, private, mistyped or there twice: do not start.
        """
        self._path = path
        self._fetch = fetch
        self._on_failure = on_failure
        self._body = _read(path)
        file, self._keys = _load(self._body, path)
        self._published = self._follow(file.jwks, ())

    def get(self, keyid: str) -> LoadedKey | None:
        """Return a key from memory."""
        found = self._keys.get(keyid)
        return found or next((key for published in self._published if (key := published.get(keyid))), None)

    async def find(self, keyid: str) -> LoadedKey | None:
        """Look up a key that is not in memory at the addresses, which are fetched at most every 30 s.

        Raises:
            Unavailable: an address has not responded yet, so the key may exist there.
        """
        await self._all(lambda published: published.refresh_on_miss())
        found = self.get(keyid)
        if found is None and any(published.is_cold for published in self._published):
            raise Unavailable(
                "the receiver cannot fetch the sender's keys now; send the delivery again",
                code="keys_unavailable",
            )
        return found

    def __len__(self) -> int:
        return len(self._keys) + sum(len(published) for published in self._published)

    def reload(self) -> bool:
        """Take over the file if its bytes changed; True when the keys in use are now others."""
        try:
            body = _read(self._path)
            if body == self._body:
                return False
            self._body = body
            file, keys = _load(body, self._path)
        except InvalidInput as error:
            self._on_failure()
            log.error(
                "key file not taken over, the old keys stay",
                extra={"path": str(self._path), "reason": error.detail},
            )
            return False
        self._keys = keys
        self._published = self._follow(file.jwks, self._published)
        log.info(
            "key file taken over",
            extra={"path": str(self._path), "keys": len(keys), "addresses": len(file.jwks)},
        )
        return True

    async def refresh(self) -> None:
        """Fetch the addresses whose keys are stale."""
        await self._all(lambda published: published.refresh())

    async def watch(self, *, every_s: float) -> None:
        """Look at file and addresses every `every_s` seconds, until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            await asyncio.to_thread(self.reload)
            await self.refresh()

    def _follow(
        self, sources: Iterable[JwksSource], known: Iterable[PublishedKeys]
    ) -> tuple[PublishedKeys, ...]:
        by_source = {published.source: published for published in known}
        wanted = dict.fromkeys(sources)
        new = {
            source: PublishedKeys(source, self._fetch, on_failure=self._on_failure)
            for source in wanted
            if source not in by_source
        }
        return tuple((by_source | new)[source] for source in wanted)

    async def _all(self, ask: Callable[[PublishedKeys], Coroutine[None, None, None]]) -> None:
        async with asyncio.TaskGroup() as group:
            for published in self._published:
                group.create_task(ask(published))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"cannot read the key file {path}: {error.strerror}", field="keys") from None


def _load(body: bytes, path: Path) -> tuple[KeyFile, KeySet]:
    file = decode_key_file(body, str(path))
    return file, load_key_set(file.keys, path.parent)
