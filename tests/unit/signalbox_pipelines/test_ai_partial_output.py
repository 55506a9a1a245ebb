"""Reports of a partial answer: with the first text, then periodically, also while the model is silent."""

from collections.abc import AsyncGenerator

import pytest

from signalbox_core.chat_model.client import CompletionChunk
from signalbox_core.chat_model.wire import TokenUsage
from signalbox_core.errors import Unavailable
from signalbox_pipelines.ai_task.partial_output import PartialOutput, collect_output
from support.assertions.eventually import eventually


async def streamed(*chunks: CompletionChunk) -> AsyncGenerator[CompletionChunk, None]:
    for chunk in chunks:
        yield chunk


async def test_every_text_is_reported_once_and_in_order() -> None:
    reports: list[str] = []
    output = PartialOutput()

    await collect_output(
        streamed(CompletionChunk("Xin "), CompletionChunk("chào"), CompletionChunk(finish_reason="stop")),
        output,
        reports.append,
        max_tokens=10,
    )

    assert (reports[0], "".join(reports), output.text, output.finish_reason) == (
        "Xin ",
        "Xin chào",
        "Xin chào",
        "stop",
    )


async def test_reports_continue_while_the_model_is_silent() -> None:
    reports: list[str] = []

    async def silent() -> AsyncGenerator[CompletionChunk, None]:
        await eventually(lambda: len(reports) >= 3)
        yield CompletionChunk("late")

    await collect_output(silent(), PartialOutput(), reports.append, max_tokens=10, interval_s=0.001)

    assert set(reports[:3]) == {""}


async def test_text_received_before_a_failure_is_kept_and_reported() -> None:
    reports: list[str] = []
    output = PartialOutput()

    async def broken() -> AsyncGenerator[CompletionChunk, None]:
        yield CompletionChunk("half an ")
        yield CompletionChunk("answer")
        raise Unavailable("cut", code="model_cut")

    with pytest.raises(Unavailable):
        await collect_output(broken(), output, reports.append, max_tokens=10)
    assert "".join(reports) == output.text == "half an answer"


async def test_output_far_beyond_the_token_limit_is_cut_off() -> None:
    output = PartialOutput()

    async def endless() -> AsyncGenerator[CompletionChunk, None]:
        while True:
            yield CompletionChunk("word ")

    await collect_output(endless(), output, lambda _text: None, max_tokens=5)

    assert (output.finish_reason, output.chars < 100) == ("length", True)


def test_usage_is_reported_by_the_server_or_estimated_or_zero() -> None:
    silent, counted, uncounted = PartialOutput(), PartialOutput(), PartialOutput()
    counted.add(CompletionChunk("x", usage=TokenUsage(prompt_tokens=7, completion_tokens=1)))
    uncounted.add(CompletionChunk("some words"))

    assert (silent.attempt_usage(50).input_tokens, silent.attempt_usage(50).estimated) == (0, False)
    assert (counted.attempt_usage(50).input_tokens, counted.attempt_usage(50).estimated) == (7, False)
    assert (
        uncounted.attempt_usage(50).input_tokens,
        uncounted.attempt_usage(50).output_tokens,
        uncounted.attempt_usage(50).estimated,
    ) == (50, 4, True)
