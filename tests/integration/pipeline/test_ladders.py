"""Escalation ladders: each rung once, over worker restarts, whatever becomes of the contract."""

import asyncio
import hashlib
import json
import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import pytest
from msgspec.structs import replace
from redis.asyncio import Redis
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from signalbox_client.models import Approval
from signalbox_client.shown_question import verified_digest
from signalbox_core.events import CloudEvent
from signalbox_core.events.approval_data import ApprovalExpired, ApprovalRequested
from signalbox_core.events.envelope import decode_data
from signalbox_core.events.snapshot import Snapshot, fold
from signalbox_core.ids import run_key
from signalbox_core.pipeline.contract.messages import Decision
from signalbox_core.pipeline.spec import PipelineSpec, Policy, Quorum
from signalbox_core.redis.client import open_redis
from signalbox_core.subjects import Subject
from signalbox_core.temporal.names import MEMO_TENANT
from signalbox_core.testing.pipeline import RunUnderTest, pipeline_under_test, replay
from signalbox_gateway.runs.views import approval_view
from support.assertions.eventually import eventually
from support.drivers.notifier_bench import NotifierBench, write_routes
from support.fakes.ladder_pipeline import (
    GIVEN_DEFAULT,
    HANDED,
    REMOVED,
    SHORTENED,
    SPEC,
    LadderAnswer,
    LadderInput,
    LadderResult,
)
from support.measured_replay import machine_slowness
from support.servers.notification_sinks import mail_sink, webhook_sink

LADDER_GOAL_S: Final = 30.0
"""CPU time of a ladder of 14 days whose time is skipped."""
RUNGS = ["approval.reminded", "approval.reminded", "approval.delegated", "approval.escalated"]


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with open_redis(redis_url) as client:
        yield client


async def test_a_ladder_of_two_weeks_takes_seconds_and_each_rung_once_over_three_worker_restarts(
    redis: Redis, tmp_path: Path
) -> None:
    slowness, began_s = machine_slowness(), cpu_s()
    async with pipeline_under_test(SPEC, activities=[], skip_time=True) as pipeline:
        run = await pipeline.start(LadderInput())
        ended = asyncio.create_task(run.result())
        for awaited in ("approval.requested", "approval.delegated", "approval.escalated"):
            await eventually(partial(_has_event, run, awaited), within_s=60)
            async with pipeline.without_worker():
                pass
        result = await ended
        await eventually(lambda: "run.completed" in run.event_names(), within_s=60)
        history, events = await run.handle.fetch_history(), run.events()
    ladder_s = cpu_s() - began_s
    await replay(SPEC, history)
    of_approval = [event for event in events if event.name.startswith("approval.")]
    assert [event.name for event in of_approval] == ["approval.requested", *RUNGS, "approval.expired"]
    asked_at = of_approval[0].time
    days = [round((event.time - asked_at).total_seconds() / 86_400, 2) for event in of_approval]
    assert days == [0, 1, 3, 5, 9, 14]
    assert result == LadderResult(published=False)
    expired = decode_data(of_approval[-1], ApprovalExpired)
    assert (expired.outcome, expired.answer) == ("defaulted", msgspec.Raw(b'{"publish":false}'))
    sys.stdout.write(
        f"14 days, skipped in {ladder_s:.1f} s of CPU of workers and server; the machine takes {slowness:.1f}"
        " × the CPU time of the reference\n"
    )
    assert ladder_s <= LADDER_GOAL_S * slowness
    await notify_each_once(redis, tmp_path, events)


def cpu_s() -> float:
    """CPU time of this process, with its workers, and of the servers that it has started and stopped."""
    now = os.times()
    return now.user + now.system + now.children_user + now.children_system


def _has_event(run: RunUnderTest, name: str) -> bool:
    return name in run.event_names()


async def notify_each_once(redis: Redis, folder: Path, events: list[CloudEvent]) -> None:
    """Each notification arrives once in a mailbox and at a webhook, with a new notifier for every event."""
    tenant = f"acme-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
    async with mail_sink() as mailbox, webhook_sink() as hooks:
        bench = NotifierBench(redis, write_routes(folder, mailbox, hooks, tenant), tenant)
        bench.snapshot = Snapshot(run_id=events[0].runid, tenant=tenant, pipeline="ladder", title="Ladder")
        published = 0
        for original in events:
            # The clock was skipped; a notification is sent when its event happens.
            event = replace(original, tenantid=tenant, time=datetime.now(UTC))
            bench.snapshot = fold(bench.snapshot, event)
            for _ in range(2):
                await bench.publish(event)
            published += 2
            # Every notifier starts anew, and gets everything again.
            await bench.deliver(ends_after=published)
        expected = ["requested", "reminded", "reminded", "delegated", "escalated", "expired"]
        crm = [json.loads(request.body) for request in hooks.requests if request.path == "/crm"]
        assert [item["type"] for item in crm] == [f"approval.{name}" for name in expected]
        assert [item["data"]["handed_to"] for item in crm[3:5]] == ["group:leads", "group:heads"]
        subjects = [str(mail["Subject"]).partition(":")[0] for mail in mailbox.mails]
        assert subjects == [
            "Decision requested",
            *["Reminder, decision pending"] * 2,
            "Decision delegated",
            "Decision escalated",
            "Expired, continued with the default answer",
        ]


async def test_a_default_answer_that_the_code_gives_is_the_outcome() -> None:
    async with pipeline_under_test(GIVEN_DEFAULT, activities=[], skip_time=True) as pipeline:
        run = await pipeline.start(LadderInput())
        assert await run.result() == LadderResult(published=True)
        await eventually(lambda: "run.completed" in run.event_names(), within_s=60)
        snapshot, history = await run.snapshot(), await run.handle.fetch_history()
    state = snapshot.approvals[0]
    assert (state.status, state.outcome, state.answer) == (
        "expired",
        "defaulted",
        msgspec.Raw(b'{"publish":true}'),
    )
    shown = approval_view(run.run_id, state)
    assert (shown.outcome, shown.answer, shown.decisions) == ("defaulted", state.answer, ())
    await replay(GIVEN_DEFAULT, history)


async def test_a_run_that_started_before_outcomes_were_detailed_keeps_the_sizes_of_its_events() -> None:
    async with pipeline_under_test(SPEC, activities=[], skip_time=True) as pipeline:
        handle = await pipeline.client.start_workflow(
            SPEC.name,
            LadderInput(),
            id=run_key("acme", "ladder-before"),
            task_queue=pipeline.task_queue,
            memo={MEMO_TENANT: "acme"},
        )
        run = RunUnderTest(handle, pipeline.emitter)
        await run.result()
        await eventually(lambda: "run.completed" in run.event_names(), within_s=60)
        snapshot, history = await run.snapshot(), await handle.fetch_history()
    (expired,) = [event for event in run.events() if event.name == "approval.expired"]
    assert bytes(expired.data) == b'{"approval_id":"publish"}'
    assert (snapshot.approvals[0].status, snapshot.approvals[0].outcome) == ("expired", None)
    await replay(SPEC, history)


async def test_a_decision_ends_the_ladder(client: Client) -> None:
    async with pipeline_under_test(SPEC, activities=[], client=client) as pipeline:
        run = await pipeline.start(LadderInput())
        await run.approval("publish")
        # A decision that arrives while the question is recorded ends it before the ladder begins.
        await eventually(partial(count_timers, run), within_s=60)
        await run.decide("publish", LadderAnswer(publish=True), by="lan")
        assert await run.result() == LadderResult(published=True)
        await eventually(lambda: "run.completed" in run.event_names())
        assert await count_timers(run) == 1
    assert not set(RUNGS) & set(run.event_names())


async def count_timers(run: RunUnderTest) -> int:
    events = run.handle.fetch_history_events()
    return len([None async for event in events if event.HasField("timer_started_event_attributes")])


@pytest.mark.parametrize(
    "edited", [pytest.param(REMOVED, id="removed"), pytest.param(SHORTENED, id="shortened")]
)
async def test_a_question_keeps_the_ladder_that_was_recorded_with_it(edited: PipelineSpec) -> None:
    async with pipeline_under_test(SPEC, activities=[], skip_time=True) as pipeline:
        run = await pipeline.start(LadderInput())
        assert await run.result() == LadderResult(published=False)
        history = await run.handle.fetch_history()
    await replay(edited, history)


async def test_a_run_without_a_ladder_replays_after_its_contract_gets_one() -> None:
    async with pipeline_under_test(REMOVED, activities=[], skip_time=True) as pipeline:
        run = await pipeline.start(LadderInput())
        with pytest.raises(WorkflowFailureError):
            await run.result()
        await eventually(lambda: "run.failed" in run.event_names(), within_s=60)
        history = await run.handle.fetch_history()
    assert run.event_names().count("approval.reminded") == 1
    await replay(SPEC, history)


async def test_the_question_records_rungs_and_deadline(client: Client) -> None:
    async with pipeline_under_test(SPEC, activities=[], client=client) as pipeline:
        run = await pipeline.start(LadderInput())
        state = await run.approval("publish")
        await eventually(lambda: "approval.requested" in run.event_names())
        (event,) = [event for event in run.events() if event.name == "approval.requested"]
        await run.decide("publish", LadderAnswer(publish=True), by="lan")
    requested = msgspec.json.decode(event.data, type=ApprovalRequested)
    assert isinstance(requested.ladder, tuple)
    assert [(rung.kind, rung.to) for rung in requested.ladder] == [
        ("remind", None),
        ("remind", None),
        ("delegate", "group:leads"),
        ("escalate", "group:heads"),
    ]
    assert state.deadline_at is not None
    assert state.deadline_at - event.time == timedelta(days=14)
    assert requested.default_answer == msgspec.Raw(b'{"publish":false}')


async def test_after_a_hand_over_a_member_of_the_target_decides_alone(client: Client) -> None:
    lead = Subject(subject="key:lead", groups=("leads",))
    marketer = Subject(subject="key:marketer", groups=("marketing",))
    async with pipeline_under_test(HANDED, activities=[], client=client) as pipeline:
        run = await pipeline.start(LadderInput())
        await eventually(partial(_has_event, run, "approval.delegated"), within_s=60)
        digest = (await run.approval("publish")).digest
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await run.send(answer_of(marketer, digest))
        await run.send(answer_of(lead, digest))
        assert await run.result() == LadderResult(published=True)
        await eventually(partial(_has_event, run, "run.completed"))
        snapshot, history = await run.snapshot(), await run.handle.fetch_history()
        await replay(HANDED, history)
    assert isinstance(refused.value.cause, ApplicationError)
    assert refused.value.cause.type == "not_allowed_by_policy"
    (state,) = snapshot.approvals
    assert (state.handed_to, state.status) == ("group:leads", "decided")
    # A client computes the digest with the policy with which the question was asked.
    shown = msgspec.json.decode(msgspec.json.encode(approval_view("run", state)), type=Approval)
    assert (shown.asked_policy is not None, verified_digest(shown)) == (True, digest)
    assert state.policy == Policy(quorum=(Quorum(1, group="leads"),), veto=("legal",))


def answer_of(subject: Subject, digest: str) -> Decision:
    return Decision(
        approval_id="publish",
        decision_id=subject.subject,
        answer=msgspec.Raw(b'{"publish":true}'),
        decided_by=subject.subject,
        decider=subject,
        digest=digest,
    )
