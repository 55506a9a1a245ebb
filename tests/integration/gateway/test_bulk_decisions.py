"""Many approvals decided in one request: one result each, previewed by a dry run, idempotent."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx2
import msgspec
import pytest
from starlette.applications import Starlette
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from signalbox_core.events import Snapshot
from signalbox_core.ids import run_key
from signalbox_core.pipeline import Policy, Quorum
from signalbox_core.pipeline.contract.messages import QUERY_SNAPSHOT
from signalbox_core.pipeline.workflow.recorded import QuestionActivities
from signalbox_core.testing.emitter import FakeEmitter
from signalbox_gateway.app import Gateway, Parts
from support.assertions.eventually import eventually
from support.drivers.api_calls import Json, asked, ended, started
from support.fakes.echo_pipeline import WORD_DIGEST
from support.servers.gateway import PATIENCE, client_of
from support.survey.contract import SPEC as SURVEY
from support.survey.workflow import Survey

PATH = "/v1/approvals:decide"
QUESTIONS = 15
"""More than the updates of one run that Temporal accepts at a time."""


def decision(run_id: str, **given: object) -> Json:
    common = {"run_id": run_id, "approval_id": "word", "answer": {"word": "yes"}, "digest": WORD_DIGEST}
    return {**common, **given}


async def asking(caller: httpx2.AsyncClient, **given: object) -> str:
    run_id = await started(caller, ask=True, **given)
    await asked(caller, run_id)
    return run_id


async def decided(caller: httpx2.AsyncClient, decisions: list[Json], *, dry_run: bool = False) -> list[Json]:
    reply = await caller.post(PATH, json={"decisions": decisions, "dry_run": dry_run})
    assert reply.status_code == 200, reply.text
    assert reply.json()["dry_run"] is dry_run
    results: list[Json] = reply.json()["results"]
    assert [(item["run_id"], item["approval_id"]) for item in results] == [
        (item["run_id"], item["approval_id"]) for item in decisions
    ]
    return results


def summary(results: list[Json]) -> list[tuple[object, object]]:
    return [(item["status"], item.get("code")) for item in results]


@pytest.mark.usefixtures("worker")
async def test_each_decision_has_its_own_result_which_a_dry_run_foresees(caller: httpx2.AsyncClient) -> None:
    policy = msgspec.to_builtins(Policy(quorum=(Quorum(2),)))
    first, second, third = [await asking(caller) for _ in range(3)]
    shared = await asking(caller, policy=policy)
    shown = await asked(caller, shared)
    digest = shown["approvals"][0]["digest"]  # type: ignore[index]
    decisions = [
        decision(first, decision_id="one"),
        decision(second, digest="stale"),
        decision("unknown-run"),
        decision(third, answer={"word": "taboo"}),
        decision(second, approval_id="other"),
        decision(shared, digest=digest),
    ]

    foreseen = await decided(caller, decisions, dry_run=True)
    unchanged = [(await asked(caller, run_id))["status"] for run_id in (first, second, third, shared)]
    results = await decided(caller, decisions)
    again = await decided(caller, decisions[:1])

    expected = [
        ("accepted", None),
        ("refused", "stale_digest"),
        ("refused", "unknown_run"),
        ("refused", "invalid_answer"),
        ("refused", "unknown_approval"),
        ("counted", None),
    ]
    assert summary(foreseen) == summary(results) == expected
    assert unchanged == ["running"] * 4
    assert foreseen[5]["message"] == results[5]["message"] == "1 of 2"
    assert "among the words" in str(results[3]["detail"])
    assert (summary(again), again[0]["decision_id"]) == ([("accepted", None)], "one")
    assert (await ended(caller, first))["status"] == "completed"


@pytest.mark.usefixtures("worker")
async def test_a_dry_run_shows_what_the_outcome_refuses(caller: httpx2.AsyncClient) -> None:
    run_id = await asking(caller)
    await decided(caller, [decision(run_id, decision_id="one")])
    await ended(caller, run_id)

    other = await decided(caller, [decision(run_id)], dry_run=True)
    same = await decided(caller, [decision(run_id, decision_id="one")], dry_run=True)

    assert summary(other) == [("refused", "already_decided")]
    assert summary(same) == [("accepted", None)]


@pytest.mark.usefixtures("worker")
async def test_the_idempotency_key_makes_a_repeated_request_the_same_decisions(
    caller: httpx2.AsyncClient,
) -> None:
    runs = [await asking(caller) for _ in range(2)]
    body = {"decisions": [decision(run_id) for run_id in runs]}
    key = {"idempotency-key": f"bulk-{runs[0]}"}

    first = (await caller.post(PATH, json=body, headers=key)).json()["results"]
    second = (await caller.post(PATH, json=body, headers=key)).json()["results"]

    assert summary(first) == [("accepted", None)] * 2
    assert first == second


async def test_an_approval_named_twice_and_too_many_are_refused(caller: httpx2.AsyncClient) -> None:
    twice = await caller.post(PATH, json={"decisions": [decision("a"), decision("b"), decision("a")]})
    many = await caller.post(PATH, json={"decisions": [decision(f"run-{n}") for n in range(101)]})
    none = await caller.post(PATH, json={"decisions": []})

    assert [reply.status_code for reply in (twice, many, none)] == [422] * 3
    assert twice.json()["field"] == "decisions[2].approval_id"
    assert many.json()["field"] == none.json()["field"] == "decisions"


@asynccontextmanager
async def survey_worker(temporal: Client) -> AsyncIterator[None]:
    async with Worker(
        temporal,
        task_queue=SURVEY.name,
        workflows=[Survey],
        activities=[QuestionActivities(FakeEmitter()).record],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        yield


@pytest.fixture
def surveys(parts: Parts) -> Starlette:
    return Gateway(replace(parts, pipelines={SURVEY.name: SURVEY}), deadline=PATIENCE).app()


async def started_survey(caller: httpx2.AsyncClient) -> str:
    reply = await caller.post("/v1/runs", json={"pipeline": "survey", "input": {"questions": QUESTIONS}})
    assert reply.status_code == 201, reply.text
    return str(reply.json()["run_id"])


async def pending_of(caller: httpx2.AsyncClient, run_id: str) -> list[Json]:
    async def all_asked() -> list[Json] | None:
        approvals: list[Json] = (await caller.get(f"/v1/runs/{run_id}")).json()["approvals"]
        return approvals if len(approvals) == QUESTIONS else None

    return await eventually(all_asked, within_s=60)


def agreed(run_id: str, approvals: list[Json]) -> list[Json]:
    return [
        decision(run_id, approval_id=item["approval_id"], digest=item["digest"], answer={"agree": True})
        for item in approvals
    ]


async def test_many_questions_of_one_run_are_decided_at_once(surveys: Starlette, temporal: Client) -> None:
    async with client_of(surveys) as caller, survey_worker(temporal):
        run_id = await started_survey(caller)
        decisions = agreed(run_id, await pending_of(caller, run_id))

        foreseen = await decided(caller, decisions, dry_run=True)
        results = await decided(caller, decisions)
        result = await temporal.get_workflow_handle(run_key("acme", run_id)).result()

    assert summary(foreseen) == summary(results) == [("accepted", None)] * QUESTIONS
    assert result == {"agreed": QUESTIONS}


async def test_without_a_worker_all_decisions_are_recorded_and_applied_later(
    surveys: Starlette, temporal: Client
) -> None:
    async with client_of(surveys) as caller:
        async with survey_worker(temporal):
            run_id = await started_survey(caller)
            decisions = agreed(run_id, await pending_of(caller, run_id))

        foreseen = await decided(caller, decisions, dry_run=True)
        results = await decided(caller, decisions)
        async with survey_worker(temporal):
            handle = temporal.get_workflow_handle(run_key("acme", run_id))
            result = await handle.result()
            snapshot: Snapshot = await handle.query(QUERY_SNAPSHOT, result_type=Snapshot)

    assert summary(foreseen) == summary(results) == [("recorded", None)] * QUESTIONS
    assert result == {"agreed": QUESTIONS}
    assert {item.decision_id for item in snapshot.approvals} == {item["decision_id"] for item in results}
