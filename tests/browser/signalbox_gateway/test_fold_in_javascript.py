"""The console's fold (fold.js) gives the same snapshot as signalbox_core.events.snapshot, after every
event."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page

from signalbox_core.events import CATALOGUE, CloudEvent, EventKind, Snapshot, fold, frame_data, full_type
from support.fakes.approval_cells import cells

BEGAN: Final = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
FAILURE: Final = {
    "code": "not_html",
    "message": "this is a picture, give a page",
    "field": "url",
    "step": "read",
}
STEPS: Final = ("read", "write", "draw")
APPROVALS: Final = ("variants", "variants-2")
WAITS = ("payment.settled", "payment.settled-2")

step = st.sampled_from(STEPS)
text = st.none() | st.text(max_size=12)
DATA: Final[Mapping[str, st.SearchStrategy[Mapping[str, object]]]] = {
    "run.started": st.fixed_dictionaries(
        {"pipeline": st.just("ads"), "title": st.just("Ads")},
        optional={
            "steps": st.just([{"name": name, "title": name.title()} for name in STEPS[:2]]),
            "started_by": text,
            "retry_of": st.just("run-0"),
            "parent": st.just("run-9"),
            "plain": st.booleans(),
            "trace_id": st.just("a" * 32),
        },
    ),
    "step.started": st.fixed_dictionaries(
        {"step": step, "title": st.just("Do it")}, optional={"attempt": st.integers(1, 3)}
    ),
    "step.progress": st.fixed_dictionaries(
        {"step": step},
        optional={
            **{"percent": st.none() | st.floats(0, 100), "message": text, "attempt": st.integers(0, 2)},
            **{"text": text, "offset": st.none() | st.integers(0, 9), "items": st.text(max_size=5)},
        },
    ),
    "step.completed": st.fixed_dictionaries(
        {"step": step, "title": st.just("Do it"), "started_at": st.just(BEGAN)},
        optional={"message": text, "items": st.text(max_size=5)},
    ),
    "step.failed": st.fixed_dictionaries(
        {"step": step, "title": st.just("Do it"), "started_at": st.just(BEGAN), "error": st.just(FAILURE)},
        optional={"items": st.text(max_size=5)},
    ),
    "artifact.created": st.fixed_dictionaries(
        {
            "name": st.sampled_from(["a.png", "b.png"]),
            "media_type": st.just("image/png"),
            "size_bytes": st.integers(0, 99),
            "key": st.just("k"),
        },
        optional={"title": text},
    ),
    "approval.requested": st.fixed_dictionaries(
        {
            **{
                "approval_id": st.sampled_from(APPROVALS),
                "name": st.just("variants"),
                "title": st.just("Which?"),
            },
            **{
                "answer_schema": st.just({"type": "object"}),
                "options": st.just([{"variant": "v1"}]),
                "evidence": st.just(None),
            },
            "digest": st.just("d1"),
        },
        optional={
            "step": st.none() | step,
            "deadline_at": st.none() | st.just(BEGAN),
            "about": st.just("round 2"),
            "proposal": st.just({"x": [2]}),
            "policy": st.sampled_from(
                [
                    {"quorum": [{"needed": 2, "group": "legal"}, {}], "veto": ["legal"]},
                    {"exclude_starter": True},
                ]
            ),
        },
    ),
    "approval.reminded": st.fixed_dictionaries({"approval_id": st.sampled_from(APPROVALS)}),
    "approval.delegated": st.fixed_dictionaries(
        {"approval_id": st.sampled_from(APPROVALS), "to": st.sampled_from(["group:leads", "key:lan"])},
        optional={"delegated_by": st.just({"subject": "key:an"})},
    ),
    "approval.escalated": st.fixed_dictionaries(
        {"approval_id": st.sampled_from(APPROVALS), "to": st.sampled_from(["group:heads", "key:an"])}
    ),
    "approval.decided": st.fixed_dictionaries(
        {
            "approval_id": st.sampled_from(APPROVALS),
            "decision_id": st.just("d"),
            "decided_by": st.just("Lan"),
            "answer": st.just({"x": [1]}),
        },
        optional={
            "note": text,
            "outcome": st.just("modified"),
            "modified": st.just(["/x/0"]),
            "door": st.just("api"),
        },
    ),
    "approval.claimed": st.fixed_dictionaries(
        {
            "approval_id": st.sampled_from(APPROVALS),
            "claimed_by": st.sampled_from([{"subject": "key:an", "name": "An"}, {"subject": "i#lan"}]),
            "until": st.just(BEGAN),
        }
    ),
    "approval.released": st.fixed_dictionaries(
        {"approval_id": st.sampled_from(APPROVALS), "released_by": st.just({"subject": "key:an"})}
    ),
    "approval.voted": st.fixed_dictionaries(
        {
            "approval_id": st.sampled_from(APPROVALS),
            "decision_id": st.just("d"),
            "voted_by": st.sampled_from([{"subject": "key:an", "groups": ["legal"]}, {"subject": "i#lan"}]),
            "answer": st.just({"x": [1]}) | st.none(),
        },
        optional={
            "objection": st.booleans(),
            "note": text,
            "group": st.none() | st.just("legal"),
            "quorum": st.just([{"needed": 2, "counted": 1, "group": "legal"}, {"needed": 1, "counted": 0}]),
            "door": st.just("link"),
        },
    ),
    "approval.vote_refused": st.fixed_dictionaries(
        {
            "approval_id": st.sampled_from(APPROVALS),
            "decision_id": st.just("d"),
            "voted_by": st.sampled_from([{"subject": "key:an", "name": "An"}, {"subject": "i#lan"}]),
            "code": st.just("stale_digest"),
            "reason": st.just("the question had changed"),
        }
    ),
    "approval.vetoed": st.fixed_dictionaries(
        {
            "approval_id": st.sampled_from(APPROVALS),
            "decision_id": st.just("d"),
            "voted_by": st.sampled_from([{"subject": "key:an", "name": "An"}, {"subject": "i#lan"}]),
            "reason": st.just("misleading"),
        },
        optional={"door": st.just("console")},
    ),
    "approval.expired": st.fixed_dictionaries(
        {"approval_id": st.sampled_from(APPROVALS)},
        optional={
            "outcome": st.sampled_from(["expired", "defaulted"]),
            "answer": st.just({"x": [3]}) | st.none(),
        },
    ),
    "approval.withdrawn": st.fixed_dictionaries({"approval_id": st.sampled_from(APPROVALS)}),
    "event.refused": st.just({"name": "ad.approved", "event_id": "e", "reason": "too large"}),
    "run.paused": st.just({}),
    "run.resumed": st.just({}),
    "child.started": st.fixed_dictionaries(
        {
            "child_run_id": st.sampled_from(["c1", "c2"]),
            "pipeline": st.just("ads"),
            "title": st.just("Ads"),
        },
        optional={"step": st.none() | step},
    ),
    "child.ended": st.fixed_dictionaries(
        {
            "child_run_id": st.sampled_from(["c1", "c2"]),
            "status": st.sampled_from(["completed", "failed"]),
        }
    ),
    "wait.requested": st.fixed_dictionaries(
        {
            "wait_id": st.sampled_from(WAITS),
            "name": st.just("payment.settled"),
            "title": st.just("the payment"),
            "deadline_at": st.just(BEGAN),
        },
        optional={
            "key": st.none() | st.just("4711"),
            "step": st.none() | step,
            "is_callback": st.booleans(),
        },
    ),
    "wait.received": st.fixed_dictionaries(
        {
            "wait_id": st.sampled_from(WAITS),
            "name": st.just("payment.settled"),
            "event_id": st.just("evt-1"),
            "data": st.just({"amount": 1}),
        },
        optional={"key": st.just("4711"), "sender": st.none() | st.just({"subject": "key:an"})},
    ),
    "wait.expired": st.fixed_dictionaries({"wait_id": st.sampled_from(WAITS)}),
    "wait.withdrawn": st.fixed_dictionaries({"wait_id": st.sampled_from(WAITS)}),
    "run.retried": st.just({"completed_steps": ["read"]}),
    "run.blocked": st.just({"code": "no_worker", "reason": "start workers", "since": BEGAN}),
    "run.queued": st.just({"ahead": 4, "reason": "wait", "since": BEGAN}),
    "run.unblocked": st.just({"since": BEGAN}),
    "run.completed": st.fixed_dictionaries({"result": st.sampled_from([None, {"approved": []}])}),
    "run.failed": st.sampled_from([{"error": FAILURE}, {"error": {"code": "c", "message": "m"}}]),
    "run.cancelled": st.just({}),
    "run.terminated": st.just({}),
    "run.timed_out": st.just({}),
    "stream.reset": st.fixed_dictionaries({"step": step, "attempt": st.just(2)}),
    "ad.approved": st.just({"variant": "v1"}),
}
# The third member moves the clock by microseconds, to and fro: progress can come late.
named = st.sampled_from(sorted(DATA)).flatmap(
    lambda name: st.tuples(st.just(name), DATA[name], st.integers(-3, 3) | st.just(500_000))
)
Story = Sequence[tuple[str, Mapping[str, object], int]]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(story=st.lists(named, max_size=25), late=st.lists(st.integers(0, 24), max_size=4))
def test_both_folds_agree_after_every_event(modules: Page, story: Story, late: Sequence[int]) -> None:
    events = [event(name, data, place + 1, clock) for place, (name, data, clock) in enumerate(story)]
    # Some milestones come a second time, later: both folds must ignore them.
    events += [events[place] for place in late if place < len(events)]
    assert folded_in_javascript(modules, events) == folded_in_python(events)


def test_the_stories_cover_the_whole_catalogue() -> None:
    assert set(CATALOGUE) <= set(DATA)


def test_the_console_shows_of_each_approval_what_the_table_of_its_life_cycle_says(modules: Page) -> None:
    found = cells()
    snapshots = [folded_in_javascript(modules, cell.events) for cell in found if cell.events]

    shown = [status_of(one[-1]) for one in snapshots]
    assert shown == [cell.shown for cell in found if cell.events]


def status_of(snapshot: object) -> str | None:
    """Of its only approval."""
    assert isinstance(snapshot, dict)
    return next((approval["status"] for approval in snapshot["approvals"]), None)


def event(name: str, data: Mapping[str, object], place: int, clock_us: int) -> CloudEvent:
    is_unnumbered = name in CATALOGUE and CATALOGUE[name].kind in (EventKind.PROGRESS, EventKind.NOTICE)
    return CloudEvent(
        id=f"run-1:{place}",
        source="/signalbox/worker",
        type=full_type(name),
        time=BEGAN + timedelta(seconds=1, microseconds=clock_us),
        subject="run-1",
        tenantid="acme",
        runid="run-1",
        data=msgspec.Raw(msgspec.json.encode(data)),
        sequence=None if is_unnumbered else place,
    )


def folded_in_python(events: Sequence[CloudEvent]) -> Sequence[object]:
    snapshot, seen = Snapshot(run_id="run-1", tenant="acme"), []
    for one in events:
        snapshot = fold(snapshot, one)
        seen.append(json.loads(msgspec.json.encode(snapshot)))
    return seen


def folded_in_javascript(page: Page, events: Sequence[CloudEvent]) -> Sequence[object]:
    frames = [json.loads(frame_data(one)) for one in events]
    return list(
        page.evaluate(
            """async (frames) => {
                const { emptySnapshot, fold } = await import("/console/js/data/fold.js");
                let snapshot = emptySnapshot("run-1", "acme");
                return frames.map((frame) => (snapshot = fold(snapshot, frame)));
            }""",
            frames,
        )
    )
