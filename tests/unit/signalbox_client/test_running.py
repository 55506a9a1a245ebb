"""Running a pipeline like a function. `make check` runs mypy on this file: it tests the types too."""

from collections.abc import Sequence
from typing import assert_type

import httpx2
import msgspec
import pytest
from msgspec import Struct

from signalbox_client import AsyncSignalbox, Progress, Signalbox
from signalbox_core.errors import Conflict, Unavailable
from signalbox_pipelines.ai_task.contract import SPEC, AiTaskInput, AiTaskResult
from support.drivers.both_clients import KINDS, EitherClient, Kind
from support.fakes.stream_frames import END, RUN_COMPLETED, STEP_COMPLETED, event_frame, snapshot_frame

URL = "http://127.0.0.1:8080"
RESULT = {
    "task": "summarise",
    "text": "Rice is dearer.",
    "provider": "model",
    "model": "m",
    "label": "language model",
}
SUMMARISE = AiTaskInput(task="summarise", text="Rice became dearer.")


class Short(Struct, frozen=True):
    text: str


def written(text: str, offset: int = 0) -> str:
    return event_frame("step.progress", None, step="say", percent=10, text=text, offset=offset)


class PipelineGateway:
    """Starts a run whose stream is the frames and whose result is RESULT, or the problem."""

    def __init__(self, frames: Sequence[str], *, result: httpx2.Response | None = None) -> None:
        self.frames = frames
        self.result = result
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        if request.url.path.endswith("/stream"):
            return httpx2.Response(
                200, headers={"content-type": "text/event-stream"}, text="".join(self.frames)
            )
        if request.url.path.endswith("/result"):
            return self.result or httpx2.Response(200, json=RESULT)
        return httpx2.Response(201, json={"run_id": "r1", "pipeline": "ai_task", "status": "running"})

    def asynchronous(self) -> AsyncSignalbox:
        return AsyncSignalbox(URL, "sbx_key", transport=httpx2.MockTransport(self), backoff_s=())

    async def stream(self, kind: Kind) -> list[Progress[AiTaskResult]]:
        """Every item of a streamed run, by either client."""
        return await EitherClient(kind, URL, handler=self).collect("stream", SPEC, SUMMARISE)

    def blocking(self) -> Signalbox:
        return Signalbox(URL, "sbx_key", transport=httpx2.MockTransport(self), backoff_s=())


async def test_a_run_by_its_contract_returns_the_contracts_type() -> None:
    gateway = PipelineGateway([snapshot_frame(), STEP_COMPLETED, RUN_COMPLETED, END])
    async with gateway.asynchronous() as client:
        result = assert_type(await client.run(SPEC, SUMMARISE, run_id="mine"), AiTaskResult)

    assert (result.text, result.label) == ("Rice is dearer.", "language model")
    sent = msgspec.json.decode(gateway.requests[0].content)
    assert (sent["pipeline"], sent["run_id"], sent["input"]["text"]) == (
        "ai_task",
        "mine",
        "Rice became dearer.",
    )


async def test_a_stream_is_typed_by_its_contract() -> None:
    async with PipelineGateway([snapshot_frame(), RUN_COMPLETED, END]).asynchronous() as client:
        updates = [update async for update in client.stream(SPEC, SUMMARISE)]

    assert_type(updates[0], Progress[AiTaskResult])
    assert isinstance(updates[-1].result, AiTaskResult)


async def test_a_run_by_name_returns_the_requested_type_or_json() -> None:
    async with PipelineGateway([snapshot_frame(), RUN_COMPLETED, END]).asynchronous() as client:
        short = assert_type(await client.run("ai_task", {"task": "summarise"}, result=Short), Short)
        raw = assert_type(await client.run("ai_task", SUMMARISE), msgspec.Raw)

    assert short == Short(text="Rice is dearer.")
    assert msgspec.json.decode(raw) == RESULT


def test_the_blocking_client_has_the_same_types() -> None:
    with PipelineGateway([snapshot_frame(), RUN_COMPLETED, END]).blocking() as client:
        result = assert_type(client.run(SPEC, SUMMARISE), AiTaskResult)
        updates = list(client.stream("ai_task", SUMMARISE, result=Short))
        assert_type(next(client.stream(SPEC, SUMMARISE)), Progress[AiTaskResult])

    assert result.text == "Rice is dearer."
    last = assert_type(updates[-1].result, Short | None)
    assert last == Short(text="Rice is dearer.")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_stream_yields_the_text_that_was_added_and_ends_with_the_result(kind: Kind) -> None:
    texts = [written("Rice "), written("Rice is "), written("Rice is dearer.")]
    frames = [snapshot_frame(), *texts, STEP_COMPLETED, RUN_COMPLETED, END]
    updates = await PipelineGateway(frames).stream(kind)

    assert "".join(update.added for update in updates) == "Rice is dearer."
    assert [update.text for update in updates if update.text] == ["Rice ", "Rice is ", "Rice is dearer."]
    assert not any(update.restarted for update in updates)
    assert [update.result is not None for update in updates] == [False] * 5 + [True]


@pytest.mark.parametrize("kind", KINDS)
async def test_another_attempt_restarts_the_text(kind: Kind) -> None:
    reset = event_frame("stream.reset", None, step="say", attempt=2)
    frames = [snapshot_frame(), written("Rice w"), reset, written("Rice is"), RUN_COMPLETED, END]
    updates = await PipelineGateway(frames).stream(kind)

    assert [(update.added, update.restarted) for update in updates[1:4]] == [
        ("Rice w", False),
        ("", True),
        ("Rice is", False),
    ]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_restart_is_detected_when_its_reset_was_lost(kind: Kind) -> None:
    frames = [snapshot_frame(), written("Rice w"), written("It is"), RUN_COMPLETED, END]
    updates = await PipelineGateway(frames).stream(kind)

    assert (updates[2].added, updates[2].restarted) == ("It is", True)


@pytest.mark.parametrize("kind", KINDS)
async def test_the_added_text_is_found_when_a_frame_holds_only_the_end(kind: Kind) -> None:
    frames = [snapshot_frame(), written("abcdef"), written("efgh", offset=4), RUN_COMPLETED, END]
    updates = await PipelineGateway(frames).stream(kind)

    assert (updates[2].added, updates[2].restarted) == ("gh", False)


async def test_a_run_that_fails_raises_its_step_and_cause() -> None:
    problem = {
        "status": 409,
        "code": "run_failed",
        "detail": "run r1 ended without a result (failed in step call_model): no quota",
    }
    gateway = PipelineGateway(
        [
            snapshot_frame(),
            event_frame("run.failed", 3, error={"code": "model_quota", "message": "no quota"}),
            END,
        ]
    )
    gateway.result = httpx2.Response(409, json=problem, headers={"content-type": "application/problem+json"})
    async with gateway.asynchronous() as client:
        with pytest.raises(Conflict, match=r"call_model\): no quota") as failed:
            await client.run(SPEC, SUMMARISE)

    assert failed.value.stable_code == "run_failed"


async def test_a_result_of_another_contract_version_is_unavailable() -> None:
    gateway = PipelineGateway(
        [snapshot_frame(), RUN_COMPLETED, END], result=httpx2.Response(200, json={"text": 7})
    )
    async with gateway.asynchronous() as client:
        with pytest.raises(Unavailable, match="does not match its contract"):
            await client.run(SPEC, SUMMARISE)
