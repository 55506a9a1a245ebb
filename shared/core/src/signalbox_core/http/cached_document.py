"""Documents at configured addresses (JWK Sets, OpenID metadata): fetched with bounds, cached, and kept while the address is away."""

import asyncio
import logging
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

import httpx2

from signalbox_core.errors import InvalidInput, SignalboxError, Unavailable

log = logging.getLogger(__name__)

FRESH_FOR_S: Final = 300.0
RETRY_AFTER_S: Final = 30.0
STALE_FOR_S: Final = 24 * 3600.0
MAX_BYTES: Final = 64 * 1024
_FETCH_S: Final = 3.0
V = TypeVar("V")


class Published(Generic[V]):
    """What an address publishes. `value` is memory; `refresh` is cheap to call, since it fetches seldom.

    Args:
        where: named in the log when fetching fails.
        load: fetches and reads it; its SignalboxErrors leave the old value.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        where: str,
        load: Callable[[], Awaitable[V]],
        *,
        on_failure: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._where = where
        self._load = load
        self._on_failure = on_failure
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._fetched_at = self._tried_at = float("-inf")
        self.value: V | None = None
        """None when nothing is known: the address has not answered yet, or not for a day."""

    async def refresh(self) -> None:
        """Fetch when the value is old or the last attempt failed, at most every 30 s; a failure leaves the value as it is."""
        failed = self._tried_at > self._fetched_at
        await self._fetch_unless_tried_within(RETRY_AFTER_S if failed else FRESH_FOR_S)

    async def look_again(self) -> None:
        """Fetch because something was not in it: at most every 30 s, and callers at one time share one fetch."""
        await self._fetch_unless_tried_within(RETRY_AFTER_S)

    async def _fetch_unless_tried_within(self, seconds: float) -> None:
        async with self._one_at_a_time:
            if self._clock() - self._tried_at < seconds:
                return
            self._tried_at = self._clock()
            try:
                self.value = await self._load()
                self._fetched_at = self._clock()
            except SignalboxError as error:
                self._keep_or_forget(error)

    def _keep_or_forget(self, error: SignalboxError) -> None:
        self._on_failure()
        if self._clock() - self._fetched_at > STALE_FOR_S:
            self.value = None
        facts = {"where": self._where, "reason": error.detail, "known": self.value is not None}
        log.warning("published keys not taken over; the old ones stay", extra=facts)


def open_key_client(ca_file: str | None, variable: str) -> httpx2.AsyncClient:
    """A client for key addresses: https with verified certificates, no redirects, no proxy and no credentials from the environment.

    Raises:
        InvalidInput: the file of certificate authorities cannot be used; names the variable.
    """
    try:
        verify = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise InvalidInput(
            f"{variable}: cannot use {ca_file}: {error.strerror or error}", field=variable
        ) from None
    return httpx2.AsyncClient(verify=verify, follow_redirects=False, trust_env=False, timeout=_FETCH_S)


async def fetch_document(client: httpx2.AsyncClient, url: str, media_types: frozenset[str]) -> bytes:
    """The body at an address: 200, of these media types, at most 64 KiB, within 3 s.

    Raises:
        Unavailable: anything else.
    """
    accepted = {"Accept": ", ".join(sorted(media_types)), "Accept-Encoding": "identity"}
    try:
        async with asyncio.timeout(_FETCH_S), client.stream("GET", url, headers=accepted) as response:
            return await _body(response, media_types)
    except (httpx2.HTTPError, TimeoutError) as error:
        raise Unavailable(f"{url} does not answer: {type(error).__name__}") from None


async def _body(response: httpx2.Response, media_types: frozenset[str]) -> bytes:
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if response.status_code != 200 or media_type not in media_types or "content-encoding" in response.headers:
        raise Unavailable(
            f"{response.url} answers {response.status_code} {media_type or 'untyped'}, no plain JSON document"
        )
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_BYTES:
            raise Unavailable(f"{response.url} has more than {MAX_BYTES} bytes")
    return bytes(body)
