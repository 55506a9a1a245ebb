"""Keys that senders publish at configured https addresses."""

import time
from collections.abc import Awaitable, Callable

import httpx2

from signalbox_core.http.cached_document import Published, fetch_document
from signalbox_core.signatures import JwksSource, KeySet, LoadedKey, read_jwks
from signalbox_core.signatures.jwks import MEDIA_TYPES

Fetch = Callable[[str], Awaitable[bytes]]


class PublishedKeys:
    """The cached keys of one source. `get` reads memory only; the refresh methods limit how often they fetch.

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
        self.refresh_on_miss = self._published.look_again

    @property
    def is_cold(self) -> bool:
        """Whether no keys are cached: the address has not responded yet, or not for a day."""
        return self._published.value is None

    def get(self, keyid: str) -> LoadedKey | None:
        keys = self._published.value
        return keys.get(keyid) if keys is not None else None

    def __len__(self) -> int:
        return len(self._published.value or ())


async def fetch_keys(client: httpx2.AsyncClient, url: str) -> bytes:
    """Fetch the body at a key address.

    Raises:
        Unavailable: the address does not respond, or not with a JWK Set.
    """
    return await fetch_document(client, url, MEDIA_TYPES)
