"""Keys that senders publish themselves, at configured https addresses."""

import time
from collections.abc import Awaitable, Callable

import httpx2

from signalbox_core.http.cached_document import Published, fetch_document
from signalbox_core.signatures import JwksSource, KeySet, LoadedKey, read_jwks
from signalbox_core.signatures.jwks import MEDIA_TYPES

Fetch = Callable[[str], Awaitable[bytes]]


class PublishedKeys:
    """The keys of one source. `get` looks at memory only; `refresh` is cheap to call, since it fetches seldom.

    Args:
        clock: monotonic seconds.
    """

    def __init__(
        self,
        source: JwksSource,
        fetch: Fetch,
        *,
        on_failure: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.source = source

        async def load() -> KeySet:
            return read_jwks(await fetch(source.url), source)

        self._published = Published(source.url, load, on_failure=on_failure, clock=clock)
        self.refresh = self._published.refresh
        self.look_again = self._published.look_again

    @property
    def is_cold(self) -> bool:
        """Whether nothing is known: the address has not answered yet, or not for a day."""
        return self._published.value is None

    def get(self, keyid: str) -> LoadedKey | None:
        keys = self._published.value
        return keys.get(keyid) if keys is not None else None

    def __len__(self) -> int:
        return len(self._published.value or ())


async def fetch_keys(client: httpx2.AsyncClient, url: str) -> bytes:
    """The body at a key address. Raises: Unavailable: it is no plain JWK Set, or does not answer."""
    return await fetch_document(client, url, MEDIA_TYPES)
