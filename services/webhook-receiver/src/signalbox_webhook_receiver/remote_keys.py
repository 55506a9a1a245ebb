"""Keys that senders publish at configured https addresses."""

import time
from collections.abc import Awaitable, Callable

import httpx2

from signalbox_core.http.cached_document import RemoteDocument, fetch_document
from signalbox_core.signatures import JwksSource, KeySet, LoadedKey, read_jwks
from signalbox_core.signatures.jwks import MEDIA_TYPES

Fetch = Callable[[str], Awaitable[bytes]]


class PublishedKeys:
    """The cached keys of one source; `refresh` and `refetch` are those of RemoteDocument.

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

        self._document = RemoteDocument(source.url, load, on_failure=on_failure, clock=clock)
        self.refresh = self._document.refresh
        self.refetch = self._document.refetch

    @property
    def is_cold(self) -> bool:
        """Whether no keys are cached: the address has not responded yet, or not for a day."""
        return self._document.value is None

    def get(self, keyid: str) -> LoadedKey | None:
        keys = self._document.value
        return keys.get(keyid) if keys is not None else None

    def __len__(self) -> int:
        return len(self._document.value or ())


async def fetch_keys(client: httpx2.AsyncClient, url: str) -> bytes:
    """Fetch the body at a key address.

    Raises:
        Unavailable: the address does not respond, or not with a JWK Set.
    """
    return await fetch_document(client, url, MEDIA_TYPES)
