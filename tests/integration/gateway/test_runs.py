"""Reading and controlling runs."""

import httpx2
import pytest
from starlette.types import ASGIApp
from temporalio.client import Client

from signalbox_core.ids import new_run_id
from signalbox_gateway.app import Parts
from support.assertions.eventually import eventually
from support.drivers.api_calls import asked, ended, started
from support.fakes.events import story
from support.servers.gateway import client_of


async def test_a_run_that_just_began_is_known_before_any_worker_saw_it(caller: httpx2.AsyncClient) -> None:
    run_id = await started(caller)

    snapshot = (await caller.get(f"/v1/runs/{run_id}")).json()

    assert snapshot["status"] == "running"
    assert snapshot["started_by"] == "lan"
    assert [(step["name"], step["status"]) for step in snapshot["steps"]] == [
        ("speak", "pending"),
        ("listen", "pending"),
    ]
    assert snapshot["sequence"] == 0


@pytest.mark.usefixtures("worker")
async def test_without_a_projection_the_snapshot_comes_from_the_workflow(caller: httpx2.AsyncClient) -> None:
    run_id = await started(caller, ask=True, artifact="a.png")

    snapshot = await asked(caller, run_id)

    assert snapshot["steps"][0]["status"] == "completed"
    assert snapshot["artifacts"][0]["url"].startswith(f"/v1/runs/{run_id}/artifacts/a.png?v=")
    assert "key" not in snapshot["artifacts"][0]
    assert snapshot["approvals"][0]["approval_id"] == "word"


async def test_the_projection_is_preferred(caller: httpx2.AsyncClient, parts: Parts) -> None:
    run_id = new_run_id("echo")
    await parts.streams.append_many([event for event in story(run_id) if event.sequence is not None])

    snapshot = (await caller.get(f"/v1/runs/{run_id}")).json()

    assert snapshot["epoch"] != ""
    assert snapshot["sequence"] > 0
    assert snapshot["result"] is not None


@pytest.mark.usefixtures("worker")
async def test_the_result_is_typed_and_conflicts_while_the_run_goes_on(caller: httpx2.AsyncClient) -> None:
    waiting = await started(caller, ask=True)
    finished = await started(caller, times=2)

    too_early = await caller.get(f"/v1/runs/{waiting}/result")
    await ended(caller, finished)
    result = await caller.get(f"/v1/runs/{finished}/result")

    assert (too_early.status_code, too_early.json()["code"]) == (409, "not_finished")
    assert result.json() == {"text": "hi hi"}


@pytest.mark.usefixtures("worker")
async def test_the_result_of_a_failed_run_is_a_problem_that_names_the_cause(
    caller: httpx2.AsyncClient,
) -> None:
    run_id = await started(caller, fail=True)
    await ended(caller, run_id)

    answer = await caller.get(f"/v1/runs/{run_id}/result")

    assert (answer.status_code, answer.json()["code"]) == (409, "run_failed")
    assert answer.json()["run_status"] == "failed"
    assert "could not be spoken" in answer.json()["detail"]


@pytest.mark.usefixtures("worker")
async def test_cancel_ends_the_run_and_a_second_one_names_its_state(caller: httpx2.AsyncClient) -> None:
    run_id = await started(caller, ask=True)

    first = await caller.post(f"/v1/runs/{run_id}/cancel", json={"reason": "not needed"})
    snapshot = await ended(caller, run_id)
    second = await caller.post(f"/v1/runs/{run_id}/cancel")

    assert (first.status_code, first.json()) == (202, {"run_id": run_id, "accepted": "cancel"})
    assert snapshot["status"] == "cancelled"
    assert (second.status_code, second.json()["code"], second.json()["run_status"]) == (
        409,
        "run_ended",
        "cancelled",
    )


@pytest.mark.usefixtures("worker")
async def test_pause_and_resume_reach_the_run(caller: httpx2.AsyncClient) -> None:
    run_id = await started(caller, ask=True)

    async def has(status: str) -> bool:
        return (await caller.get(f"/v1/runs/{run_id}")).json()["status"] == status

    assert (await caller.post(f"/v1/runs/{run_id}/pause")).status_code == 202
    await eventually(lambda: has("paused"))
    assert (await caller.post(f"/v1/runs/{run_id}/resume", json={})).status_code == 202
    await eventually(lambda: has("running"))


@pytest.mark.usefixtures("worker")
async def test_pausing_an_ended_run_conflicts(caller: httpx2.AsyncClient) -> None:
    run_id = await started(caller)
    await ended(caller, run_id)

    answer = await caller.post(f"/v1/runs/{run_id}/pause")

    assert (answer.status_code, answer.json()["run_status"]) == (409, "completed")


async def test_a_terminated_run_is_shown_although_no_workflow_code_ran(
    caller: httpx2.AsyncClient, temporal: Client
) -> None:
    run_id = await started(caller)
    await temporal.get_workflow_handle(f"acme:{run_id}").terminate("by hand")

    assert (await caller.get(f"/v1/runs/{run_id}")).json()["status"] == "terminated"
    assert (await caller.get(f"/v1/runs/{run_id}/result")).json()["code"] == "run_terminated"


PATHS = ["", "/result", "/artifacts/a.png", "/approvals/word"]


@pytest.mark.parametrize("path", PATHS)
async def test_another_tenants_run_looks_unknown(app: ASGIApp, caller: httpx2.AsyncClient, path: str) -> None:
    run_id = await started(caller)

    async with client_of(app, "stranger") as stranger:
        foreign = await stranger.get(f"/v1/runs/{run_id}{path}")
        unknown = await stranger.get(f"/v1/runs/{run_id}x{path}")

    assert (foreign.status_code, foreign.json()["code"]) == (404, "unknown_run")
    assert foreign.json()["detail"].replace(run_id, "") == unknown.json()["detail"].replace(f"{run_id}x", "")


@pytest.mark.parametrize("verb", ["cancel", "pause", "resume", "approvals/word/decision"])
async def test_another_tenants_run_cannot_be_controlled(
    app: object, caller: httpx2.AsyncClient, verb: str
) -> None:
    run_id = await started(caller)
    body = {"answer": {"word": "x"}} if verb.endswith("decision") else {}

    async with client_of(app, "stranger") as stranger:
        answer = await stranger.post(f"/v1/runs/{run_id}/{verb}", json=body)

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_run")


async def test_the_list_pages_filters_and_shows_only_the_tenants_runs(
    app: ASGIApp, caller: httpx2.AsyncClient
) -> None:
    mine = {await started(caller) for _ in range(3)}

    async def listed() -> set[str] | None:
        seen: set[str] = set()
        cursor = ""
        while True:
            page = (
                await caller.get(
                    "/v1/runs", params={"limit": 2, "cursor": cursor, "pipeline": "echo", "status": "running"}
                )
            ).json()
            seen |= {run["run_id"] for run in page["runs"]}
            cursor = page["next_cursor"] or ""
            if not cursor:
                return seen if mine <= seen else None

    assert await eventually(listed)
    async with client_of(app, "stranger") as stranger:
        theirs = (await stranger.get("/v1/runs", params={"limit": 200})).json()["runs"]
    assert not mine & {run["run_id"] for run in theirs}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"), ("limit=x", "limit"), ("limit=1&limit=2", "limit"), ("status=odd", "status"),
        ("pipeline=odd", "pipeline"), ("cursor=***", "cursor"), ("cursor=abcd", "cursor"), ("what=1", "what"),
    ],
)  # fmt: skip
async def test_a_bad_list_parameter_is_named(caller: httpx2.AsyncClient, query: str, field: str) -> None:
    answer = await caller.get(f"/v1/runs?{query}")

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


@pytest.mark.usefixtures("worker")
async def test_a_run_seen_ended_stays_ended_while_its_projection_catches_up(
    caller: httpx2.AsyncClient, parts: Parts
) -> None:
    run_id = await started(caller)
    await ended(caller, run_id)

    await parts.streams.append_many([event for event in story(run_id) if event.sequence is not None][:3])
    behind = (await caller.get(f"/v1/runs/{run_id}")).json()
    await parts.streams.append_many([event for event in story(run_id) if event.sequence is not None][3:])
    caught_up = (await caller.get(f"/v1/runs/{run_id}")).json()

    assert (behind["status"], behind["epoch"]) == ("completed", "")
    assert caught_up["status"] == "completed"
    assert caught_up["epoch"] != ""
