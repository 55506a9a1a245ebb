"""The server's routes: /v1/chat/completions, /v1/models, /healthz and what is simulated (/_sim/stats)."""

import time
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from signalbox_devstack.emulators.model_api.faults import Fault, Faults, UnknownFaultError, read_fault
from signalbox_devstack.emulators.model_api.speaking import Script, Stream
from signalbox_devstack.emulators.model_api.stats import Stats
from signalbox_devstack.emulators.model_api.wire import Ask, Usage
from signalbox_devstack.emulators.model_api.writing import answer_to, tokens_of

MODEL: Final = "sim"
MAX_BODY_BYTES: Final = 4_000_000
_NO_JSON: Final = "Of course! Here is no JSON."


def create_app(*, pause_s: float = 0.005) -> Starlette:
    server = ModelServer(pause_s)
    return Starlette(
        routes=[
            Route("/v1/chat/completions", server.complete, methods=["POST"]),
            Route("/v1/models", server.models),
            Route("/healthz", lambda _request: JSONResponse({"status": "ok"})),
            Route("/_sim/stats", lambda _request: JSONResponse(dict(server.stats.seen()))),
        ]
    )


class ModelServer:
    """Args:
    pause_s: between two tokens of a stream.
    """

    def __init__(self, pause_s: float) -> None:
        self.stats = Stats()
        self._faults = Faults()
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
            ask = msgspec.json.decode(body, type=Ask)
            asked = ask.model.partition("@")[2] or request.headers.get("x-sim-fault", "")
            fault = self._faults.met(
                read_fault(asked), request.headers.get("idempotency-key") or str(ask.messages)
            )
        except (msgspec.DecodeError, UnicodeDecodeError, UnknownFaultError) as error:
            return _error(400, str(error))
        self._note(request, ask, fault)
        return _refused(fault) or self._answer(ask, fault)

    def _note(self, request: Request, ask: Ask, fault: Fault | None) -> None:
        if fault is not None:
            self.stats.count("faults")
        self.stats.asked(
            model=ask.model,
            key=request.headers.get("idempotency-key"),
            fault=fault.name if fault else None,
            is_authorized="authorization" in request.headers,
        )

    def _answer(self, ask: Ask, fault: Fault | None) -> ASGIApp:
        tokens = tokens_of(_NO_JSON if fault and _answers_badly(fault, ask) else answer_to(ask))
        finish = "length" if ask.max_tokens is not None and len(tokens) > ask.max_tokens else "stop"
        tokens = tokens[: ask.max_tokens]
        read = sum(len(tokens_of(message.content or "")) for message in ask.messages)
        usage = Usage(prompt_tokens=read, completion_tokens=len(tokens), total_tokens=read + len(tokens))
        if not ask.stream:
            return _whole(ask.model, "".join(tokens), finish, usage)
        counts = bool(ask.stream_options and ask.stream_options.include_usage) and not (
            fault and fault.name == "no_usage"
        )
        script = Script(model=ask.model, tokens=tokens, finish=finish, usage=usage if counts else None)
        return Stream(script, fault=fault, pause_s=self._pause_s, stats=self.stats)


def _answers_badly(fault: Fault, ask: Ask) -> bool:
    """`bad_first` is a model that does better once it is shown its answer."""
    return fault.name == "bad_json" or (
        fault.name == "bad_first" and all(message.role != "assistant" for message in ask.messages)
    )


def _refused(fault: Fault | None) -> Response | None:
    match fault.name if fault else None:
        case "rate_limit":
            wait = str(fault.retry_after_s) if fault else "1"
            return _error(429, "too many requests", code="rate_limit_exceeded", headers={"retry-after": wait})
        case "unauthorized":
            return _error(401, "Incorrect API key provided", code="invalid_api_key")
        case "unavailable":
            return _error(503, "the model is being loaded")
        case _:
            return None


def _whole(model: str, text: str, finish: str, usage: Usage) -> Response:
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
    status: int, message: str, *, code: str | None = None, headers: "dict[str, str] | None" = None
) -> Response:
    problem = {
        "message": message,
        "type": "invalid_request_error" if status < 500 else "server_error",
        "code": code,
    }
    return JSONResponse({"error": problem}, status, headers)
