"""Documents at configured addresses (JWK Sets, OpenID metadata): fetched within limits and cached.

The cached value stays in use while the address does not respond.
"""

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
_MAX_REASON_CHARS: Final = 500
V = TypeVar("V")


class RemoteDocument(Generic[V]):
    """The cached value of a remote document.

    Attributes:
        value: the cached value; None until the first successful fetch, and after a day without one.

    Args:
        address: names the document in the log.
        load: fetches and decodes the document; an error leaves the cached value as it is.
        on_failure: called when a fetch has failed.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        address: str,
        load: Callable[[], Awaitable[V]],
        *,
        on_failure: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = address
        self._load = load
        self._on_failure = on_failure
        self._clock = clock
        self._fetching = asyncio.Lock()
        self._fetched_at = self._tried_at = float("-inf")
        self.value: V | None = None

    async def refresh(self) -> None:
        """Fetch if the value is older than five minutes, or if the last fetch failed more than 30 s ago."""
        failed = self._tried_at > self._fetched_at
        await self._fetch_unless_tried_within(RETRY_AFTER_S if failed else FRESH_FOR_S)

    async def refetch(self) -> None:
        """Fetch because the value lacks something, at most every 30 s; concurrent callers share one fetch."""
        await self._fetch_unless_tried_within(RETRY_AFTER_S)

    async def _fetch_unless_tried_within(self, seconds: float) -> None:
        async with self._fetching:
            if self._clock() - self._tried_at < seconds:
                return
            self._tried_at = self._clock()
            try:
                self.value = await self._load()
                self._fetched_at = self._clock()
            except SignalboxError as error:
                self._on_failed_fetch(error.detail)
            except Exception as bug:
                # An unexpected error must not end the service that refreshes the document.
                log.exception("refreshing a remote document failed", extra={"address": self._address})
                self._on_failed_fetch(f"{type(bug).__name__}: {bug}"[:_MAX_REASON_CHARS])

    def _on_failed_fetch(self, reason: str) -> None:
        self._on_failure()
        if self._clock() - self._fetched_at > STALE_FOR_S:
            self.value = None
        facts = {"address": self._address, "reason": reason, "has_value": self.value is not None}
        log.warning("remote document not refreshed; a cached value stays in use", extra=facts)


def open_key_client(ca_file: str | None, variable: str) -> httpx2.AsyncClient:
    """A client for key addresses: verifies certificates, follows no redirects and ignores the environment.

    Args:
        ca_file: certificate authorities to trust; None: those of the system.
        variable: the setting of `ca_file`, for the message.

    Raises:
        InvalidInput: the file of certificate authorities cannot be used; the message names the variable.
    """
    try:
        verify = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise InvalidInput(
            f"{variable}: cannot use {ca_file}: {error.strerror or error}", field=variable
        ) from None
    return httpx2.AsyncClient(verify=verify, follow_redirects=False, trust_env=False, timeout=_FETCH_S)


async def fetch_document(client: httpx2.AsyncClient, url: str, media_types: frozenset[str]) -> bytes:
    """Fetch a document of one of these media types.

    Raises:
        Unavailable: the address is malformed, no answer within 3 s, a status other than 200, another media
            type, or more than 64 KiB.
    """
    accepted = {"Accept": ", ".join(sorted(media_types)), "Accept-Encoding": "identity"}
    try:
        async with asyncio.timeout(_FETCH_S), client.stream("GET", url, headers=accepted) as response:
            return await _body(response, media_types)
    except (httpx2.InvalidURL, UnicodeError) as error:
        raise Unavailable(f"{url} is not a valid address: {error}") from None
    except (httpx2.HTTPError, TimeoutError) as error:
        raise Unavailable(f"{url} does not respond: {type(error).__name__}") from None


async def _body(response: httpx2.Response, media_types: frozenset[str]) -> bytes:
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if response.status_code != 200 or media_type not in media_types or "content-encoding" in response.headers:
        raise Unavailable(
            f"{response.url} returned {response.status_code} {media_type or 'without a type'},"
            " not a JSON document"
        )
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_BYTES:
            raise Unavailable(f"{response.url} is larger than {MAX_BYTES} bytes")
    return bytes(body)
