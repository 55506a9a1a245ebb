"""Keys that senders publish themselves: fetched from configured https addresses, cached, and kept while an address is away."""

import asyncio
import logging
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import Final

import httpx2

from signalbox_core.errors import InvalidInput, SignalboxError, Unavailable
from signalbox_core.signatures import JwksSource, KeySet, LoadedKey, read_jwks
from signalbox_core.signatures.jwks import MAX_JWKS_BYTES, MEDIA_TYPES

log = logging.getLogger(__name__)

FRESH_FOR_S: Final = 300.0
RETRY_AFTER_S: Final = 30.0
STALE_FOR_S: Final = 24 * 3600.0
_FETCH_S: Final = 3.0
Fetch = Callable[[str], Awaitable[bytes]]


class PublishedKeys:
    """The keys of one source. `get` looks at memory only; `refresh` is cheap to call, since it fetches seldom.

    Args:
        clock: monotonic seconds.
    """

    def __init__(
        self, source: JwksSource, fetch: Fetch, *, on_failure: Callable[[], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.source = source
        self._fetch = fetch
        self._on_failure = on_failure
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._keys: KeySet | None = None
        self._fetched_at = self._tried_at = float("-inf")

    @property
    def is_cold(self) -> bool:
        """Whether nothing is known: the address has not answered yet, or not for a day."""
        return self._keys is None

    def get(self, keyid: str) -> LoadedKey | None:
        return self._keys.get(keyid) if self._keys is not None else None

    def __len__(self) -> int:
        return len(self._keys) if self._keys is not None else 0

    async def refresh(self) -> None:
        """Fetch when the keys are old or the last attempt failed, at most every 30 s; a failure leaves the keys as they are."""
        failed = self._tried_at > self._fetched_at
        await self._fetch_unless_tried_within(RETRY_AFTER_S if failed else FRESH_FOR_S)

    async def look_again(self) -> None:
        """Fetch because of an unknown keyid: at most every 30 s, and callers at one time share one fetch."""
        await self._fetch_unless_tried_within(RETRY_AFTER_S)

    async def _fetch_unless_tried_within(self, seconds: float) -> None:
        async with self._one_at_a_time:
            if self._clock() - self._tried_at < seconds:
                return
            self._tried_at = self._clock()
            try:
                self._keys = read_jwks(await self._fetch(self.source.url), self.source)
                self._fetched_at = self._clock()
            except SignalboxError as error:
                self._keep_or_forget(error)

    def _keep_or_forget(self, error: SignalboxError) -> None:
        self._on_failure()
        if self._clock() - self._fetched_at > STALE_FOR_S:
            self._keys = None
        facts = {"url": self.source.url, "reason": error.detail, "keys": len(self)}
        log.warning("published keys not taken over; the old ones stay", extra=facts)


def open_key_client(ca_file: str | None) -> httpx2.AsyncClient:
    """A client for key addresses: https with verified certificates, no redirects, no proxy and no credentials from the environment.

    Raises:
        InvalidInput: the file of certificate authorities cannot be used.
    """
    try:
        verify = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise InvalidInput(
            f"SIGNALBOX_RECEIVER_JWKS_CA_FILE: cannot use {ca_file}: {error.strerror or error}", field="jwks_ca_file"
        ) from None
    return httpx2.AsyncClient(verify=verify, follow_redirects=False, trust_env=False, timeout=_FETCH_S)


async def fetch_keys(client: httpx2.AsyncClient, url: str) -> bytes:
    """The body at a key address: 200, JSON, at most 64 KiB, within 3 s.

    Raises:
        Unavailable: anything else.
    """
    accepted = {"Accept": ", ".join(sorted(MEDIA_TYPES)), "Accept-Encoding": "identity"}
    try:
        async with asyncio.timeout(_FETCH_S), client.stream("GET", url, headers=accepted) as response:
            return await _body(response)
    except (httpx2.HTTPError, TimeoutError) as error:
        raise Unavailable(f"{url} does not answer: {type(error).__name__}") from None


async def _body(response: httpx2.Response) -> bytes:
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if response.status_code != 200 or media_type not in MEDIA_TYPES or "content-encoding" in response.headers:
        raise Unavailable(f"{response.url} answers {response.status_code} {media_type or 'without a media type'}, not a plain JWK Set")
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_JWKS_BYTES:
            raise Unavailable(f"{response.url} has more than {MAX_JWKS_BYTES} bytes")
    return bytes(body)
