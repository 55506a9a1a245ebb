"""Retrying runs: from the failed step under the same id, or from the start as a new run."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client

from signalbox_core.errors import Unavailable
from signalbox_core.ids import run_key
from signalbox_gateway.app import Gateway, Parts
from signalbox_gateway.background.reconciler import CURSOR_KEY
from signalbox_gateway.background.terminal_events import terminal_event
from signalbox_gateway.runs.run_info import RunInfo
from support.assertions.eventually import beside, eventually
from support.servers.gateway import PATIENCE, client_of
from support.servers.staged_worker import StreamEmitter, staged_worker
from support.staged.stages.contract import SPEC

LONG_S = 60.0
Json = dict[str, object]


@dataclass(frozen=True)
class Stages:
    """Runs of the stages pipeline behind a gateway that leads, and the files that count their work."""

    caller: httpx2.AsyncClient
    emitter: StreamEmitter
    folder: Path

    async def start(self, **given: object) -> str:
        body = {"pipeline": "stages", "input": {"folder": str(self.folder), **given}}
        answer = await self.caller.post("/v1/runs", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["run_id"])

    async def retry(self, run_id: str, *, key: str | None = None, **body: object) -> httpx2.Response:
        headers = {"idempotency-key": key} if key else {}
        return await self.caller.post(f"/v1/runs/{run_id}/retry", json=body, headers=headers)

    async def snapshot(self, run_id: str) -> Json:
        body: Json = (await self.caller.get(f"/v1/runs/{run_id}")).json()
        return body

    async def until(self, run_id: str, status: str) -> Json:
        """Wait until the stream of the run has this status."""

        async def reached() -> Json | None:
            body = await self.snapshot(run_id)
            return body if body["status"] == status and body["epoch"] else None

        return await eventually(reached, within_s=LONG_S)

    def work(self, run_id: str) -> list[str]:
        """The completed calls of a run, in order."""
        path = self.folder / run_id
        return path.read_text().split() if path.exists() else []

    def break_stage(self) -> None:
        (self.folder / "broken").touch()

    def mend_stage(self) -> None:
        (self.folder / "broken").unlink()


@pytest.fixture
async def stages(parts: Parts, temporal: Client, tmp_path: Path) -> AsyncIterator[Stages]:
    folder = tmp_path / "work"
    folder.mkdir()
    # The reconciler repairs at once instead of first asking Pub/Sub for old events; there is none here.
    await parts.redis.set(CURSOR_KEY, "2026-01-01T00:00:00+00:00")
    gateway = Gateway(replace(parts, pipelines={SPEC.name: SPEC}), deadline=PATIENCE)
    async with (
        staged_worker(temporal, parts.streams) as emitter,
        beside(gateway.loops()["reconciler"]()),
        client_of(gateway.app()) as caller,
    ):
        yield Stages(caller, emitter, folder)


async def test_a_failed_run_continues_from_its_failed_step(stages: Stages) -> None:
    stages.break_stage()
    run_id = await stages.start(fail_at="third")
    failed = await stages.until(run_id, "failed")
    stages.mend_stage()

    answer = await stages.retry(run_id)
    completed = await stages.until(run_id, "completed")

    assert (answer.status_code, answer.json()["run_id"], answer.json()["retry_of"]) == (200, run_id, None)
    assert stages.work(run_id) == ["first-0", "second-0", "third-0"]
    assert completed["result"] == {"words": ["first-0", "second-0", "third-0"]}
    assert (failed["retried_at"], completed["error"]) == (None, None)
    assert completed["retried_at"] is not None
    assert completed["epoch"] != failed["epoch"]
    assert [step["status"] for step in completed["steps"]] == ["completed"] * 3  # type: ignore[attr-defined]


async def test_every_event_of_a_retried_run_has_its_own_id_and_a_larger_number(stages: Stages) -> None:
    stages.break_stage()
    run_id = await stages.start(fail_at="second")
    await stages.until(run_id, "failed")
    stages.mend_stage()
    answer = await stages.retry(run_id)
    assert answer.status_code == 200, answer.text
    await stages.until(run_id, "completed")

    # The stream can be rebuilt from the workflow before the last events are delivered.
    await eventually(lambda: _names(stages, run_id)[-1] == "run.completed", within_s=LONG_S)
    events = [event for event in stages.emitter.events if event.runid == run_id]
    sequences = [event.sequence or 0 for event in events]

    assert sequences == sorted(set(sequences))
    assert len({event.id for event in events}) == len(events)
    assert [event.name for event in events].count("run.retried") == 1
    assert [event.name for event in events][-1] == "run.completed"


async def test_only_the_failed_call_and_those_beside_it_run_again(stages: Stages) -> None:
    stages.break_stage()
    run_id = await stages.start(fail_at="second", items=4)
    await stages.until(run_id, "failed")
    stages.mend_stage()
    await stages.retry(run_id)
    completed = await stages.until(run_id, "completed")

    assert stages.work(run_id).count("first-0") == 1
    assert stages.work(run_id).count("third-0") == 1
    assert completed["result"] == {
        "words": ["first-0", "second-0", "second-1", "second-2", "second-3", "third-0"]
    }


async def test_a_run_that_fails_in_its_first_call_can_be_retried(stages: Stages) -> None:
    stages.break_stage()
    run_id = await stages.start(fail_at="first")
    await stages.until(run_id, "failed")
    stages.mend_stage()
    await stages.retry(run_id)

    completed = await stages.until(run_id, "completed")

    assert stages.work(run_id) == ["first-0", "second-0", "third-0"]
    assert completed["retried_at"] is not None


async def test_an_answer_given_before_the_failure_is_kept(stages: Stages) -> None:
    stages.break_stage()
    run_id = await stages.start(fail_at="third", ask=True)
    await _decide(stages, run_id)
    await stages.until(run_id, "failed")
    stages.mend_stage()
    await stages.retry(run_id)

    completed = await stages.until(run_id, "completed")

    assert completed["result"] == {"words": ["first-0", "second-0", "yes", "third-0"]}
    assert stages.work(run_id) == ["first-0", "second-0", "third-0"]


async def test_a_cancelled_run_continues_where_it_was(stages: Stages) -> None:
    run_id = await stages.start(ask=True)
    await _asked(stages, run_id)
    await stages.caller.post(f"/v1/runs/{run_id}/cancel", json={"reason": "by mistake"})
    await stages.until(run_id, "cancelled")

    answer = await stages.retry(run_id)
    await _decide(stages, run_id)
    completed = await stages.until(run_id, "completed")

    assert answer.status_code == 200
    assert completed["result"] == {"words": ["first-0", "second-0", "yes", "third-0"]}
    assert stages.work(run_id) == ["first-0", "second-0", "third-0"]


async def test_a_run_can_be_retried_again_and_again(stages: Stages) -> None:
    stages.break_stage()
    run_id = await stages.start(fail_at="third")
    first = await stages.until(run_id, "failed")
    await stages.retry(run_id)

    async def failed_again() -> Json | None:
        body = await stages.snapshot(run_id)
        return body if body["status"] == "failed" and body["epoch"] != first["epoch"] else None

    await eventually(failed_again, within_s=LONG_S)
    stages.mend_stage()
    answer = await stages.retry(run_id)
    await stages.until(run_id, "completed")

    assert answer.status_code == 200
    assert stages.work(run_id) == ["first-0", "second-0", "third-0"]


async def test_a_repeated_request_retries_once(stages: Stages) -> None:
    stages.break_stage()
    run_id = await stages.start(fail_at="third")
    await stages.until(run_id, "failed")
    stages.mend_stage()

    one, two = [await stages.retry(run_id, key="k1") for _ in range(2)]
    await stages.until(run_id, "completed")
    late = await stages.retry(run_id, key="k1")
    other = await stages.retry(run_id, key="k2")

    assert [one.status_code, two.status_code, late.status_code] == [200, 200, 200]
    assert (other.status_code, other.json()["code"]) == (409, "not_failed")
    assert stages.work(run_id) == ["first-0", "second-0", "third-0"]


@pytest.mark.parametrize("body", [{}, {"from": "start"}], ids=["failed step", "start"])
async def test_a_retry_before_the_workflow_has_closed_is_to_be_sent_again(
    stages: Stages, parts: Parts, body: Json
) -> None:
    """As after the loss of the worker that has sent the run's last event."""
    run_id = await stages.start(ask=True)
    await _asked(stages, run_id)
    snapshot = await stages.snapshot(run_id)
    now = datetime.now(UTC)
    ended = RunInfo(
        run_id=run_id, tenant="acme", pipeline="stages", status="failed", started_at=now, ended_at=now
    )
    assert isinstance(snapshot["sequence"], int)
    await parts.streams.append(terminal_event(ended, snapshot["sequence"] + 1, None))
    await stages.until(run_id, "failed")

    answer = await stages.retry(run_id, key="k1", **body)

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable"), answer.text
    assert "retry-after" in answer.headers


async def test_a_retried_run_that_no_worker_has_taken_yet_is_not_retried_again(
    parts: Parts, temporal: Client, tmp_path: Path
) -> None:
    """It is still shown as failed, but the reset has begun another execution since."""
    await parts.redis.set(CURSOR_KEY, "2026-01-01T00:00:00+00:00")
    gateway = Gateway(replace(parts, pipelines={SPEC.name: SPEC}), deadline=PATIENCE)
    async with beside(gateway.loops()["reconciler"]()), client_of(gateway.app()) as caller:
        async with staged_worker(temporal, parts.streams) as emitter:
            stages = Stages(caller, emitter, tmp_path)
            stages.break_stage()
            run_id = await stages.start(fail_at="third")
            await stages.until(run_id, "failed")
            stages.mend_stage()
        first = await stages.retry(run_id)
        shown = await stages.snapshot(run_id)
        second = await stages.retry(run_id)

        assert (first.status_code, shown["status"]) == (200, "failed")
        assert (second.status_code, second.json()["code"]) == (409, "not_failed"), second.text


async def test_a_retry_from_the_start_is_a_new_run_with_the_edited_input(stages: Stages) -> None:
    stages.break_stage()
    run_id = await stages.start(fail_at="third", items=2)
    await stages.until(run_id, "failed")

    answer = await stages.retry(run_id, key="k1", **{"from": "start", "input": {"fail_at": "", "items": 1}})
    repeated = await stages.retry(run_id, key="k1", **{"from": "start", "input": {"fail_at": "", "items": 1}})
    new_id = str(answer.json()["run_id"])
    completed = await stages.until(new_id, "completed")
    original = await stages.snapshot(run_id)
    shown = (await stages.caller.get(f"/v1/runs/{new_id}/input")).json()

    assert (answer.status_code, answer.json()["retry_of"]) == (201, run_id)
    assert (repeated.status_code, repeated.json()["run_id"]) == (200, new_id)
    assert (completed["retry_of"], original["retried_as"]) == (run_id, new_id)
    assert (original["status"], shown["input"]["items"]) == ("failed", 1)
    assert stages.work(new_id) == ["first-0", "second-0", "third-0"]


async def test_a_retry_from_the_start_is_accepted_when_the_streams_are_unavailable(
    stages: Stages, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages.break_stage()
    run_id = await stages.start(fail_at="third", items=1)
    await stages.until(run_id, "failed")
    stages.mend_stage()

    async def fail(key: str, retried_as: str) -> None:
        raise Unavailable("Redis is unavailable")

    monkeypatch.setattr(parts.streams, "link_retry", fail)
    answer = await stages.retry(run_id, **{"from": "start"})

    assert answer.status_code == 201, answer.text
    await stages.until(str(answer.json()["run_id"]), "completed")


async def test_what_cannot_be_retried_is_refused_with_the_reason(stages: Stages) -> None:
    running = await stages.start(ask=True)
    await _asked(stages, running)
    done = await stages.start()
    await stages.until(done, "completed")

    refused = {
        "running": await stages.retry(running),
        "running from the start": await stages.retry(running, **{"from": "start"}),
        "completed": await stages.retry(done),
        "edited": await stages.retry(done, input={"items": 2}),
        "invalid": await stages.retry(done, **{"from": "start", "input": {"items": 0}}),
    }

    assert {name: (answer.status_code, answer.json()["code"]) for name, answer in refused.items()} == {
        "running": (409, "not_failed"),
        "running from the start": (409, "not_ended"),
        "completed": (409, "not_failed"),
        "edited": (422, "input_needs_start"),
        "invalid": (422, "invalid_input"),
    }
    assert refused["invalid"].json()["errors"][0]["field"] == "input.items"


async def test_an_operators_own_reset_is_followed(stages: Stages, temporal: Client) -> None:
    """As by `temporal workflow reset`, of an open run and without the gateway."""
    run_id = await stages.start(ask=True)
    await _asked(stages, run_id)
    before = await stages.until(run_id, "running")
    handle = temporal.get_workflow_handle(run_key("acme", run_id))
    tasks = [
        event.event_id
        async for event in handle.fetch_history_events()
        if event.HasField("workflow_task_completed_event_attributes")
    ]
    await temporal.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=temporal.namespace,
            workflow_execution=WorkflowExecution(workflow_id=run_key("acme", run_id)),
            reason="by an operator",
            workflow_task_finish_event_id=tasks[1],
            request_id="reset-by-an-operator",
        )
    )

    async def followed() -> Json | None:
        body = await stages.snapshot(run_id)
        return body if body["epoch"] != before["epoch"] and body["approvals"] else None

    after = await eventually(followed, within_s=LONG_S)
    await _decide(stages, run_id)
    completed = await stages.until(run_id, "completed")

    assert after["retried_at"] is not None
    assert completed["result"] == {"words": ["first-0", "second-0", "yes", "third-0"]}
    assert stages.work(run_id).count("first-0") == 1


async def test_a_retry_while_no_worker_runs_is_shown_when_one_does(
    parts: Parts, temporal: Client, tmp_path: Path
) -> None:
    await parts.redis.set(CURSOR_KEY, "2026-01-01T00:00:00+00:00")
    gateway = Gateway(replace(parts, pipelines={SPEC.name: SPEC}))
    (tmp_path / "broken").touch()
    async with client_of(gateway.app()) as caller, beside(gateway.loops()["reconciler"]()):
        async with staged_worker(temporal, parts.streams) as emitter:
            stages = Stages(caller, emitter, tmp_path)
            run_id = await stages.start(fail_at="third")
            await stages.until(run_id, "failed")
        stages.mend_stage()
        answer = await stages.retry(run_id)
        async with staged_worker(temporal, parts.streams):
            await stages.until(run_id, "completed")

    assert answer.status_code == 200
    assert stages.work(run_id) == ["first-0", "second-0", "third-0"]


def _names(stages: Stages, run_id: str) -> list[str]:
    return [event.name for event in stages.emitter.events if event.runid == run_id]


async def _asked(stages: Stages, run_id: str) -> None:
    async def asked() -> bool:
        body = (await stages.caller.get(f"/v1/runs/{run_id}")).json()
        return any(item["status"] == "pending" for item in body["approvals"])

    await eventually(asked, within_s=LONG_S)


async def _decide(stages: Stages, run_id: str) -> None:
    await _asked(stages, run_id)
    path = f"/v1/runs/{run_id}/approvals/go"
    digest = (await stages.caller.get(path)).json()["digest"]
    answer = await stages.caller.post(f"{path}/decision", json={"digest": digest, "answer": {"word": "yes"}})
    assert answer.status_code in (200, 202), answer.text
