"""The model client against the local model server: every answer and every fault, with its class and code."""

import json

import pytest

from signalbox_core.chat_model.client import ModelClient, Piece
from signalbox_core.chat_model.settings import ModelSettings
from signalbox_core.chat_model.wire import Ask, Format, Message
from signalbox_core.errors import RateLimited, Rejected, SignalboxError, Unavailable
from support.servers.model_api import ModelApi

ASK = Ask(messages=(Message("user", "Say something. It may be short."),), max_tokens=200)


async def streamed(settings: ModelSettings, ask: Ask = ASK, key: str | None = None) -> list[Piece]:
    return [piece async for piece in ModelClient(settings).stream(ask, idempotency_key=key)]


async def failure(settings: ModelSettings) -> SignalboxError:
    with pytest.raises(SignalboxError) as failed:
        await streamed(settings)
    return failed.value


async def test_an_answer_comes_token_by_token_with_its_usage(model_api: ModelApi) -> None:
    pieces = await streamed(model_api.settings(), key="run-1:call-model")

    assert "".join(piece.text for piece in pieces).startswith("This is a simulated answer. Say something.")
    assert len(pieces) > 10
    assert [piece.finish for piece in pieces if piece.finish] == ["stop"]
    (usage,) = [piece.usage for piece in pieces if piece.usage]
    assert usage.completion_tokens == sum(1 for piece in pieces if piece.text)
    assert {**model_api.requests()[-1]} == {
        "model": "sim",
        "idempotency_key": "run-1:call-model",
        "fault": None,
        "authorized": True,
    }


async def test_an_answer_can_be_taken_at_once(model_api: ModelApi) -> None:
    asked = Ask(
        messages=(
            Message("system", '```json\n{"properties": {"n": {"type": "integer"}}, "type": "object"}\n```'),
        ),
        response_format=Format(),
    )

    answer = await ModelClient(model_api.settings()).answer(asked)

    assert json.loads(answer.choices[0].message.content or "") == {"n": 1}
    assert answer.usage is not None


async def test_a_limit_of_tokens_is_a_finish_of_its_own(model_api: ModelApi) -> None:
    pieces = await streamed(model_api.settings(), Ask(messages=ASK.messages, max_tokens=3))

    assert [piece.finish for piece in pieces if piece.finish] == ["length"]


async def test_a_server_that_does_not_count_is_no_error(model_api: ModelApi) -> None:
    assert [piece.usage for piece in await streamed(model_api.settings("no_usage")) if piece.usage] == []


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


async def test_retry_after_is_read(model_api: ModelApi) -> None:
    error = await failure(model_api.settings("rate_limit:0:7"))

    assert isinstance(error, RateLimited)
    assert error.retry_after_s == 7


async def test_a_silent_stream_is_given_up_after_the_read_timeout(model_api: ModelApi) -> None:
    error = await failure(model_api.settings("stall", read_timeout_s=0.3))

    assert (error.stable_code, "0.3 s" in error.detail) == ("model_stalled", True)


async def test_nobody_at_the_address_names_the_setting() -> None:
    error = await failure(ModelSettings(url="http://127.0.0.1:1/v1", name="sim"))

    assert isinstance(error, Unavailable)
    assert "SIGNALBOX_WORKER_MODEL_URL" in error.detail
