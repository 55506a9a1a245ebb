"""A pipeline called like a function, against a gateway that is a function. `make check` runs mypy over this file, for its types."""

from collections.abc import Sequence
from typing import assert_type

import httpx2
import msgspec
import pytest
from msgspec import Struct

from signalbox_client import AsyncSignalbox, Progress, Signalbox
from signalbox_core.errors import Conflict, Unavailable
from signalbox_core.events import full_type
from signalbox_pipelines.ai_task.contract import SPEC, AiTaskInput, AiTaskResult

AT = "2026-01-02T03:04:05Z"
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


def event(name: str, sequence: int | None, **data: object) -> str:
    step = {"stepid": data["step"]} if "step" in data else {}
    body = {
        "id": f"e{name}{sequence}",
        "type": full_type(name),
        "time": AT,
        "runid": "r1",
        "sequence": sequence,
        "data": data,
        **step,
    }
    return f"id: e:{sequence}\ndata: {msgspec.json.encode(body).decode()}\n\n"


def written(text: str, offset: int = 0) -> str:
    return event("step.progress", None, step="say", percent=10, text=text, offset=offset)


def snapshot(status: str = "running") -> str:
    steps = [{"name": "say", "title": "Say it", "status": status, "attempt": 1, "started_at": AT}]
    run = {
        "run_id": "r1",
        "pipeline": "ai_task",
        "status": status,
        "steps": steps,
        "epoch": "e",
        "sequence": 2,
        "result": None,
    }
    return f"event: snapshot\ndata: {msgspec.json.encode(run).decode()}\n\n"


SAID = event("step.completed", 3, step="say", title="Say it", started_at=AT)
COMPLETED = event("run.completed", 4, result=None, pipeline="ai_task")
END = "event: end\ndata: {}\n\n"


class Gateway:
    """Starts a run whose stream is the frames and whose result is RESULT, or the problem."""

    def __init__(self, frames: Sequence[str], *, result: httpx2.Response | None = None) -> None:
        self.frames = frames
        self.answer = result
        self.asked: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        if request.url.path.endswith("/stream"):
            return httpx2.Response(
                200, headers={"content-type": "text/event-stream"}, text="".join(self.frames)
            )
        if request.url.path.endswith("/result"):
            return self.answer or httpx2.Response(200, json=RESULT)
        return httpx2.Response(201, json={"run_id": "r1", "pipeline": "ai_task", "status": "running"})

    def asynchronous(self) -> AsyncSignalbox:
        return AsyncSignalbox(URL, "sbx_key", transport=httpx2.MockTransport(self), backoff_s=())

    def blocking(self) -> Signalbox:
        return Signalbox(URL, "sbx_key", transport=httpx2.MockTransport(self), backoff_s=())


async def test_a_run_by_its_contract_gives_what_the_contract_says() -> None:
    gateway = Gateway([snapshot(), SAID, COMPLETED, END])
    async with gateway.asynchronous() as client:
        result = assert_type(await client.run(SPEC, SUMMARISE, run_id="mine"), AiTaskResult)

    assert (result.text, result.label) == ("Rice is dearer.", "language model")
    sent = msgspec.json.decode(gateway.asked[0].content)
    assert (sent["pipeline"], sent["run_id"], sent["input"]["text"]) == (
        "ai_task",
        "mine",
        "Rice became dearer.",
    )


async def test_a_run_by_name_gives_the_type_that_is_asked_for_or_json() -> None:
    async with Gateway([snapshot(), COMPLETED, END]).asynchronous() as client:
        short = assert_type(await client.run("ai_task", {"task": "summarise"}, result=Short), Short)
        raw = assert_type(await client.run("ai_task", SUMMARISE), msgspec.Raw)

    assert short == Short(text="Rice is dearer.")
    assert msgspec.json.decode(raw) == RESULT


def test_the_blocking_client_does_the_same() -> None:
    with Gateway([snapshot(), COMPLETED, END]).blocking() as client:
        result = assert_type(client.run(SPEC, SUMMARISE), AiTaskResult)
        updates = list(client.stream("ai_task", SUMMARISE, result=Short))

    assert result.text == "Rice is dearer."
    last = assert_type(updates[-1].result, Short | None)
    assert last == Short(text="Rice is dearer.")


async def test_a_stream_says_what_was_added_and_ends_with_the_result() -> None:
    frames = [
        snapshot(),
        written("Rice "),
        written("Rice is "),
        written("Rice is dearer."),
        SAID,
        COMPLETED,
        END,
    ]
    async with Gateway(frames).asynchronous() as client:
        updates = [update async for update in client.stream(SPEC, SUMMARISE)]

    assert_type(updates[0], Progress[AiTaskResult])
    assert "".join(update.added for update in updates) == "Rice is dearer."
    assert [update.text for update in updates if update.text] == ["Rice ", "Rice is ", "Rice is dearer."]
    assert not any(update.restarted for update in updates)
    assert [update.result is not None for update in updates] == [False] * 5 + [True]


async def test_another_attempt_begins_the_text_again() -> None:
    reset = event("stream.reset", None, step="say", attempt=2)
    async with Gateway(
        [snapshot(), written("Rice w"), reset, written("Rice is"), COMPLETED, END]
    ).asynchronous() as client:
        updates = [update async for update in client.stream(SPEC, SUMMARISE)]

    assert [(update.added, update.restarted) for update in updates[1:4]] == [
        ("Rice w", False),
        ("", True),
        ("Rice is", False),
    ]


async def test_a_reset_that_was_missed_is_told_all_the_same() -> None:
    async with Gateway(
        [snapshot(), written("Rice w"), written("It is"), COMPLETED, END]
    ).asynchronous() as client:
        updates = [update async for update in client.stream(SPEC, SUMMARISE)]

    assert (updates[2].added, updates[2].restarted) == ("It is", True)


async def test_of_a_long_text_only_its_end_travels_and_what_was_added_is_still_known() -> None:
    async with Gateway(
        [snapshot(), written("abcdef"), written("efgh", offset=4), COMPLETED, END]
    ).asynchronous() as client:
        updates = [update async for update in client.stream(SPEC, SUMMARISE)]

    assert (updates[2].added, updates[2].restarted) == ("gh", False)


async def test_a_run_that_fails_raises_its_step_and_cause() -> None:
    problem = {
        "status": 409,
        "code": "run_failed",
        "detail": "run r1 has no result: it failed in step call_model: no quota",
    }
    gateway = Gateway(
        [snapshot(), event("run.failed", 3, error={"code": "model_quota", "message": "no quota"}), END]
    )
    gateway.answer = httpx2.Response(409, json=problem)
    async with gateway.asynchronous() as client:
        with pytest.raises(Conflict, match="call_model: no quota") as failed:
            await client.run(SPEC, SUMMARISE)

    assert failed.value.stable_code == "run_failed"


async def test_a_result_of_another_version_is_said_to_be_one() -> None:
    gateway = Gateway([snapshot(), COMPLETED, END], result=httpx2.Response(200, json={"text": 7}))
    async with gateway.asynchronous() as client:
        with pytest.raises(Unavailable, match="not what the contract says"):
            await client.run(SPEC, SUMMARISE)
