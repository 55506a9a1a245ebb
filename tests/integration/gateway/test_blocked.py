"""Runs that cannot continue: found by the leading gateway, shown everywhere, and released by themselves."""

import json
from collections.abc import AsyncIterator, Container
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import httpx2
import pytest
from msgspec import structs
from starlette.applications import Starlette
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from signalbox_core.events import CloudEvent
from signalbox_core.ids import new_run_id, run_key
from signalbox_core.pipeline import PipelineSpec
from signalbox_core.pipeline.workflow.recorded import QuestionActivities
from signalbox_core.testing.emitter import FakeEmitter
from signalbox_gateway.app import Gateway, Parts
from signalbox_gateway.background.condition_monitor import ConditionMonitor
from signalbox_gateway.background.condition_rules import PendingWork
from signalbox_gateway.background.pending_work import PendingWorkReader
from signalbox_gateway.runs.conditions import CONDITIONS_KEY, UNPUBLISHED_KEY, RunConditions
from signalbox_gateway.runs.run_info import RunInfoPage
from signalbox_gateway.runs.workflow_ids import WorkflowIds
from support.assertions.eventually import beside, eventually
from support.drivers.api_calls import asked, ended, started
from support.fakes.echo_pipeline import SPEC, WORD_DIGEST, Echo, EchoInput, EchoResult
from support.fakes.known_runs import FakeRunDirectory, closed_run
from support.servers.gateway import client_of

LONG_S = 90.0


@workflow.defn(name="echo")
class BrokenEcho:
    """A release with a bug in its workflow code."""

    @workflow.run
    async def run(self, request: EchoInput) -> EchoResult:
        raise RuntimeError(f"the bug of {request.text}")


@workflow.defn(name="echo")
class ChangedEcho(Echo):
    """A release whose first step has a timer that earlier releases did not have."""

    @workflow.init
    def __init__(self, request: EchoInput) -> None:
        super().__init__(request)

    @workflow.run
    async def run(self, request: EchoInput) -> EchoResult:
        await workflow.sleep(1)
        return await super().run(request)


class RecordingPublisher:
    """Keeps what is published in the place of Pub/Sub."""

    def __init__(self) -> None:
        self.events: list[CloudEvent] = []

    async def publish(self, topic: str, event: CloudEvent, *, ordering_key: str) -> str:
        assert (topic, ordering_key) == ("lifecycle", event.runid)
        self.events.append(event)
        return event.id

    def of(self, run_id: str) -> list[str]:
        return [event.name for event in self.events if event.runid == run_id]


@pytest.fixture
def publisher() -> RecordingPublisher:
    return RecordingPublisher()


@pytest.fixture
async def monitored(parts: Parts, publisher: RecordingPublisher) -> AsyncIterator[Starlette]:
    """A gateway that leads; nothing of an earlier test is recorded."""
    await parts.redis.delete(CONDITIONS_KEY, UNPUBLISHED_KEY)
    gateway = Gateway(replace(parts, publisher=publisher))
    loops = gateway.loops()
    async with beside(loops["reconciler"]()), beside(loops["conditions"]()):
        yield gateway.app()


@pytest.fixture
async def watcher(monitored: Starlette) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(monitored) as client:
        yield client


@asynccontextmanager
async def release(temporal: Client, workflow_class: type) -> AsyncIterator[None]:
    """A worker of the pipeline with this workflow code; it holds no run in its cache."""
    async with Worker(
        temporal,
        task_queue="echo",
        workflows=[workflow_class],
        activities=[QuestionActivities(FakeEmitter()).record],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_cached_workflows=0,
    ):
        yield


async def snapshot_once(
    caller: httpx2.AsyncClient, run_id: str, member: str, *, present: bool = True
) -> dict[str, object]:
    async def found() -> dict[str, object] | None:
        body: dict[str, object] = (await caller.get(f"/v1/runs/{run_id}")).json()
        return body if (body[member] is not None) is present else None

    return await eventually(found, within_s=LONG_S, every_s=0.2)


async def test_a_bug_blocks_a_run_until_a_fixed_worker_is_deployed(
    watcher: httpx2.AsyncClient, temporal: Client, publisher: RecordingPublisher
) -> None:
    run_id = await started(watcher)
    async with release(temporal, BrokenEcho):
        blocked = (await snapshot_once(watcher, run_id, "blocked"))["blocked"]
        listed = (await watcher.get("/v1/runs", params={"status": "running"})).json()["runs"]
        found = (await watcher.get("/v1/runs", params={"q": "status:blocked"})).json()["runs"]
        metrics = (await watcher.get("/metrics")).text

    assert isinstance(blocked, dict)
    assert blocked["code"] == "workflow_error"
    assert "the bug of hi" in str(blocked["reason"])
    assert "test_blocked.py:" in str(blocked["reason"])
    assert [item["blocked"] for item in listed if item["run_id"] == run_id] == [blocked]
    assert run_id in [item["run_id"] for item in found]
    assert all(item["blocked"] for item in found)
    assert 'signalbox_gateway_runs_held{code="workflow_error",pipeline="echo"}' in metrics

    async with release(temporal, Echo):
        await eventually(lambda: _has_status(watcher, run_id, "completed"), within_s=LONG_S, every_s=0.2)
        await eventually(lambda: publisher.of(run_id) == ["run.blocked", "run.unblocked"], within_s=LONG_S)
        finished = await ended(watcher, run_id)
        result = await watcher.get(f"/v1/runs/{run_id}/result")

    assert (finished["blocked"], result.json()) == (None, {"text": "hi"})


async def test_a_run_whose_history_does_not_match_the_code_is_blocked_and_decisions_are_kept(
    watcher: httpx2.AsyncClient, temporal: Client
) -> None:
    async with release(temporal, Echo):
        run_id = await started(watcher, ask=True)
        await asked(watcher, run_id)
    async with release(temporal, ChangedEcho):
        await temporal.get_workflow_handle(run_key("acme", run_id)).signal("pause", {})
        blocked = (await snapshot_once(watcher, run_id, "blocked"))["blocked"]
        answer = await watcher.post(
            f"/v1/runs/{run_id}/approvals/word/decision",
            json={"digest": WORD_DIGEST, "answer": {"word": "yes"}},
        )

    assert isinstance(blocked, dict)
    assert blocked["code"] == "non_determinism"
    assert "workflow.patched" in str(blocked["reason"])
    assert (answer.status_code, answer.json()["status"]) == (202, "recorded")
    assert answer.json()["blocked"]["code"] == "non_determinism"

    async with release(temporal, Echo):
        await temporal.get_workflow_handle(run_key("acme", run_id)).signal("resume", {})
        await eventually(lambda: _has_status(watcher, run_id, "completed"), within_s=LONG_S, every_s=0.2)
        result = await watcher.get(f"/v1/runs/{run_id}/result")

    assert result.json() == {"text": "yes"}


async def test_a_run_in_a_queue_without_a_worker_is_blocked(
    parts: Parts, temporal: Client, publisher: RecordingPublisher
) -> None:
    unserved = replace(parts, pipelines={SPEC.name: _with_queue(new_run_id("queue"))}, publisher=publisher)
    gateway = Gateway(unserved)
    loops = gateway.loops()
    async with (
        beside(loops["reconciler"]()),
        beside(loops["conditions"]()),
        client_of(gateway.app()) as caller,
    ):
        run_id = await started(caller)
        blocked = (await snapshot_once(caller, run_id, "blocked"))["blocked"]
        await temporal.get_workflow_handle(run_key("acme", run_id)).terminate()
        await eventually(
            lambda: publisher.of(run_id) == ["run.blocked", "run.unblocked"], within_s=LONG_S, every_s=0.2
        )

    assert isinstance(blocked, dict)
    assert blocked["code"] == "no_worker"
    assert "start workers" in json.dumps(blocked)


def _with_queue(name: str) -> PipelineSpec:
    return structs.replace(SPEC, task_queue=name)


async def _has_status(caller: httpx2.AsyncClient, run_id: str, status: str) -> bool:
    return bool((await caller.get(f"/v1/runs/{run_id}")).json()["status"] == status)


class HealthyRuns(FakeRunDirectory):
    """Runs for which Temporal reports no problem."""

    async def list(
        self, query: str, *, limit: int, token: bytes | None, skip: Container[str] = ()
    ) -> RunInfoPage:
        if "TemporalReportedProblems" in query:
            return RunInfoPage(runs=(), next_token=None)
        return await super().list(query, limit=limit, token=token, skip=skip)


class RecordingReader(PendingWorkReader):
    """Notes the runs that it reads; none has pending work."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts.temporal, WorkflowIds(parts.temporal, timedelta(seconds=5)))
        self.keys: list[str] = []

    async def read(self, key: str) -> PendingWork | None:
        self.keys.append(key)
        return None


async def test_a_run_is_checked_when_it_is_a_few_seconds_old(parts: Parts) -> None:
    reader, run = RecordingReader(parts), closed_run("running")
    monitor = ConditionMonitor(
        HealthyRuns(run), reader, RunConditions(parts.redis), parts.streams, parts.publisher
    )
    await monitor.check(run.started_at + timedelta(seconds=1))
    assert run.key not in reader.keys
    await monitor.check(run.started_at + timedelta(seconds=4))
    assert run.key in reader.keys
