"""Approvals: the inbox, one approval, and exactly one decision."""

import asyncio
import re
from datetime import timedelta

import httpx2
import pytest
from starlette.types import ASGIApp
from temporalio.client import Client

from signalbox_core.events.approval_data import ApprovalWithdrawn
from signalbox_core.ids import new_run_id
from signalbox_gateway.app import Gateway, Parts
from support.drivers.api_calls import asked, ended, started
from support.fakes.echo_pipeline import WORD_DIGEST
from support.fakes.echo_worker import echo_worker
from support.fakes.events import make_event, story
from support.servers.gateway import client_of

# How long a gateway waits for a worker; Temporal answers within it on a busy machine too.
IMPATIENCE = timedelta(seconds=2)


def decision_path(run_id: str, approval_id: str = "word") -> str:
    return f"/v1/runs/{run_id}/approvals/{approval_id}/decision"


async def waiting_run(caller: httpx2.AsyncClient) -> str:
    run_id = await started(caller, ask=True)
    await asked(caller, run_id)
    return run_id


@pytest.mark.usefixtures("worker")
async def test_a_decision_ends_the_wait_and_is_in_the_result(caller: httpx2.AsyncClient) -> None:
    run_id = await waiting_run(caller)

    answer = await caller.post(
        decision_path(run_id),
        json={"decision_id": "d1", "digest": WORD_DIGEST, "answer": {"word": "yes"}, "note": "fine"},
    )
    await ended(caller, run_id)

    assert answer.status_code == 200
    assert {**answer.json(), "decided_at": ""} == {
        "run_id": run_id, "approval_id": "word", "decision_id": "d1", "status": "accepted",
        "decided_by": "lan", "decided_at": "", "answer": {"word": "yes"},
    }  # fmt: skip
    assert (await caller.get(f"/v1/runs/{run_id}/result")).json() == {"text": "yes"}


@pytest.mark.usefixtures("worker")
async def test_the_question_shows_schema_options_digest_and_policy(caller: httpx2.AsyncClient) -> None:
    run_id = await waiting_run(caller)

    question = (await caller.get(f"/v1/runs/{run_id}/approvals/word")).json()

    assert question["status"] == "pending"
    assert question["answer_schema"]["required"] == ["word"]
    assert question["options"] == ["hi"]
    assert question["digest"] == WORD_DIGEST
    assert re.fullmatch(r"jcs:[0-9a-f]{64}", question["digest"])
    assert question["policy"] == {"role": "approver", "needed": 1}
    assert question["decisions"] == []
    assert question["deadline_at"] is not None


@pytest.mark.usefixtures("worker")
async def test_the_same_decision_again_gives_the_first_outcome_even_after_the_end(
    caller: httpx2.AsyncClient,
) -> None:
    run_id = await waiting_run(caller)
    body = {"decision_id": "d1", "digest": WORD_DIGEST, "answer": {"word": "yes"}}

    first = await caller.post(decision_path(run_id), json=body)
    again = await caller.post(decision_path(run_id), json=body)
    await ended(caller, run_id)
    late = await caller.post(decision_path(run_id), json=body)

    assert [first.status_code, again.status_code, late.status_code] == [200, 200, 200]
    assert first.json() == again.json() == late.json()


@pytest.mark.usefixtures("worker")
async def test_a_second_decision_conflicts_and_names_the_first(caller: httpx2.AsyncClient) -> None:
    run_id = await waiting_run(caller)
    await caller.post(
        decision_path(run_id), json={"decision_id": "d1", "digest": WORD_DIGEST, "answer": {"word": "yes"}}
    )
    await ended(caller, run_id)

    second = await caller.post(
        decision_path(run_id), json={"decision_id": "d2", "digest": WORD_DIGEST, "answer": {"word": "no"}}
    )

    assert (second.status_code, second.json()["code"]) == (409, "already_decided")
    assert (second.json()["decided_by"], second.json()["decision_id"]) == ("lan", "d1")
    assert second.json()["answer"] == {"word": "yes"}


@pytest.mark.usefixtures("worker")
async def test_of_decisions_at_the_same_time_exactly_one_wins(caller: httpx2.AsyncClient) -> None:
    run_id = await waiting_run(caller)

    answers = await asyncio.gather(
        *(
            caller.post(decision_path(run_id), json={"digest": WORD_DIGEST, "answer": {"word": f"w{n}"}})
            for n in range(8)
        )
    )
    snapshot = await ended(caller, run_id)

    won = [answer.json() for answer in answers if answer.status_code == 200]
    assert len(won) == 1
    assert {answer.status_code for answer in answers} == {200, 409}
    assert snapshot["approvals"][0]["decision_id"] == won[0]["decision_id"]


@pytest.mark.usefixtures("worker")
async def test_a_decision_id_cannot_be_used_for_another_answer(caller: httpx2.AsyncClient) -> None:
    run_id = await waiting_run(caller)
    await caller.post(
        decision_path(run_id), json={"decision_id": "d1", "digest": WORD_DIGEST, "answer": {"word": "yes"}}
    )

    other = await caller.post(
        decision_path(run_id), json={"decision_id": "d1", "digest": WORD_DIGEST, "answer": {"word": "no"}}
    )

    assert (other.status_code, other.json()["code"]) == (409, "decision_id_taken")


BAD_ANSWERS = [
    pytest.param({"answer": {"word": 5}}, "answer.word", id="wrong type"),
    pytest.param({"answer": {}}, "answer.word", id="missing"),
    pytest.param(
        {"digest": WORD_DIGEST, "answer": {"word": "x", "more": 1}}, "answer.more", id="unknown field"
    ),
    pytest.param({"answer": "yes"}, "answer", id="not an object"),
    pytest.param(
        {"digest": WORD_DIGEST, "answer": {"word": "taboo"}}, "answer.word", id="the pipeline's own rule"
    ),
    pytest.param({}, "answer", id="no answer"),
    pytest.param(
        {"digest": WORD_DIGEST, "answer": {"word": "x"}, "decision_id": "a b"},
        "decision_id",
        id="malformed decision id",
    ),
    pytest.param({"digest": WORD_DIGEST, "answer": {"word": "x"}, "who": "me"}, "who", id="unknown member"),
]


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(("body", "field"), BAD_ANSWERS)
async def test_a_bad_answer_names_the_field_and_the_question_stays_open(
    caller: httpx2.AsyncClient, body: object, field: str
) -> None:
    run_id = await waiting_run(caller)

    answer = await caller.post(decision_path(run_id), json=body)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
    assert (await caller.get(f"/v1/runs/{run_id}/approvals/word")).json()["status"] == "pending"


@pytest.mark.usefixtures("worker")
async def test_a_stale_digest_is_refused(caller: httpx2.AsyncClient) -> None:
    run_id = await waiting_run(caller)

    stale = await caller.post(decision_path(run_id), json={"digest": "0" * 64, "answer": {"word": "yes"}})
    fresh = (await caller.get(f"/v1/runs/{run_id}/approvals/word")).json()["digest"]
    accepted = await caller.post(decision_path(run_id), json={"digest": fresh, "answer": {"word": "yes"}})

    assert (stale.status_code, stale.json()["code"]) == (409, "stale_digest")
    assert accepted.status_code == 200


@pytest.mark.usefixtures("worker")
async def test_a_person_needs_the_digest_of_what_was_shown(caller: httpx2.AsyncClient) -> None:
    run_id = await waiting_run(caller)

    blind = await caller.post(decision_path(run_id), json={"answer": {"word": "yes"}})

    assert (blind.status_code, blind.json()["code"], blind.json()["field"]) == (
        422,
        "digest_required",
        "digest",
    )
    assert (await caller.get(f"/v1/runs/{run_id}/approvals/word")).json()["status"] == "pending"


async def test_without_a_worker_a_decision_without_a_digest_is_not_recorded(
    caller: httpx2.AsyncClient, temporal: Client, parts: Parts
) -> None:
    async with echo_worker(temporal):
        run_id = await waiting_run(caller)

    async with client_of(Gateway(parts, deadline=IMPATIENCE).app()) as impatient:
        blind = await impatient.post(decision_path(run_id), json={"answer": {"word": "later"}})

    assert (blind.status_code, blind.json()["code"]) == (422, "digest_required")


@pytest.mark.usefixtures("worker")
async def test_a_repeated_decision_with_another_digest_is_not_answered_accepted(
    caller: httpx2.AsyncClient,
) -> None:
    run_id = await waiting_run(caller)
    body = {"decision_id": "d1", "digest": WORD_DIGEST, "answer": {"word": "yes"}}
    await caller.post(decision_path(run_id), json=body)
    await ended(caller, run_id)

    stale = await caller.post(decision_path(run_id), json={**body, "digest": "0" * 64})

    assert (stale.status_code, stale.json()["code"]) == (409, "stale_digest")


@pytest.mark.usefixtures("worker")
async def test_a_decision_before_the_question_is_refused(caller: httpx2.AsyncClient) -> None:
    run_id = await waiting_run(caller)

    early = await caller.post(
        decision_path(run_id, "word-2"), json={"digest": WORD_DIGEST, "answer": {"word": "x"}}
    )

    assert (early.status_code, early.json()["code"]) == (409, "not_asked_yet")


async def test_a_withdrawn_question_leaves_the_inbox_and_accepts_nothing(
    caller: httpx2.AsyncClient, parts: Parts
) -> None:
    run_id = new_run_id("echo")
    milestones = [event for event in story(run_id) if event.sequence is not None]
    asked_at = next(place for place, event in enumerate(milestones) if event.name == "approval.requested")
    withdrawn = make_event(
        "approval.withdrawn",
        ApprovalWithdrawn(approval_id="ok"),
        run_id=run_id,
        sequence=(milestones[asked_at].sequence or 0) + 1,
    )
    await parts.streams.append_many([*milestones[: asked_at + 1], withdrawn])

    inbox = (await caller.get("/v1/approvals")).json()["approvals"]
    late = await caller.post(decision_path(run_id, "ok"), json={"answer": {"yes": True}})

    assert run_id not in {item["run_id"] for item in inbox}
    assert (late.status_code, late.json()["code"]) == (409, "withdrawn")


@pytest.mark.usefixtures("worker")
async def test_an_unknown_approval_is_not_found(caller: httpx2.AsyncClient) -> None:
    run_id = await waiting_run(caller)

    shown = await caller.get(f"/v1/runs/{run_id}/approvals/nope")
    decided = await caller.post(decision_path(run_id, "nope"), json={"answer": {"word": "x"}})

    assert (shown.status_code, shown.json()["code"]) == (404, "unknown_approval")
    assert (decided.status_code, decided.json()["code"]) == (404, "unknown_approval")


@pytest.mark.usefixtures("worker")
async def test_deciding_for_a_run_that_ended_without_asking_names_its_state(
    caller: httpx2.AsyncClient,
) -> None:
    run_id = await started(caller)
    await ended(caller, run_id)

    answer = await caller.post(decision_path(run_id), json={"digest": WORD_DIGEST, "answer": {"word": "x"}})

    assert (answer.status_code, answer.json()["code"], answer.json()["run_status"]) == (
        409,
        "run_ended",
        "completed",
    )


async def test_without_a_worker_a_decision_is_recorded_and_applied_later(
    caller: httpx2.AsyncClient, temporal: Client, parts: Parts
) -> None:
    async with echo_worker(temporal):
        run_id = await waiting_run(caller)

    async with client_of(Gateway(parts, deadline=IMPATIENCE).app()) as impatient:
        recorded = await impatient.post(
            decision_path(run_id),
            json={"decision_id": "d1", "digest": WORD_DIGEST, "answer": {"word": "later"}},
        )
    async with echo_worker(temporal):
        await ended(caller, run_id)
        result = await caller.get(f"/v1/runs/{run_id}/result")

    assert (recorded.status_code, recorded.json()["status"], recorded.json()["decided_at"]) == (
        202,
        "recorded",
        None,
    )
    assert result.json() == {"text": "later"}


async def test_the_inbox_shows_the_tenants_open_questions(
    app: ASGIApp, caller: httpx2.AsyncClient, parts: Parts
) -> None:
    run_id = new_run_id("echo")
    milestones = [event for event in story(run_id) if event.sequence is not None]
    upto = next(place for place, event in enumerate(milestones) if event.name == "approval.requested") + 1

    await parts.streams.append_many(milestones[:upto])
    before = (await caller.get("/v1/approvals", params={"status": "pending"})).json()["approvals"]
    async with client_of(app, "stranger") as stranger:
        theirs = (await stranger.get("/v1/approvals")).json()["approvals"]
    await parts.streams.append_many(milestones[upto:])
    after = (await caller.get("/v1/approvals")).json()["approvals"]

    assert [
        (item["approval_id"], item["pipeline"], item["title"], item["subject"])
        for item in before
        if item["run_id"] == run_id
    ] == [("ok", "echo", "OK?", None)]
    assert run_id not in {item["run_id"] for item in (*theirs, *after)}


async def test_a_decision_in_the_projection_is_final_without_asking_the_workflow(
    caller: httpx2.AsyncClient, parts: Parts
) -> None:
    run_id = new_run_id("echo")
    milestones = [event for event in story(run_id) if event.sequence is not None]
    await parts.streams.append_many(milestones[:-1])

    answer = await caller.post(decision_path(run_id, "ok"), json={"answer": {}})
    again = await caller.post(
        decision_path(run_id, "ok"), json={"decision_id": "d1", "answer": {"yes": True}}
    )

    assert (answer.status_code, answer.json()["code"], answer.json()["decision_id"]) == (
        409,
        "already_decided",
        "d1",
    )
    assert (again.status_code, again.json()["status"]) == (200, "accepted")


async def test_without_a_worker_a_decision_after_a_cancel_is_refused(
    caller: httpx2.AsyncClient, temporal: Client, parts: Parts
) -> None:
    async with echo_worker(temporal):
        run_id = await waiting_run(caller)
    assert (await caller.post(f"/v1/runs/{run_id}/cancel", json={})).status_code == 202

    async with client_of(Gateway(parts, deadline=IMPATIENCE).app()) as impatient:
        late = await impatient.post(
            decision_path(run_id), json={"digest": WORD_DIGEST, "answer": {"word": "yes"}}
        )

    assert late.status_code == 409
    assert "is being cancelled" in late.json()["detail"]


async def test_the_inbox_is_listed_page_by_page(caller: httpx2.AsyncClient, parts: Parts) -> None:
    runs = [new_run_id("echo") for _ in range(3)]
    for run_id in runs:
        await parts.streams.append_many([event for event in story(run_id) if event.sequence is not None][:6])

    listed: list[str] = []
    cursor: str | None = None
    while True:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await caller.get("/v1/approvals", params=query)).json()
        listed += [item["run_id"] for item in page["approvals"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert len(listed) == len(set(listed)) == page["total"]
    assert set(runs) <= set(listed)


@pytest.mark.parametrize("cursor", ["x", "!!", "e30", "Zm9v"])
async def test_a_cursor_from_elsewhere_is_named(caller: httpx2.AsyncClient, cursor: str) -> None:
    answer = await caller.get("/v1/approvals", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["field"]) == (422, "cursor")
