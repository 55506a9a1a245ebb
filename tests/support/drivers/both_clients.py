"""Calls the asyncio or the blocking client, so that one test covers both."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Literal

import httpx2

from signalbox_client import AsyncSignalbox, Signalbox
from signalbox_client.retry import OnRetry, ignore_retry

Kind = Literal["asyncio", "blocking"]
KINDS: tuple[Kind, ...] = ("asyncio", "blocking")
Handler = Callable[[httpx2.Request], httpx2.Response]


class EitherClient:
    """A client of one kind; `handler` takes the place of the network."""

    def __init__(
        self,
        kind: Kind,
        url: str,
        *,
        handler: Handler | None = None,
        backoff_s: Sequence[float] = (),
        on_retry: OnRetry = ignore_retry,
    ) -> None:
        self._kind = kind
        self._url = url
        self._options: dict[str, Any] = {
            "transport": httpx2.MockTransport(handler) if handler else None,
            "backoff_s": backoff_s,
            "on_retry": on_retry,
        }

    async def call(self, method: str, *arguments: object, **options: object) -> Any:
        """The result of one method."""
        return await self._with_client(method, arguments, options, collects=False)

    async def collect(self, method: str, *arguments: object, **options: object) -> list[Any]:
        """Every item of a method that yields."""
        items: list[Any] = await self._with_client(method, arguments, options, collects=True)
        return items

    async def _with_client(
        self, method: str, arguments: Sequence[object], options: dict[str, object], *, collects: bool
    ) -> Any:
        if self._kind == "blocking":
            with Signalbox(self._url, "sbx_key", **self._options) as client:
                call = getattr(client, method)
                return await asyncio.to_thread(
                    lambda: list(call(*arguments, **options)) if collects else call(*arguments, **options)
                )
        async with AsyncSignalbox(self._url, "sbx_key", **self._options) as client:
            made = getattr(client, method)(*arguments, **options)
            return [item async for item in made] if collects else await made
