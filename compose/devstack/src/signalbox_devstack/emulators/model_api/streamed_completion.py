"""A streamed completion as a raw ASGI response, so that it can also be cut off like a crashed server."""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from starlette.types import Receive, Scope, Send

from signalbox_devstack.emulators.model_api.faults import ModelFault
from signalbox_devstack.emulators.model_api.stats import ModelApiStats
from signalbox_devstack.emulators.model_api.wire import CompletionUsage

SLOW_S: Final = 0.1


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
        middle = len(self._script.tokens) // 2
        for place, token in enumerate(self._script.tokens):
            if place == middle and await self._is_interrupted(receive, send):
                return
            await self._write_chunk(
                send, {"choices": [{"index": 0, "delta": {"content": token}, "finish_reason": None}]}
            )
            self._stats.count("tokens")
            await asyncio.sleep(self._pause_s)
        finish = "content_filter" if self._fault == "content_filter" else self._script.finish
        await self._write_chunk(send, {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
        if self._script.usage is not None:
            counted = {
                name: getattr(self._script.usage, name) for name in self._script.usage.__struct_fields__
            }
            await self._write_chunk(send, {"choices": [], "usage": counted})
        await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})

    async def _is_interrupted(self, receive: Receive, send: Send) -> bool:
        """Whether the fault ends the stream here. Without a final body the server closes the connection."""
        if self._fault == "stall":
            while (await receive())["type"] != "http.disconnect":
                pass
        if self._fault == "bad_chunk":
            await send({"type": "http.response.body", "body": b'data: {"choices": [\n\n', "more_body": True})
        return self._fault in ("cut", "stall", "bad_chunk")

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
