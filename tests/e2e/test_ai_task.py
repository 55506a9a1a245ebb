"""ai_task on the complete stack with the simulated model server."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import msgspec
import pytest

from signalbox_client import AsyncSignalbox
from signalbox_core.errors import InvalidInput
from signalbox_core.events import Snapshot
from signalbox_core.events.snapshot import StepState
from signalbox_pipelines.ai_task.contract import SPEC, AiTaskInput, AiTaskResult
from support.assertions.eventually import eventually
from support.drivers.journeys import until_ended
from support.servers.stack import RunningStack, running_stack

TEXT = """The canal at Ben Nghe carries rice to the port.
Every morning forty boats wait at the lock for the tide. The lock keeper writes down each boat and its load.
In March the lock was closed for nine days. Rice became dearer in the city."""
SUMMARISE = {"task": "summarise", "text": TEXT, "sentences": 3}


@pytest.fixture(scope="module")
def ai_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack with a slow model, whose answers take some seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIGNALBOX_WORKER_MODEL_NAME", "sim@slow")
        with running_stack(tmp_path_factory.mktemp("ai-stack"), "--with", "model_api") as started:
            yield started


@pytest.fixture
async def ai_client(ai_stack: RunningStack) -> AsyncIterator[AsyncSignalbox]:
    async with ai_stack.client() as opened:
        yield opened


async def test_a_late_listener_receives_the_whole_text_so_far(
    ai_stack: RunningStack, ai_client: AsyncSignalbox
) -> None:
    run_id = (await ai_client.start("ai_task", SUMMARISE)).run_id
    early = await text_of_run(ai_client, run_id)

    seen: list[str] = []
    async with ai_stack.client("viewer") as late, aclosing(late.watch(run_id)) as updates:
        async for update in updates:
            text = call_step(update.snapshot).text
            if text is not None and text not in seen:
                seen.append(text)
            if update.has_ended:
                break

    result = await result_of(ai_client, run_id)
    assert seen[0].startswith(early)
    assert len(seen) > 3
    assert all(result.text.startswith(text) for text in seen)
    assert (result.provider, result.label, result.text.startswith("This is a simulated answer.")) == (
        "model",
        "language model",
        True,
    )
    assert (await ai_client.artifact(run_id, result.artifact)).decode() == result.text
    assert all(step.text is None for step in (await ai_client.run(run_id)).steps)


async def test_the_python_client_streams_the_text_and_returns_the_result(ai_client: AsyncSignalbox) -> None:
    text, result = "", None
    async for now in ai_client.stream(SPEC, AiTaskInput(task="summarise", text=TEXT, sentences=3)):
        text = now.added if now.restarted else text + now.added
        result = now.result or result

    assert result is not None
    assert len(text) > 20
    assert result.text.startswith(text)
    local = AiTaskInput(task="summarise", text=TEXT, sentences=1, provider="local-extractive")
    assert (await ai_client.run(SPEC, local)).label == "not a language model"


async def test_a_killed_worker_costs_one_attempt_but_not_the_answer(
    ai_stack: RunningStack, ai_client: AsyncSignalbox
) -> None:
    run_id = (await ai_client.start("ai_task", SUMMARISE)).run_id
    await text_of_run(ai_client, run_id)
    ai_stack.kill("worker")
    assert await until_ended(ai_client, run_id) == "completed"

    result = await result_of(ai_client, run_id)
    assert [attempt.outcome for attempt in result.attempts] == ["timed_out", "answered"]
    assert (result.usage.estimated, result.attempts[0].output_tokens) == (True, 1_000)
    assert result.text.startswith("This is a simulated answer.")


async def test_the_cli_accepts_input_fields_as_flags(
    ai_stack: RunningStack, ai_client: AsyncSignalbox
) -> None:
    endpoints = ai_stack.endpoints
    program = str(Path(sys.executable).with_name("signalbox"))
    arguments = [
        "start",
        "ai_task",
        "--task",
        "summarise",
        "--text",
        TEXT,
        "--sentences",
        "1",
        "--provider",
        "local-extractive",
    ]
    environ = {
        **os.environ,
        "SIGNALBOX_URL": str(endpoints.gateway),
        "SIGNALBOX_API_KEY": endpoints.api_keys["admin"],
    }
    done = await asyncio.to_thread(
        subprocess.run,
        [program, *arguments],
        capture_output=True,
        text=True,
        env=environ,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert await until_ended(ai_client, done.stdout.strip()) == "completed"


async def test_the_offline_answer_is_labelled_as_not_from_a_language_model(
    ai_client: AsyncSignalbox,
) -> None:
    run_id = (
        await ai_client.start("ai_task", {**SUMMARISE, "provider": "local-extractive", "sentences": 1})
    ).run_id
    assert await until_ended(ai_client, run_id) == "completed"

    result = await result_of(ai_client, run_id)
    assert (result.label, result.text in " ".join(TEXT.split())) == ("not a language model", True)


async def test_invalid_input_is_refused_before_the_run_starts(ai_client: AsyncSignalbox) -> None:
    with pytest.raises(InvalidInput) as refused:
        await ai_client.start(
            "ai_task", {"task": "generate", "instruction": "A poem", "provider": "local-extractive"}
        )
    assert "not a language model" in refused.value.detail

    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "(a+)+$"}}}
    with pytest.raises(InvalidInput, match="pattern"):
        await ai_client.start("ai_task", {"task": "extract", "text": TEXT, "output_schema": schema})


async def text_of_run(client: AsyncSignalbox, run_id: str) -> str:
    """Wait for the first part of the text."""
    found: list[str] = []

    async def is_written() -> bool:
        run = await client.run(run_id)
        found.extend(step.text for step in run.steps if step.text and len(step.text) > 20)
        return bool(found)

    await eventually(is_written, within_s=30)
    return found[0]


async def result_of(client: AsyncSignalbox, run_id: str) -> AiTaskResult:
    return msgspec.json.decode(await client.result(run_id), type=AiTaskResult)


def call_step(snapshot: Snapshot) -> StepState:
    return next(
        (step for step in snapshot.steps if step.name == "call_model"), StepState(name="call_model", title="")
    )
