"""Schedules through the API: created, shown, changed, triggered, backfilled and deleted, and their runs."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import cast

import httpx2
import pytest
from msgspec.structs import replace as with_changes
from starlette.applications import Starlette
from temporalio.client import Client

from signalbox_core.crypto.sealing import KeyRing
from signalbox_core.ids import run_key
from signalbox_core.pipeline.contract.stated_patches import (
    DETAILED_OUTCOMES,
    LEAN_QUESTIONS,
    RECORDED_LINKS,
    UNTITLED_SIZES,
)
from signalbox_core.temporal import connect
from signalbox_core.temporal.names import MEMO_PATCHES
from signalbox_gateway.api.schedules.changes import started_just_now
from signalbox_gateway.app import Gateway, Parts
from signalbox_gateway.schedules.limits import schedule_limits
from signalbox_gateway.schedules.store import ScheduleStore
from support.assertions.eventually import eventually
from support.drivers.api_calls import asked, ended
from support.fakes.echo_pipeline import SPEC
from support.fakes.payload_keys import payload_keys_file
from support.fakes.secret_pipeline import SPEC as LOGIN
from support.servers.gateway import PIPELINES, client_of

Json = dict[str, object]
PLANTED = "planted-9e12"


@pytest.fixture
async def schedule_id(caller: httpx2.AsyncClient) -> AsyncIterator[str]:
    """An id; a schedule with it is deleted after the test."""
    schedule_id = f"nightly-{secrets.token_hex(4)}"
    yield schedule_id
    await caller.delete(f"/v1/schedules/{schedule_id}")


def creation(schedule_id: str, **given: object) -> Json:
    """The request that creates a schedule."""
    body = {"input": {"text": "hi"}, "pipeline": "echo", **({"cron": ["0 6 * * 1-5"]} | given)}
    return {"schedule_id": schedule_id, **body}


async def created(caller: httpx2.AsyncClient, schedule_id: str, **given: object) -> Json:
    answer = await caller.post("/v1/schedules", json=creation(schedule_id, **given))
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def triggered(caller: httpx2.AsyncClient, schedule_id: str, **given: object) -> str:
    """Trigger the schedule and return the id of the new run, once a worker has started it."""
    known = [run["run_id"] for run in await runs_of(caller, schedule_id)]
    answer = await caller.post(f"/v1/schedules/{schedule_id}/trigger", json=given)
    assert answer.status_code == 202, answer.text

    async def run_id() -> str | None:
        runs = await runs_of(caller, schedule_id)
        new = [run for run in runs if run["run_id"] not in known and run["status"] != "starting"]
        return str(new[0]["run_id"]) if new else None

    found = await eventually(run_id, within_s=30)
    assert answer.json()["run_id"] in (found, None)
    return found


async def runs_of(caller: httpx2.AsyncClient, schedule_id: str) -> list[Json]:
    return list((await caller.get(f"/v1/schedules/{schedule_id}")).json()["runs"])


async def listed_runs(caller: httpx2.AsyncClient) -> list[str]:
    """All runs of the tenant, of which earlier tests have left many open."""
    found: list[str] = []
    query = {"limit": "200"}
    while True:
        page = (await caller.get("/v1/runs", params=query)).json()
        found += [item["run_id"] for item in page["runs"]]
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]


async def test_a_schedule_is_shown_with_its_next_five_times(
    caller: httpx2.AsyncClient, schedule_id: str
) -> None:
    shown = await created(caller, schedule_id, time_zone="Asia/Ho_Chi_Minh", jitter_s=0, note="for the books")

    assert (shown["cron"], shown["time_zone"]) == (["0 6 * * 1-5"], "Asia/Ho_Chi_Minh")
    assert (shown["overlap"], shown["paused"], shown["created_by"]) == ("skip", False, "lan")
    assert (shown["input"], shown["problem"]) == (
        {"text": "hi", "times": 1, "ask": False, "artifact": None, "fail": False},
        None,
    )
    times = [datetime.fromisoformat(text) for text in cast("list[str]", shown["next_at"])]
    assert len(times) == 5
    assert {time.astimezone(UTC).hour for time in times} == {23}
    assert all(after - before >= timedelta(days=1) for before, after in pairwise(times))


async def test_a_triggered_run_is_like_one_that_a_caller_started(
    caller: httpx2.AsyncClient, temporal: Client, schedule_id: str, worker: None
) -> None:
    await created(caller, schedule_id)

    run_id = await triggered(caller, schedule_id)

    run = await ended(caller, run_id)
    assert (run["status"], run["started_by"]) == ("completed", f"schedule {schedule_id}")
    assert run["subject"] == "Echo of hi"

    async def found() -> bool:
        query = f'by:"schedule {schedule_id}" find.text:hi echo status:completed'
        runs = (await caller.get("/v1/runs", params={"q": query})).json()["runs"]
        return [item["run_id"] for item in runs] == [run_id]

    await eventually(found, within_s=60.0)
    assert run["starter"] == {
        "subject": f"schedule:{schedule_id}",
        "kind": "service",
        "name": None,
        "groups": [],
    }
    assert run_id.startswith(f"{schedule_id}~")
    described = await temporal.get_workflow_handle(run_key("acme", run_id)).describe()
    assert await described.memo_value(MEMO_PATCHES) == [
        UNTITLED_SIZES,
        LEAN_QUESTIONS,
        RECORDED_LINKS,
        DETAILED_OUTCOMES,
    ]
    assert run["parent"] is None

    async def is_shown() -> bool:
        runs = await runs_of(caller, schedule_id)
        return [(item["run_id"], item["status"]) for item in runs] == [(run_id, "completed")]

    await eventually(is_shown)
    assert [found for found in await listed_runs(caller) if found.startswith(schedule_id)] == [run_id]


async def test_an_open_run_holds_back_the_next_one(
    caller: httpx2.AsyncClient, schedule_id: str, worker: None
) -> None:
    await created(caller, schedule_id, input={"text": "hi", "ask": True})
    run_id = await triggered(caller, schedule_id)
    await asked(caller, run_id)

    refused = await caller.post(f"/v1/schedules/{schedule_id}/trigger", json={})

    assert (refused.status_code, refused.json()["code"]) == (409, "schedule_busy")
    other = await triggered(caller, schedule_id, overlap="cancel_other")
    assert other != run_id
    assert (await ended(caller, run_id))["status"] == "cancelled"
    await asked(caller, other)
    await caller.post(f"/v1/runs/{other}/cancel", json={})
    await ended(caller, other)


async def test_an_interval_starts_runs_by_itself(
    parts: Parts, caller: httpx2.AsyncClient, schedule_id: str, worker: None
) -> None:
    often = replace(parts, settings=with_changes(parts.settings, schedule_min_interval_s=1))
    async with client_of(Gateway(often).app()) as owner:
        await created(owner, schedule_id, cron=None, every_s=1)

        async def three_runs() -> list[Json] | None:
            runs = (await owner.get(f"/v1/schedules/{schedule_id}")).json()["runs"]
            return runs if len([run for run in runs if run["status"] == "completed"]) >= 3 else None

        runs = await eventually(three_runs, within_s=60)
        await owner.patch(f"/v1/schedules/{schedule_id}", json={"paused": True})
    assert len({run["run_id"] for run in runs}) == len(runs)


async def test_a_backfill_starts_each_time_once(
    caller: httpx2.AsyncClient, schedule_id: str, worker: None
) -> None:
    await created(caller, schedule_id, cron=["0 * * * *"], paused=True)
    last = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    period = {"from": (last - timedelta(hours=2)).isoformat(), "to": last.isoformat()}

    for _ in range(2):
        answer = await caller.post(f"/v1/schedules/{schedule_id}/backfill", json=period)
        assert (answer.status_code, answer.json()["times"]) == (202, 3)

        async def all_ended() -> list[str] | None:
            runs = (await caller.get(f"/v1/schedules/{schedule_id}")).json()["runs"]
            ids = [run["run_id"] for run in runs if run["status"] == "completed"]
            return ids if len(ids) == 3 else None

        ids = await eventually(all_ended, within_s=30)
        assert ids == [f"{schedule_id}~{last - timedelta(hours=ago):%Y%m%dT%H%M%SZ}" for ago in range(3)]


async def test_a_paused_schedule_has_no_next_times(caller: httpx2.AsyncClient, schedule_id: str) -> None:
    await created(caller, schedule_id)

    paused = await caller.patch(f"/v1/schedules/{schedule_id}", json={"paused": True, "note": "holidays"})
    resumed = await caller.patch(f"/v1/schedules/{schedule_id}", json={"paused": False, "note": ""})

    assert (paused.json()["paused"], paused.json()["note"], paused.json()["next_at"]) == (
        True,
        "holidays",
        [],
    )
    assert (resumed.json()["paused"], len(resumed.json()["next_at"])) == (False, 5)


async def test_a_change_keeps_the_other_members(caller: httpx2.AsyncClient, schedule_id: str) -> None:
    before = await created(caller, schedule_id, jitter_s=30)

    after = (await caller.patch(f"/v1/schedules/{schedule_id}", json={"every_s": 7200})).json()

    assert (after["cron"], after["every_s"], after["jitter_s"]) == ([], 7200, 30)
    kept = ("input", "pipeline", "overlap", "catch_up_s", "created_at", "created_by")
    assert [after[name] for name in kept] == [before[name] for name in kept]


async def test_a_repeated_request_creates_one_schedule(caller: httpx2.AsyncClient, schedule_id: str) -> None:
    body = {
        "schedule_id": schedule_id,
        "pipeline": "echo",
        "input": {"text": "hi"},
        "cron": ["@daily"],
    }

    first, again = [await caller.post("/v1/schedules", json=body) for _ in range(2)]
    other = await caller.post("/v1/schedules", json={**body, "cron": ["@hourly"]})

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["cron"] == ["0 0 * * *"]
    assert (other.status_code, other.json()["code"]) == (409, "schedule_id_taken")


@pytest.mark.parametrize(
    ("given", "field", "detail"),
    [
        pytest.param({"cron": ["0 6 * *"]}, "cron", "five fields", id="four fields"),
        pytest.param({"cron": ["61 * * * *"]}, "cron", "0 to 59", id="minute"),
        pytest.param({"cron": ["0 0 31 2 *"]}, "cron", "matches no date", id="no date"),
        pytest.param({"time_zone": "Mars/Base"}, "time_zone", "IANA", id="time zone"),
        pytest.param({"time_zone": "../etc/passwd"}, "time_zone", "IANA", id="path"),
        pytest.param({"every_s": 60}, "cron", "either", id="both"),
        pytest.param({"cron": None}, "cron", "either", id="neither"),
        pytest.param({"cron": None, "every_s": 30}, "every_s", "60 s", id="too often"),
        pytest.param({"pipeline": "nothing"}, "pipeline", "installed: echo", id="pipeline"),
        pytest.param({"input": {}}, "input.text", "is required", id="input"),
    ],
)
async def test_an_invalid_schedule_is_refused_with_the_remedy(
    caller: httpx2.AsyncClient, given: Json, field: str, detail: str
) -> None:
    body = {"schedule_id": "refused", "pipeline": "echo", "input": {"text": "hi"}, "cron": ["@daily"]}

    answer = await caller.post("/v1/schedules", json=body | given)

    assert answer.status_code == 422, answer.text
    problem = answer.json()
    found = {problem.get("field"): problem["detail"]} | {
        error["field"]: error["detail"] for error in problem.get("errors", [])
    }
    assert detail in found[field]


async def test_a_tenant_has_a_limited_number_of_schedules(
    parts: Parts, caller: httpx2.AsyncClient, schedule_id: str
) -> None:
    await created(caller, schedule_id)
    one = replace(parts, settings=with_changes(parts.settings, max_schedules=1))
    async with client_of(Gateway(one).app()) as owner:

        async def is_listed() -> bool:
            listed = (await owner.get("/v1/schedules")).json()["schedules"]
            return schedule_id in [item["schedule_id"] for item in listed]

        await eventually(is_listed, within_s=30)
        body = {"schedule_id": "one-more", "pipeline": "echo", "input": {"text": "hi"}, "cron": ["@daily"]}
        answer = await owner.post("/v1/schedules", json=body)

        again = await owner.post("/v1/schedules", json=creation(schedule_id))

    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_schedules")
    assert (again.status_code, again.json()["schedule_id"]) == (200, schedule_id)


async def test_another_tenant_sees_no_schedule(
    app: Starlette, caller: httpx2.AsyncClient, schedule_id: str
) -> None:
    await created(caller, schedule_id)
    path = f"/v1/schedules/{schedule_id}"

    async with client_of(app, "stranger") as stranger:
        answers = [
            await stranger.get(path),
            await stranger.patch(path, json={"paused": True}),
            await stranger.post(f"{path}/trigger", json={}),
            await stranger.post(
                f"{path}/backfill", json={"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}
            ),
            await stranger.delete(path),
        ]
        listed = (await stranger.get("/v1/schedules")).json()["schedules"]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (404, "unknown_schedule")
    ] * 5
    assert schedule_id not in [item["schedule_id"] for item in listed]
    assert (await caller.get(path)).json()["paused"] is False


async def test_a_failed_run_is_the_last_error(
    caller: httpx2.AsyncClient, schedule_id: str, worker: None
) -> None:
    await created(caller, schedule_id, input={"text": "hi", "fail": True})

    run_id = await triggered(caller, schedule_id)

    run = await ended(caller, run_id)
    assert run["status"] == "failed"

    async def is_shown() -> bool:
        shown = (await caller.get(f"/v1/schedules/{schedule_id}")).json()
        return bool(shown["last_error"] == run["error"])

    await eventually(is_shown)


async def test_a_pipeline_that_is_not_installed_any_more_is_a_problem(
    parts: Parts, caller: httpx2.AsyncClient, schedule_id: str
) -> None:
    await created(caller, schedule_id)
    async with client_of(Gateway(replace(parts, pipelines={})).app()) as owner:
        shown = (await owner.get(f"/v1/schedules/{schedule_id}")).json()

    assert shown["problem"]["code"] == "unknown_pipeline"
    assert "delete the schedule" in shown["problem"]["detail"]


async def test_an_input_that_the_contract_does_not_accept_any_more_is_a_problem(
    parts: Parts, caller: httpx2.AsyncClient, schedule_id: str
) -> None:
    await created(caller, schedule_id)
    changed = with_changes(SPEC, input=LOGIN.input, subject="")
    async with client_of(Gateway(replace(parts, pipelines={"echo": changed})).app()) as owner:
        shown = (await owner.get(f"/v1/schedules/{schedule_id}")).json()

    assert shown["problem"]["code"] == "invalid_input"


async def test_a_start_without_a_worker_is_a_problem_and_is_made_up_for(
    parts: Parts, caller: httpx2.AsyncClient, schedule_id: str, temporal: Client
) -> None:
    idle = with_changes(SPEC, task_queue=f"idle-{schedule_id}")
    async with client_of(Gateway(replace(parts, pipelines={"echo": idle})).app()) as owner:
        await created(owner, schedule_id)
        answer = await owner.post(f"/v1/schedules/{schedule_id}/trigger", json={})
        runs = await eventually(lambda: runs_of(owner, schedule_id), within_s=30)
    moved = (await caller.get(f"/v1/schedules/{schedule_id}")).json()

    assert answer.status_code == 202
    assert [run["status"] for run in runs] == ["starting"]
    assert moved["problem"]["code"] == "task_queue_changed"
    starter = f"schedule/acme/{schedule_id}-{runs[0]['scheduled_at']}"
    await temporal.get_workflow_handle(starter).terminate()


async def test_a_sealed_input_stays_sealed_in_temporal(
    parts: Parts, temporal_address: str, tmp_path: Path, temporal: Client, schedule_id: str
) -> None:
    ring = KeyRing(payload_keys_file(tmp_path))
    client = await connect(temporal_address, "default", keys=ring)
    sealed = replace(parts, temporal=client, payload_keys=ring, pipelines={**PIPELINES, LOGIN.name: LOGIN})
    async with client_of(Gateway(sealed).app()) as owner:
        shown = await created(
            owner, schedule_id, pipeline="login", input={"user": "lan", "password": PLANTED}
        )
        stored = await temporal.get_schedule_handle(f"schedule/acme/{schedule_id}").describe()
        # A gateway without the keys could neither delete it nor list any schedule of the tenant.
        deleted = await owner.delete(f"/v1/schedules/{schedule_id}")

    assert (shown["input"], shown["masked"]) == (
        {"user": "lan", "password": "***", "token": None},
        ["input.password"],
    )
    raw = stored.raw_description.SerializeToString()
    assert PLANTED.encode() not in raw
    assert b"binary/encrypted" in raw
    assert deleted.status_code == 204


async def test_a_repeated_trigger_with_one_key_starts_one_run(
    caller: httpx2.AsyncClient, schedule_id: str, worker: None
) -> None:
    await created(caller, schedule_id, overlap="allow_all")
    path, key = f"/v1/schedules/{schedule_id}/trigger", {"Idempotency-Key": schedule_id}

    answers = [await caller.post(path, json={}, headers=key) for _ in range(2)]
    runs = await eventually(lambda: runs_of(caller, schedule_id), within_s=30)

    assert [answer.status_code for answer in answers] == [202, 202]
    assert len(runs) == 1
    assert {answer.json()["run_id"] for answer in answers} <= {runs[0]["run_id"], None}
    await ended(caller, str(runs[0]["run_id"]))


async def test_the_key_of_a_refused_trigger_starts_a_run_later(
    caller: httpx2.AsyncClient, schedule_id: str, worker: None
) -> None:
    await created(caller, schedule_id, input={"text": "hi", "ask": True})
    run_id = await triggered(caller, schedule_id)
    await asked(caller, run_id)
    path, key = f"/v1/schedules/{schedule_id}/trigger", {"Idempotency-Key": schedule_id}

    refused = await caller.post(path, json={}, headers=key)
    await caller.post(f"/v1/runs/{run_id}/cancel", json={})
    await ended(caller, run_id)

    async def accepted() -> httpx2.Response | None:
        answer = await caller.post(path, json={}, headers=key)
        return answer if answer.status_code == 202 else None

    # Temporal notices the end of the run a moment later.
    answer = await eventually(accepted, within_s=30)

    async def later_run() -> str | None:
        ids = [str(run["run_id"]) for run in await runs_of(caller, schedule_id)]
        return next((found for found in ids if found != run_id), None)

    other = await eventually(later_run, within_s=30)
    await asked(caller, other)
    await caller.post(f"/v1/runs/{other}/cancel", json={})
    await ended(caller, other)
    assert (refused.status_code, refused.json()["code"]) == (409, "schedule_busy")
    assert answer.json()["run_id"] in (other, None)


async def test_temporal_ignores_a_trigger_that_is_sent_twice(
    parts: Parts, caller: httpx2.AsyncClient, schedule_id: str, worker: None
) -> None:
    await created(caller, schedule_id)
    store = ScheduleStore(
        parts.temporal, deadline=timedelta(seconds=10), limits=schedule_limits(parts.settings)
    )

    async def send(request_id: str) -> None:
        # A schedule starts one run a second.
        async def is_second_over() -> bool:
            return not started_just_now(await store.get("acme", schedule_id), datetime.now(UTC))

        await eventually(is_second_over, within_s=30)
        await store.trigger("acme", schedule_id, "allow_all", request_id=f"{schedule_id}-{request_id}")

    async def two_runs() -> bool:
        return len(await runs_of(caller, schedule_id)) == 2

    await send("one")
    await eventually(lambda: runs_of(caller, schedule_id), within_s=30)
    await send("one")
    sent_at = datetime.now(UTC)
    # A second run would have started by then.
    await eventually(lambda: datetime.now(UTC) > sent_at + timedelta(seconds=3), within_s=30)
    assert len(await runs_of(caller, schedule_id)) == 1
    await send("two")
    await eventually(two_runs, within_s=30)
    for run in await runs_of(caller, schedule_id):
        await ended(caller, str(run["run_id"]))
    assert await two_runs()


async def test_a_backfill_from_the_first_moment_of_time_is_refused(
    caller: httpx2.AsyncClient, schedule_id: str
) -> None:
    await created(caller, schedule_id)
    period = {"from": "0001-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}
    answer = await caller.post(f"/v1/schedules/{schedule_id}/backfill", json=period)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "from")
