"""The HTTP connection of the asyncio client: requests with retries, and the events of a stream.

tools/sync_client.py generates the blocking one from it (sync_connection.py).
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from typing import TypeVar

import httpx2
from msgspec import Struct

from signalbox_client import requests
from signalbox_client.problems import decode_answer
from signalbox_client.requests import ApiRequest
from signalbox_client.retry import (
    OnRetry,
    RequestFailure,
    connection_failure,
    response_failure,
    retry_delay_s,
)
from signalbox_client.stream_follower import Follower, Update
from signalbox_client.wire.http_options import STREAM_TIMEOUT, UNARY_TIMEOUT, client_options

T = TypeVar("T", bound=Struct)


class AsyncGatewayConnection:
    """Connections to one gateway. Raises the errors of `signalbox_core.errors`."""

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        transport: httpx2.AsyncBaseTransport | None,
        backoff_s: Sequence[float],
        on_retry: OnRetry,
    ) -> None:
        self.url = url.rstrip("/")
        self._backoff_s = backoff_s
        self._on_retry = on_retry
        self._http = httpx2.AsyncClient(**client_options(self.url, api_key), transport=transport)

    async def close(self) -> None:
        await self._http.aclose()

    async def updates(self, run_id: str, follower: Follower) -> AsyncGenerator[Update, None]:
        """Yield the updates of one connection; a refusal is passed to the follower."""
        async with self._http.sse(
            requests.stream_path(run_id), headers=follower.headers(), timeout=STREAM_TIMEOUT
        ) as source:
            response = source.response
            if response.status_code == 204:
                follower.has_ended = True
            elif response.status_code != 200:
                await response.aread()
                follower.fail(response_failure(self.url, response))
            else:
                async for frame in source:
                    update = follower.take(frame)
                    if update:
                        yield update

    async def send(self, request: ApiRequest[T]) -> T:
        """Send a request, with retries, and decode the response."""
        return decode_answer(await self.fetch(request), request.response_type)

    async def fetch(self, request: ApiRequest[T]) -> bytes:
        """Send a request, with retries, and return the response's body; every request is safe to repeat."""
        delays = iter(self._backoff_s)
        while True:
            reply = await self._attempt(request)
            if isinstance(reply, bytes):
                return reply
            backoff_s = next(delays, None)
            if reply.is_final or backoff_s is None:
                raise reply.error
            delay_s = retry_delay_s(backoff_s, reply.retry_after_s, random.random())
            self._on_retry(reply.error, delay_s)
            await asyncio.sleep(delay_s)

    async def _attempt(self, request: ApiRequest[T]) -> bytes | RequestFailure:
        try:
            response = await self._http.request(
                request.method,
                request.path,
                params=request.query,
                content=request.body,
                headers=request.headers,
                timeout=UNARY_TIMEOUT,
            )
        except httpx2.TransportError as error:
            return connection_failure(self.url, error)
        return response.content if response.is_success else response_failure(self.url, response)
