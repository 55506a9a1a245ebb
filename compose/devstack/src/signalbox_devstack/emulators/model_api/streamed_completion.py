"""A streamed completion as a raw ASGI response, so that it can also be cut off like a crashed server."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct
from starlette.types import Receive, Scope, Send

from signalbox_devstack.emulators.model_api.completion_text import tokenize
from signalbox_devstack.emulators.model_api.faults import ModelFault
from signalbox_devstack.emulators.model_api.stats import ModelApiStats
from signalbox_devstack.emulators.model_api.wire import CompletionUsage

SLOW_S: Final = 0.1
CONTEXT_MESSAGE: Final = "This model's maximum context length is 4096 tokens; the messages have 5120 tokens."
_REASONING: Final = "The user wants something short. {No JSON here.} I will repeat the text."
_ENDINGS: Final[Mapping[str, "dict[str, object]"]] = {
    "context_in_stream": {"error": {"message": CONTEXT_MESSAGE, "code": 400}},
    "credits_in_stream": {"error": {"message": "Insufficient credits", "code": 402}},
    "vllm_error": {
        "object": "error",
        "message": "EngineCore encountered an issue",
        "type": "InternalServerError",
        "code": 500,
    },
    "error_text": {"error": "the upstream provider failed"},
}
"""The event that ends a stream in its middle."""


class Completion(Struct, frozen=True, kw_only=True):
    """The content of a response. `usage` is None when it was not requested or a fault omits it."""

    model: str
    tokens: Sequence[str]
    finish: str
    usage: CompletionUsage | None


class StreamedCompletion:
    """An ASGI response that streams a completion, one token every `pause_s`."""

    def __init__(
        self, completion: Completion, *, fault: ModelFault | None, pause_s: float, stats: ModelApiStats
    ) -> None:
        self._script = completion
        self._fault = fault.name if fault else ""
        self._pause_s = SLOW_S if self._fault == "slow" else pause_s
        self._stats = stats

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._write_beginning(send)
        if self._fault == "think_only":
            await self._write_end(send, "length")
            return
        middle = len(self._script.tokens) // 2
        for place, token in enumerate(self._script.tokens):
            if place == middle and await self._is_interrupted(receive, send):
                return
            await self._write_choice(send, {"content": token})
            self._stats.count("tokens")
            await asyncio.sleep(self._pause_s)
        await self._write_end(send, self._script.finish)

    async def _write_beginning(self, send: Send) -> None:
        opening = {"think": "<think>", "think_only": "<think>", "think_unopened": ""}.get(self._fault)
        if opening is None:
            return
        closing = "" if self._fault == "think_only" else "</think>\n\n"
        for token in tokenize(f"{opening}{_REASONING}{closing}"):
            await self._write_choice(send, {"content": token})

    async def _write_end(self, send: Send, finish: str) -> None:
        if self._fault == "refusal":
            await self._write_choice(send, {"refusal": "I cannot help with that."})
        if self._fault == "tool_call":
            call = {"index": 0, "id": "call-1", "function": {"name": "search", "arguments": "{}"}}
            await self._write_choice(send, {"tool_calls": [call]})
        finishes = {"content_filter": "content_filter", "error_finish": "error", "tool_call": "tool_calls"}
        await self._write_choice(send, {}, finishes.get(self._fault, finish))
        if self._script.usage is not None:
            counted = {
                name: getattr(self._script.usage, name) for name in self._script.usage.__struct_fields__
            }
            await self._write_chunk(send, {"choices": [], "usage": counted})
        await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})

    async def _write_choice(
        self, send: Send, delta: "dict[str, object]", finish: "str | None" = None
    ) -> None:
        if finish is None and self._fault in ("empty_finish", "cut_empty_finish"):
            finish = ""
        await self._write_chunk(send, {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    async def _is_interrupted(self, receive: Receive, send: Send) -> bool:
        """Whether the fault ends the stream here. Without a final body the server closes the connection."""
        if self._fault == "stall":
            while (await receive())["type"] != "http.disconnect":
                pass
        if self._fault == "bad_chunk":
            await send({"type": "http.response.body", "body": b'data: {"choices": [\n\n', "more_body": True})
        if self._fault in _ENDINGS:
            await self._write_chunk(send, _ENDINGS[self._fault])
            await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})
            return True
        return self._fault in ("cut", "cut_empty_finish", "stall", "bad_chunk")

    async def _write_chunk(self, send: Send, members: "dict[str, object]") -> None:
        chunk = {
            "id": "chatcmpl-sim",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": self._script.model,
            **members,
        }
        body = f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode()
        await send({"type": "http.response.body", "body": body, "more_body": True})
