"""Telling an answer while it is written: at once when it begins, then at intervals, also while the model is silent."""

from collections.abc import AsyncGenerator

import pytest

from signalbox_core.chat_model.client import Piece
from signalbox_core.chat_model.wire import Usage
from signalbox_core.errors import Unavailable
from signalbox_pipelines.ai_task.partial_output import Gathered, relay
from support.assertions.eventually import eventually


async def spoken(*pieces: Piece) -> AsyncGenerator[Piece, None]:
    for piece in pieces:
        yield piece


async def test_everything_said_is_told_once_and_in_order() -> None:
    told: list[str] = []
    gathered = Gathered()

    await relay(
        spoken(Piece("Xin "), Piece("chào"), Piece(finish="stop")), gathered, told.append, max_tokens=10
    )

    assert (told[0], "".join(told), gathered.text, gathered.finish) == (
        "Xin ",
        "Xin chào",
        "Xin chào",
        "stop",
    )


async def test_a_silent_model_is_told_of_too() -> None:
    told: list[str] = []

    async def silent() -> AsyncGenerator[Piece, None]:
        await eventually(lambda: len(told) >= 3)
        yield Piece("late")

    await relay(silent(), Gathered(), told.append, max_tokens=10, every_s=0.001)

    assert set(told[:3]) == {""}


async def test_what_came_before_a_failure_is_kept_and_told() -> None:
    told: list[str] = []
    gathered = Gathered()

    async def broken() -> AsyncGenerator[Piece, None]:
        yield Piece("half an ")
        yield Piece("answer")
        raise Unavailable("cut", code="model_cut")

    with pytest.raises(Unavailable):
        await relay(broken(), gathered, told.append, max_tokens=10)
    assert "".join(told) == gathered.text == "half an answer"


async def test_a_server_that_ignores_the_limit_is_cut_off() -> None:
    gathered = Gathered()

    async def endless() -> AsyncGenerator[Piece, None]:
        while True:
            yield Piece("word ")

    await relay(endless(), gathered, lambda _news: None, max_tokens=5)

    assert (gathered.finish, gathered.chars < 100) == ("length", True)


def test_tokens_are_the_servers_else_estimated_else_none() -> None:
    silent, counted, uncounted = Gathered(), Gathered(), Gathered()
    counted.add(Piece("x", usage=Usage(prompt_tokens=7, completion_tokens=1)))
    uncounted.add(Piece("some words"))

    assert (silent.spent(50).input_tokens, silent.spent(50).estimated) == (0, False)
    assert (counted.spent(50).input_tokens, counted.spent(50).estimated) == (7, False)
    assert (
        uncounted.spent(50).input_tokens,
        uncounted.spent(50).output_tokens,
        uncounted.spent(50).estimated,
    ) == (50, 4, True)
