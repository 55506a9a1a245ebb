"""The routes: /v1/chat/completions, /v1/models, /healthz, and /_sim/stats for tests."""

import time
from collections.abc import Mapping
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from signalbox_devstack.emulators.model_api.completion_text import completion_for, tokenize
from signalbox_devstack.emulators.model_api.faults import (
    REJECTED_PARAMETERS,
    FaultCounter,
    ModelFault,
    UnknownModelFault,
    read_fault,
)
from signalbox_devstack.emulators.model_api.stats import ModelApiStats
from signalbox_devstack.emulators.model_api.streamed_completion import (
    CONTEXT_MESSAGE,
    Completion,
    StreamedCompletion,
)
from signalbox_devstack.emulators.model_api.wire import CompletionRequest, CompletionUsage

MODEL: Final = "sim"
MAX_BODY_BYTES: Final = 4_000_000
_ERRORS: Final[Mapping[str, tuple[int, str, str | None]]] = {
    "unauthorized": (401, "Incorrect API key provided", "invalid_api_key"),
    "unavailable": (503, "the model is being loaded", None),
    "context_length": (400, CONTEXT_MESSAGE, "context_length_exceeded"),
    "error_json": (200, "The engine is out of memory", None),
}
"""From fault to the status, message and code of its error response."""
_NO_JSON: Final = "Of course! Here is no JSON."


def create_app(*, pause_s: float = 0.005) -> Starlette:
    server = ModelServer(pause_s)
    return Starlette(
        routes=[
            Route("/v1/chat/completions", server.complete, methods=["POST"]),
            Route("/v1/models", server.models),
            Route("/healthz", lambda _request: JSONResponse({"status": "ok"})),
            Route("/_sim/stats", lambda _request: JSONResponse(dict(server.stats.as_json()))),
        ]
    )


class ModelServer:
    """The request handlers.

    Args:
        pause_s: delay between two tokens of a stream.
    """

    def __init__(self, pause_s: float) -> None:
        self.stats = ModelApiStats()
        self._faults = FaultCounter()
        self._pause_s = pause_s

    async def models(self, _request: Request) -> Response:
        return JSONResponse(
            {"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "signalbox"}]}
        )

    async def complete(self, request: Request) -> ASGIApp:
        body = await request.body()
        if len(body) > MAX_BODY_BYTES:
            return _error(413, "the request is too large")
        try:
            chat = msgspec.json.decode(body, type=CompletionRequest)
            fault_spec = chat.model.partition("@")[2] or request.headers.get("x-sim-fault", "")
            fault = self._faults.match(
                read_fault(fault_spec), request.headers.get("idempotency-key") or str(chat.messages)
            )
        except (msgspec.DecodeError, UnicodeDecodeError, UnknownModelFault) as error:
            return _error(400, str(error))
        self._record(request, chat, fault)
        return _error_for(fault, chat) or self._complete(chat, fault)

    def _record(self, request: Request, chat: CompletionRequest, fault: ModelFault | None) -> None:
        if fault is not None:
            self.stats.count("faults")
        self.stats.record_request(
            model=chat.model,
            key=request.headers.get("idempotency-key"),
            fault=fault.name if fault else None,
            is_authorized="authorization" in request.headers,
        )

    def _complete(self, chat: CompletionRequest, fault: ModelFault | None) -> ASGIApp:
        tokens = tokenize(_NO_JSON if fault and _returns_invalid_json(fault, chat) else completion_for(chat))
        limit = chat.length_limit
        finish = "length" if limit is not None and len(tokens) > limit else "stop"
        tokens = tokens[:limit]
        read = sum(len(tokenize(message.content or "")) for message in chat.messages)
        usage = CompletionUsage(
            prompt_tokens=read, completion_tokens=len(tokens), total_tokens=read + len(tokens)
        )
        if not chat.stream or (fault and fault.name == "whole_json"):
            return _complete_response(chat.model, "".join(tokens), finish, usage)
        includes_usage = bool(chat.stream_options and chat.stream_options.include_usage) and not (
            fault and fault.name == "no_usage"
        )
        completion = Completion(
            model=chat.model, tokens=tokens, finish=finish, usage=usage if includes_usage else None
        )
        return StreamedCompletion(completion, fault=fault, pause_s=self._pause_s, stats=self.stats)


def _returns_invalid_json(fault: ModelFault, chat: CompletionRequest) -> bool:
    """`bad_first`: invalid until the prompt contains the model's first answer."""
    return fault.name == "bad_json" or (
        fault.name == "bad_first" and all(message.role != "assistant" for message in chat.messages)
    )


def _error_for(fault: ModelFault | None, chat: CompletionRequest) -> Response | None:
    if fault is None:
        return None
    if fault.name == "html_page":
        return HTMLResponse("<!doctype html><title>Sign in</title><h1>Sign in</h1>")
    if fault.name == "rate_limit":
        headers = {"retry-after": str(fault.retry_after_s)}
        return _error(429, "too many requests", code="rate_limit_exceeded", headers=headers)
    if fault.name in REJECTED_PARAMETERS:
        parameter, message = REJECTED_PARAMETERS[fault.name]
        is_sent = getattr(chat, parameter) is not None
        return _error(400, message, code="unsupported_parameter", param=parameter) if is_sent else None
    if fault.name in _ERRORS:
        status, message, code = _ERRORS[fault.name]
        return _error(status, message, code=code)
    return None


def _complete_response(model: str, text: str, finish: str, usage: CompletionUsage) -> Response:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    body = {
        "id": "chatcmpl-sim",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [choice],
    }
    return JSONResponse({**body, "usage": msgspec.to_builtins(usage)})


def _error(
    status: int,
    message: str,
    *,
    code: str | None = None,
    param: str | None = None,
    headers: "dict[str, str] | None" = None,
) -> Response:
    problem = {
        "message": message,
        "type": "invalid_request_error" if status < 500 else "server_error",
        "code": code,
        "param": param,
    }
    return JSONResponse({"error": problem}, status, headers)
