"""Client for OpenAI-compatible chat completion APIs.

It never retries. Every failure is raised as Rejected (a retry cannot help) or Unavailable (a retry may
succeed), so that the caller can apply its own retry policy and budget.
"""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Final

import httpx2
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from signalbox_core.chat_model.errors import (
    MAX_BODY_BYTES,
    classify_error,
    classify_stream_error,
    content_filtered,
)
from signalbox_core.chat_model.settings import ChatModelSettings
from signalbox_core.chat_model.sse_lines import EventLines, StreamTooLargeError
from signalbox_core.chat_model.wire import (
    ChatChunk,
    ChatCompletion,
    ChatRequest,
    ChatStreamOptions,
    TokenUsage,
    decode_chunk,
    decode_completion,
)
from signalbox_core.errors import Unavailable

CONNECT_TIMEOUT_S: Final = 10.0
COMPLETE_READ_TIMEOUT_S: Final = 60.0
"""Minimum read timeout without streaming, where the server is silent until the answer is finished."""


class CompletionChunk(Struct, frozen=True):
    """A part of a streamed completion.

    Attributes:
        finish_reason: `stop` or `length`; on one of the last chunks, when the server sends it.
        usage: token counts; likewise.
    """

    text: str = ""
    finish_reason: str | None = None
    usage: TokenUsage | None = None


class ChatClient:
    """A client for one model.

    Args:
        settings: the endpoint and model; the API key is only sent as the `Authorization` header.
    """

    def __init__(self, settings: ChatModelSettings) -> None:
        self.settings = settings
        self.url = settings.url.rstrip("/") + "/chat/completions"

    async def complete(self, request: ChatRequest, *, idempotency_key: str | None = None) -> ChatCompletion:
        """Return the completion in one response, without streaming.

        Raises:
            Rejected: `model_refused`, `model_quota` or `content_filtered`; a retry fails again.
            RateLimited: the server's rate limit; retry after `retry_after_s`.
            Unavailable: `model_unavailable`, `model_stalled`, `model_cut`, or `model_answer` for a response
                that is not valid JSON of this API.
        """
        read_timeout_s = max(COMPLETE_READ_TIMEOUT_S, self.settings.read_timeout_s)
        async with self._post(request, idempotency_key, read_timeout_s) as response:
            body = await response.aread()
        try:
            return decode_completion(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._invalid_answer() from error

    async def stream(
        self, request: ChatRequest, *, idempotency_key: str | None = None
    ) -> AsyncGenerator[CompletionChunk, None]:
        """Yield the completion as the server generates it.

        It is complete when the iteration ends without an error.

        Raises:
            Rejected, RateLimited, Unavailable: as for `complete`, also in the middle of the stream.
        """
        request = replace(request, stream=True, stream_options=ChatStreamOptions())
        is_complete = False
        async with self._post(request, idempotency_key, self.settings.read_timeout_s) as response:
            async for event in self._events(response):
                if event is None:
                    is_complete = True
                    break
                chunk = self._completion_chunk(event)
                is_complete = is_complete or chunk.finish_reason is not None
                yield chunk
        if not is_complete:
            raise self._connection_closed()

    async def _events(self, response: httpx2.Response) -> AsyncIterator[ChatChunk | None]:
        """Decode the events; `[DONE]` gives None."""
        lines = EventLines()
        try:
            async for received in response.aiter_bytes():
                for data in lines.feed(received):
                    yield None if data == b"[DONE]" else decode_chunk(data)
        except (msgspec.DecodeError, UnicodeDecodeError, StreamTooLargeError) as error:
            raise self._invalid_answer() from error

    def _completion_chunk(self, event: ChatChunk) -> CompletionChunk:
        if event.error is not None:
            raise classify_stream_error(self.url, event.error)
        choice = event.choices[0] if event.choices else None
        if choice is None:
            return CompletionChunk(usage=event.usage)
        if choice.finish_reason == "content_filter":
            raise content_filtered(self.url)
        return CompletionChunk(choice.delta.content or "", choice.finish_reason, event.usage)

    @contextlib.asynccontextmanager
    async def _post(
        self, request: ChatRequest, idempotency_key: str | None, read_timeout_s: float
    ) -> AsyncIterator[httpx2.Response]:
        body = msgspec.json.encode(replace(request, model=self.settings.name))
        headers = self._headers(idempotency_key)
        timeout = httpx2.Timeout(read_timeout_s, connect=CONNECT_TIMEOUT_S)
        try:
            # Proxies from the environment are ignored: the endpoint is configured explicitly.
            async with (
                httpx2.AsyncClient(timeout=timeout, trust_env=False) as client,
                client.stream("POST", self.url, content=body, headers=headers) as response,
            ):
                if response.status_code != 200:
                    error_body = await _read_limited(response)
                    raise classify_error(self.url, response.status_code, response.headers, error_body)
                yield response
        except httpx2.TransportError as error:
            raise self._transport_error(error, read_timeout_s) from error

    def _transport_error(self, error: httpx2.TransportError, read_timeout_s: float) -> Unavailable:
        if isinstance(error, httpx2.ReadTimeout):
            return Unavailable(
                f"the model at {self.url} sent no data for {read_timeout_s:g} s", code="model_stalled"
            )
        if isinstance(error, httpx2.RemoteProtocolError | httpx2.ReadError):
            return self._connection_closed()
        detail = (
            f"cannot reach the model at {self.url} ({type(error).__name__}); check SIGNALBOX_WORKER_MODEL_URL"
        )
        return Unavailable(detail, code="model_unavailable")

    def _connection_closed(self) -> Unavailable:
        return Unavailable(
            f"the model at {self.url} closed the connection before its answer was complete", code="model_cut"
        )

    def _invalid_answer(self) -> Unavailable:
        return Unavailable(
            f"the response of {self.url} is not valid JSON of the chat completions API", code="model_answer"
        )

    def _headers(self, idempotency_key: str | None) -> Mapping[str, str]:
        headers = {"content-type": "application/json"}
        if self.settings.api_key is not None:
            headers["authorization"] = f"Bearer {self.settings.api_key.reveal()}"
        if idempotency_key is not None:
            headers["idempotency-key"] = idempotency_key
        return headers


async def _read_limited(response: httpx2.Response) -> bytes:
    body = b""
    async for received in response.aiter_bytes():
        body += received
        if len(body) > MAX_BODY_BYTES:
            break
    return body[:MAX_BODY_BYTES]
