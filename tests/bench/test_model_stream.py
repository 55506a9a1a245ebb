"""CPU for one streamed token: our client and relay against a bare httpx2 loop on the same server. Goal: at
most 2 times."""

import json
import sys
import time
from collections.abc import Iterator
from statistics import median

import httpx2
import pytest

from signalbox_core.chat_model.client import ModelClient
from signalbox_core.chat_model.wire import Ask, Message
from signalbox_core.pipeline.activity.partial_text import PartialText
from signalbox_pipelines.ai_task.partial_output import Gathered, relay
from support.servers.model_api import ModelApi, running_model_api

ROUNDS = 7
PROMPT = " ".join(
    f"The boat {number} waits for the tide" + " and the lock" * 600 + "." for number in range(4)
)


@pytest.fixture(scope="module")
def model_api() -> Iterator[ModelApi]:
    with running_model_api("--pause-ms", "0") as server:
        yield server


async def bare(server: ModelApi) -> tuple[int, float, float]:
    """Tokens, seconds of CPU, seconds."""
    body = {"model": "sim", "stream": True, "messages": [{"role": "user", "content": PROMPT}]}
    tokens, cpu, began = 0, time.process_time(), time.perf_counter()
    parts: list[str] = []
    async with (
        httpx2.AsyncClient(trust_env=False) as client,
        client.stream("POST", f"{server.url}/chat/completions", json=body) as answer,
    ):
        async for line in answer.aiter_lines():
            if line.startswith("data: {"):
                parts.append(json.loads(line[6:])["choices"][0]["delta"].get("content", ""))
                tokens += 1
    return tokens, time.process_time() - cpu, time.perf_counter() - began


async def ours(server: ModelApi) -> tuple[int, float, float]:
    cpu, began = time.process_time(), time.perf_counter()
    gathered, shown = Gathered(), PartialText()
    pieces = ModelClient(server.settings()).stream(Ask(messages=(Message("user", PROMPT),)))
    await relay(pieces, gathered, shown.add, max_tokens=1_000_000)
    tokens = gathered.usage.completion_tokens if gathered.usage else 0
    return tokens, time.process_time() - cpu, time.perf_counter() - began


async def test_a_streamed_token_costs_little_more_than_reading_it(model_api: ModelApi) -> None:
    arms = {"bare": bare, "ours": ours}
    costs: dict[str, list[float]] = {"bare": [], "ours": []}
    speeds: dict[str, list[float]] = {"bare": [], "ours": []}
    for turn in range(ROUNDS + 1):
        for name in sorted(arms, reverse=bool(turn % 2)):
            tokens, cpu, took = await arms[name](model_api)
            if turn:  # the first warms up
                costs[name].append(cpu / tokens * 1e6)
                speeds[name].append(tokens / took)
    ratios = [mine / other for mine, other in zip(costs["ours"], costs["bare"], strict=True)]
    sys.stdout.write(
        f"\nµs CPU a token: ours {median(costs['ours']):.0f}, bare httpx2 {median(costs['bare']):.0f}, ratio {median(ratios):.2f}; "
        f"tokens/s: ours {median(speeds['ours']):.0f}, bare {median(speeds['bare']):.0f}\n"
    )
    assert median(ratios) <= 2.0
