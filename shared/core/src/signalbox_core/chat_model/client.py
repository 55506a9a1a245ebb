"""Client for OpenAI-compatible chat completion APIs.

It does not retry failures: each is raised as Rejected (a retry cannot help) or Unavailable (a retry may
succeed), so that the caller can apply its own retry policy and budget. Only a request whose optional
parameters the endpoint does not accept is sent again at once, without them; the client remembers which.
"""

import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Final

import httpx2
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from signalbox_core.chat_model import errors
from signalbox_core.chat_model.dialect import OPTIONAL, Dialect
from signalbox_core.chat_model.reasoning_filter import ReasoningFilter
from signalbox_core.chat_model.settings import ChatModelSettings
from signalbox_core.chat_model.sse_lines import MAX_LINE_BYTES, EventLines, StreamTooLargeError
from signalbox_core.chat_model.wire import (
    ChatApiErrorBody,
    ChatChunk,
    ChatCompletion,
    ChatRequest,
    ChatStreamOptions,
    ChunkChoice,
    ChunkDelta,
    TokenUsage,
    decode_chunk,
    decode_completion,
)
from signalbox_core.errors import Unavailable

log = logging.getLogger(__name__)
CONNECT_TIMEOUT_S: Final = 10.0
COMPLETE_READ_TIMEOUT_S: Final = 60.0
"""Minimum read timeout without streaming, where the server is silent until the answer is finished."""
_FAILED: Final = frozenset({"error", "abort", "aborted", "cancelled"})
_TOOLS: Final = frozenset({"tool_calls", "function_call"})
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding a body raises; `RecursionError` for one that nests too deeply."""


class CompletionChunk(Struct, frozen=True):
    """A part of a streamed completion.

    Attributes:
        text: of the answer, without the model's reasoning.
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
        self._dialect = Dialect.without(settings.omit)

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
            return self._decode_completion(await response.aread())

    async def stream(
        self, request: ChatRequest, *, idempotency_key: str | None = None
    ) -> AsyncGenerator[CompletionChunk, None]:
        """Yield the completion as the server generates it.

        It is complete when the iteration ends without an error.

        Raises:
            Rejected, RateLimited, Unavailable: as for `complete`, also in the middle of the stream; besides
                `model_only_reasoned` when the tokens were used up before the answer began.
        """
        request = replace(request, stream=True, stream_options=ChatStreamOptions())
        is_complete, reasoning = False, ReasoningFilter()
        async with self._post(request, idempotency_key, self.settings.read_timeout_s) as response:
            async for event in self._events(response):
                if event is None:
                    is_complete = True
                    break
                chunk = self._completion_chunk(event)
                is_complete = is_complete or chunk.finish_reason is not None
                yield replace(chunk, text=reasoning.feed(chunk.text))
        if not is_complete:
            raise self._connection_closed()
        if reasoning.is_open:
            raise errors.only_reasoned(self.url)
        if rest := reasoning.finish():
            yield CompletionChunk(rest)

    async def _events(self, response: httpx2.Response) -> AsyncIterator[ChatChunk | None]:
        """Decode the events; `[DONE]` gives None."""
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type == "text/html":
            raise errors.not_the_api(self.url)
        if media_type == "application/json":
            yield self._whole_answer(await _read_limited(response, MAX_LINE_BYTES))
            return
        lines = EventLines()
        try:
            async for received in response.aiter_bytes():
                for data in lines.feed(received):
                    yield None if data == b"[DONE]" else decode_chunk(data)
        except (*_UNREADABLE, StreamTooLargeError) as error:
            raise self._invalid_answer() from error

    def _whole_answer(self, body: bytes) -> ChatChunk:
        """Return the answer of a server that does not stream as one event."""
        completion = self._decode_completion(body)
        choices = tuple(
            ChunkChoice(
                delta=ChunkDelta(choice.message.content, choice.message.refusal, choice.message.tool_calls),
                finish_reason=choice.finish_reason or "stop",
            )
            for choice in completion.choices
        )
        return ChatChunk(choices=choices, usage=completion.usage)

    def _decode_completion(self, body: bytes) -> ChatCompletion:
        with contextlib.suppress(*_UNREADABLE):
            msgspec.json.decode(body, type=ChatApiErrorBody)
            raise errors.classify_stream_error(self.url, errors.decode_error_body(body))
        try:
            return decode_completion(body)
        except _UNREADABLE as error:
            raise self._invalid_answer() from error

    def _completion_chunk(self, event: ChatChunk) -> CompletionChunk:
        if event.failure is not None:
            raise errors.classify_stream_error(self.url, event.failure)
        choice = event.choices[0] if event.choices else None
        if choice is None:
            return CompletionChunk(usage=event.usage)
        delta, finish_reason = choice.delta, choice.finish_reason or None
        if finish_reason == "content_filter":
            raise errors.content_filtered(self.url)
        if delta.refusal:
            raise errors.declined(self.url, delta.refusal)
        if finish_reason in _TOOLS or (delta.tool_calls and not delta.content):
            raise errors.called_a_tool(self.url)
        if finish_reason in _FAILED:
            raise errors.stopped(self.url, finish_reason)
        return CompletionChunk(delta.content or "", finish_reason, event.usage)

    @contextlib.asynccontextmanager
    async def _post(
        self, request: ChatRequest, idempotency_key: str | None, read_timeout_s: float
    ) -> AsyncIterator[httpx2.Response]:
        headers = self._headers(idempotency_key)
        timeout = httpx2.Timeout(read_timeout_s, connect=CONNECT_TIMEOUT_S)
        try:
            # Proxies from the environment are ignored: the endpoint is configured explicitly.
            async with httpx2.AsyncClient(timeout=timeout, trust_env=False) as client:
                for _ in OPTIONAL:
                    adapted = replace(self._dialect.adapt(request), model=self.settings.name)
                    body = msgspec.json.encode(adapted)
                    async with client.stream("POST", self.url, content=body, headers=headers) as response:
                        if response.status_code == 200:
                            yield response
                            return
                        error_body = await _read_limited(response, errors.MAX_BODY_BYTES)
                    if not self._learn_dialect(response.status_code, error_body, adapted):
                        break
                raise errors.classify_error(self.url, response.status_code, response.headers, error_body)
        except httpx2.TransportError as error:
            raise self._transport_error(error, read_timeout_s) from error
        except httpx2.DecodingError as error:  # a wrong Content-Encoding
            raise self._invalid_answer() from error

    def _learn_dialect(self, status: int, error_body: bytes, request: ChatRequest) -> bool:
        """Adapt to the endpoint; False when the error is not about an optional parameter."""
        learned = self._dialect.learn(status, error_body, request)
        if learned is None or learned == self._dialect:
            return False
        log.info(
            "the model does not accept a parameter",
            extra={"model": self.settings.name, "omitted": sorted(learned.omitted)},
        )
        self._dialect = learned
        return True

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


async def _read_limited(response: httpx2.Response, max_bytes: int) -> bytes:
    body = b""
    async for received in response.aiter_bytes():
        body += received
        if len(body) > max_bytes:
            break
    return body[:max_bytes]
