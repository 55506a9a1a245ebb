"""The senders' keys, from the hot-reloaded key file and from the addresses that it names."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path

from msgspec import Struct

from signalbox_core.errors import Unavailable
from signalbox_core.process.followed_file import FollowedFile
from signalbox_core.redis.sender_key_reports import ReportedSenderKey
from signalbox_core.signatures import JwksSource, KeySet, LoadedKey, load_key_set, read_key_file
from signalbox_webhook_receiver.key_reporter import describe_keys
from signalbox_webhook_receiver.remote_keys import Fetch, PublishedKeys


class _LoadedFile(Struct, frozen=True, kw_only=True):
    keys: KeySet
    jwks: tuple[JwksSource, ...]
    accepted: tuple[ReportedSenderKey, ...]


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
        self._fetch = fetch
        self._on_failure = on_failure
        self._file = FollowedFile(path, _load, content="sender keys", on_failure=on_failure)
        self._published = self._follow(self._file.value.jwks, ())

    def get(self, keyid: str) -> LoadedKey | None:
        """Return a key from memory."""
        found = self._file.value.keys.get(keyid)
        return found or next((key for published in self._published if (key := published.get(keyid))), None)

    async def find(self, keyid: str) -> LoadedKey | None:
        """Look up a key that is not in memory at the addresses, which are fetched at most every 30 s.

        Raises:
            Unavailable: an address has not responded yet, so the key may exist there.
        """
        await self._all(lambda published: published.refetch())
        found = self.get(keyid)
        if found is None and any(published.is_cold for published in self._published):
            raise Unavailable(
                "the receiver cannot fetch the sender's keys now; send the delivery again",
                code="keys_unavailable",
            )
        return found

    def __len__(self) -> int:
        return len(self._file.value.keys) + sum(len(published) for published in self._published)

    def accepted(self) -> tuple[ReportedSenderKey, ...]:
        """Describe the keys and addresses of the file in use, without anything secret."""
        return self._file.value.accepted

    def reload(self) -> bool:
        """Load the file if it has changed; True when there are new keys."""
        if not self._file.reload():
            return False
        self._published = self._follow(self._file.value.jwks, self._published)
        return True

    async def refresh(self) -> None:
        """Fetch the addresses whose keys are stale."""
        await self._all(lambda published: published.refresh())

    async def watch(self, *, every_s: float) -> None:
        """Reload a changed file and refresh old addresses, every `every_s` seconds until cancelled."""
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


def _load(path: Path) -> _LoadedFile:
    file = read_key_file(path)
    keys = load_key_set(file.keys, path.parent)
    return _LoadedFile(keys=keys, jwks=file.jwks, accepted=describe_keys(keys, file.jwks))
