"""The chat client against the simulated model server: complete and streamed answers, and every fault."""

import json

import pytest

from signalbox_core.chat_model.client import ChatClient, CompletionChunk
from signalbox_core.chat_model.settings import ChatModelSettings
from signalbox_core.chat_model.wire import ChatMessage, ChatRequest, ResponseFormat
from signalbox_core.errors import RateLimited, Rejected, SignalboxError, Unavailable
from support.servers.model_api import ModelApi

REQUEST = ChatRequest(messages=(ChatMessage("user", "Say something. It may be short."),), max_tokens=200)


async def streamed(
    settings: ChatModelSettings, request: ChatRequest = REQUEST, key: str | None = None
) -> list[CompletionChunk]:
    return [chunk async for chunk in ChatClient(settings).stream(request, idempotency_key=key)]


async def failure(settings: ChatModelSettings) -> SignalboxError:
    with pytest.raises(SignalboxError) as failed:
        await streamed(settings)
    return failed.value


async def test_an_answer_is_streamed_token_by_token_with_its_usage(model_api: ModelApi) -> None:
    chunks = await streamed(model_api.settings(), key="run-1:call-model")

    assert "".join(chunk.text for chunk in chunks).startswith("This is a simulated answer. Say something.")
    assert len(chunks) > 10
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["stop"]
    (usage,) = [chunk.usage for chunk in chunks if chunk.usage]
    assert usage.completion_tokens == sum(1 for chunk in chunks if chunk.text)
    assert {**model_api.requests()[-1]} == {
        "model": "sim",
        "idempotency_key": "run-1:call-model",
        "fault": None,
        "authorized": True,
    }


async def test_an_answer_can_be_requested_without_streaming(model_api: ModelApi) -> None:
    request = ChatRequest(
        messages=(
            ChatMessage(
                "system", '```json\n{"properties": {"n": {"type": "integer"}}, "type": "object"}\n```'
            ),
        ),
        response_format=ResponseFormat(),
    )

    answer = await ChatClient(model_api.settings()).complete(request)

    assert json.loads(answer.choices[0].message.content or "") == {"n": 1}
    assert answer.usage is not None


async def test_the_token_limit_has_its_own_finish_reason(model_api: ModelApi) -> None:
    chunks = await streamed(model_api.settings(), ChatRequest(messages=REQUEST.messages, max_tokens=3))

    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["length"]


async def test_a_missing_usage_is_not_an_error(model_api: ModelApi) -> None:
    assert [chunk.usage for chunk in await streamed(model_api.settings("no_usage")) if chunk.usage] == []


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        ("rate_limit", RateLimited, "rate_limited"),
        ("unavailable", Unavailable, "model_unavailable"),
        ("cut", Unavailable, "model_cut"),
        ("bad_chunk", Unavailable, "model_answer"),
        ("unauthorized", Rejected, "model_refused"),
        ("content_filter", Rejected, "content_filtered"),
        ("unheard_of", Rejected, "model_refused"),
    ],
)
async def test_every_fault_has_its_class_and_code(
    model_api: ModelApi, fault: str, kind: type[SignalboxError], code: str
) -> None:
    error = await failure(model_api.settings(fault))

    assert (type(error), error.stable_code) == (kind, code)
    assert "s3cret" not in error.detail


async def test_retry_after_is_parsed(model_api: ModelApi) -> None:
    error = await failure(model_api.settings("rate_limit:0:7"))

    assert isinstance(error, RateLimited)
    assert error.retry_after_s == 7


async def test_a_silent_stream_fails_after_the_read_timeout(model_api: ModelApi) -> None:
    error = await failure(model_api.settings("stall", read_timeout_s=0.3))

    assert (error.stable_code, "0.3 s" in error.detail) == ("model_stalled", True)


async def test_a_refused_connection_names_the_setting() -> None:
    error = await failure(ChatModelSettings(url="http://127.0.0.1:1/v1", name="sim"))

    assert isinstance(error, Unavailable)
    assert "SIGNALBOX_WORKER_MODEL_URL" in error.detail
