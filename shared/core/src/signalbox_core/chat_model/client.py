"""Asking a model over HTTP, streamed or at once. Retries belong to whoever calls: every failure says whether it may pass."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Final

import httpx2
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from signalbox_core.chat_model.lines import Lines, TooLongError
from signalbox_core.chat_model.refusals import MAX_BODY_BYTES, filtered, refusal, told_in_stream
from signalbox_core.chat_model.settings import ModelSettings
from signalbox_core.chat_model.wire import (
    Answer,
    Ask,
    StreamChunk,
    StreamOptions,
    Usage,
    read_answer,
    read_chunk,
)
from signalbox_core.errors import Unavailable

CONNECT_TIMEOUT_S: Final = 10.0
WHOLE_TIMEOUT_S: Final = 60.0
"""An answer that is not streamed is silent until it is written."""


class Piece(Struct, frozen=True):
    """A part of a streamed answer. `finish` (`stop`, `length`) and `usage` come with the last ones, if the server says them."""

    text: str = ""
    finish: str | None = None
    usage: Usage | None = None


class ModelClient:
    """Args:
    settings: which server and model; the key goes into one header and nowhere else.
    """

    def __init__(self, settings: ModelSettings) -> None:
        self.settings = settings
        self.address = settings.url.rstrip("/") + "/chat/completions"

    async def answer(self, ask: Ask, *, idempotency_key: str | None = None) -> Answer:
        """The whole answer at once.

        Raises:
            Rejected: `model_refused`, `model_quota` or `content_filtered`; the same will be refused again.
            Unavailable: away, slow or broken (`RateLimited` when it says how long); `model_answer`: not an answer of this API.
        """
        async with self._asking(
            ask, idempotency_key, max(WHOLE_TIMEOUT_S, self.settings.read_timeout_s)
        ) as response:
            body = await response.aread()
        try:
            return read_answer(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unavailable(
                f"what {self.address} answers is not the chat API's JSON", code="model_answer"
            ) from error

    async def stream(self, ask: Ask, *, idempotency_key: str | None = None) -> AsyncGenerator[Piece, None]:
        """The answer as it is written. It is whole when the iteration ends without an error.

        Raises: as `answer`; and Unavailable `model_stalled` or `model_cut` when the stream stops early.
        """
        asked = replace(ask, stream=True, stream_options=StreamOptions())
        is_whole = False
        async with self._asking(asked, idempotency_key, self.settings.read_timeout_s) as response:
            async for chunk in self._chunks(response):
                if chunk is None:
                    is_whole = True
                    break
                piece = self._piece(chunk)
                is_whole = is_whole or piece.finish is not None
                yield piece
        if not is_whole:
            raise Unavailable(
                f"the model at {self.address} stopped in the middle of its answer", code="model_cut"
            )

    async def _chunks(self, response: httpx2.Response) -> AsyncIterator[StreamChunk | None]:
        """Decoded events; None for the end mark."""
        lines = Lines()
        try:
            async for received in response.aiter_bytes():
                for data in lines.feed(received):
                    yield None if data == b"[DONE]" else read_chunk(data)
        except (msgspec.DecodeError, UnicodeDecodeError, TooLongError) as error:
            raise Unavailable(
                f"what {self.address} streams is not the chat API's JSON", code="model_answer"
            ) from error

    def _piece(self, chunk: StreamChunk) -> Piece:
        if chunk.error is not None:
            raise told_in_stream(self.address, chunk.error)
        choice = chunk.choices[0] if chunk.choices else None
        if choice is None:
            return Piece(usage=chunk.usage)
        if choice.finish_reason == "content_filter":
            raise filtered(self.address)
        return Piece(choice.delta.content or "", choice.finish_reason, chunk.usage)

    @contextlib.asynccontextmanager
    async def _asking(
        self, ask: Ask, idempotency_key: str | None, silence_s: float
    ) -> AsyncIterator[httpx2.Response]:
        body = msgspec.json.encode(replace(ask, model=self.settings.name))
        timeout = httpx2.Timeout(silence_s, connect=CONNECT_TIMEOUT_S)
        try:
            # No proxy from the environment: the model is a configured address.
            async with (
                httpx2.AsyncClient(timeout=timeout, trust_env=False) as client,
                client.stream(
                    "POST", self.address, content=body, headers=self._headers(idempotency_key)
                ) as response,
            ):
                if response.status_code != 200:
                    raise refusal(
                        self.address, response.status_code, response.headers, await _start_of(response)
                    )
                yield response
        except httpx2.TransportError as error:
            raise self._lost(error, silence_s) from error

    def _lost(self, error: httpx2.TransportError, silence_s: float) -> Unavailable:
        if isinstance(error, httpx2.ReadTimeout):
            return Unavailable(
                f"the model at {self.address} said nothing for {silence_s:g} s", code="model_stalled"
            )
        if isinstance(error, httpx2.RemoteProtocolError | httpx2.ReadError):
            return Unavailable(
                f"the model at {self.address} stopped in the middle of its answer", code="model_cut"
            )
        detail = f"the model at {self.address} does not answer ({type(error).__name__}); check SIGNALBOX_WORKER_MODEL_URL"
        return Unavailable(detail, code="model_unavailable")

    def _headers(self, idempotency_key: str | None) -> Mapping[str, str]:
        headers = {"content-type": "application/json"}
        if self.settings.api_key is not None:
            headers["authorization"] = f"Bearer {self.settings.api_key.reveal()}"
        if idempotency_key is not None:
            headers["idempotency-key"] = idempotency_key
        return headers


async def _start_of(response: httpx2.Response) -> bytes:
    body = b""
    async for received in response.aiter_bytes():
        body += received
        if len(body) > MAX_BODY_BYTES:
            break
    return body[:MAX_BODY_BYTES]
