import random
from pathlib import Path

import msgspec
import pytest

from signalbox_core.errors import InvalidInput
from signalbox_core.events import (
    CATALOGUE,
    MAX_EVENT_BYTES,
    CloudEvent,
    Snapshot,
    assemble,
    decode_event,
    encode_event,
    fold,
    frame_data,
    full_type,
    snapshot_key,
)
from signalbox_core.events.approval_data import (
    ApprovalClaimed,
    ApprovalHandedOver,
    ApprovalRequested,
    ApprovalVoteRefused,
)
from signalbox_core.events.catalogue import (
    Failure,
    RunClosed,
    RunFailed,
    StepFailed,
    StepProgress,
    StepStarted,
)
from signalbox_core.events.policy import Policy, Quorum
from signalbox_core.events.snapshot import FOLDS
from signalbox_core.subjects import Subject
from support.fakes.events import START, make_event, story

GOLDEN = Path(__file__).parents[2] / "data/events/story.jsonl"


def folded(events: list[CloudEvent]) -> Snapshot:
    snapshot = Snapshot(run_id="run-1", tenant="acme")
    for event in events:
        snapshot = fold(snapshot, event)
    return snapshot


def test_an_event_round_trips() -> None:
    for event in story():
        assert decode_event(encode_event(event)) == event


def test_golden_events_of_earlier_releases_still_decode_and_encode_the_same() -> None:
    lines = GOLDEN.read_bytes().splitlines()
    assert [decode_event(line) for line in lines] == story()
    assert [encode_event(event) for event in story()] == lines


def test_unknown_members_are_ignored() -> None:
    members = msgspec.json.decode(encode_event(story()[0]))
    assert decode_event(msgspec.json.encode({**members, "newer": 1})) == story()[0]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"id":1}', b"\xff", b"[" * 100_000])
def test_an_invalid_event_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        decode_event(body)


def test_an_oversized_event_is_rejected() -> None:
    with pytest.raises(InvalidInput, match="object store"):
        encode_event(make_event("step.progress", StepProgress(step="s", text="x" * MAX_EVENT_BYTES)))


def test_a_frame_has_the_members_of_the_stream_contract() -> None:
    frame = msgspec.json.decode(frame_data(story()[1]))
    assert set(frame) == {"id", "type", "time", "runid", "sequence", "stepid", "data"}
    assert frame["type"] == full_type("step.started")
    assert "sequence" not in msgspec.json.decode(frame_data(story()[2]))


def test_the_events_of_a_run_fold_into_its_snapshot() -> None:
    snapshot = folded(story())
    assert (snapshot.status, snapshot.pipeline, snapshot.started_by, snapshot.sequence) == (
        "completed",
        "echo",
        "lan",
        9,
    )
    assert [(step.name, step.status, step.percent) for step in snapshot.steps] == [
        ("read", "completed", 100.0),
        ("write", "completed", 100.0),
    ]
    assert [(item.approval_id, item.status, item.decided_by) for item in snapshot.approvals] == [
        ("ok", "decided", "lan")
    ]
    assert snapshot.result == msgspec.Raw(b'{"n":1}')


@pytest.mark.parametrize("length", range(1, 11))
def test_the_newest_event_of_each_key_gives_the_same_snapshot_as_all_events(length: int) -> None:
    events = story()[:length]
    newest = {snapshot_key(event): event for event in events}
    shuffled = random.Random(length).sample(list(newest.values()), len(newest))
    assert assemble(Snapshot(run_id="run-1", tenant="acme"), shuffled) == folded(events)


def test_a_persons_delegation_keeps_the_policy_of_the_ladders() -> None:
    lan, leads = Subject(subject="key:lan"), Policy(quorum=(Quorum(1, "leads"),))
    *earlier, asked = story()[:7]
    question = msgspec.json.decode(asked.data, type=ApprovalRequested)
    question = msgspec.structs.replace(question, policy=Policy(quorum=(Quorum(1, "staff"),)))
    asked = msgspec.structs.replace(asked, data=msgspec.Raw(msgspec.json.encode(question)))
    to_leads = ApprovalHandedOver(approval_id="ok", to="group:leads", policy=leads)
    to_minh = ApprovalHandedOver(approval_id="ok", to="key:minh", delegated_by=lan)
    to_owners = msgspec.structs.replace(to_leads, to="group:owners")
    claimed = ApprovalClaimed(approval_id="ok", claimed_by=lan, until=START)
    refused = [
        ApprovalVoteRefused(
            approval_id="ok", decision_id="d", voted_by=lan, code="conflict", reason=str(number)
        )
        for number in range(12)
    ]
    given = [
        ("approval.claimed", claimed),
        ("approval.delegated", to_leads),
        ("approval.delegated", to_minh),
        *(("approval.vote_refused", vote) for vote in refused),
    ]
    for order in (given, [*given, ("approval.delegated", to_owners)]):
        events = [
            *earlier,
            asked,
            *(make_event(name, data, sequence=20 + place) for place, (name, data) in enumerate(order)),
        ]
        newest = {snapshot_key(event): event for event in events}
        snapshot = assemble(Snapshot(run_id="run-1", tenant="acme"), newest.values())
        assert msgspec.json.encode(snapshot) == msgspec.json.encode(folded(events))
        [approval] = snapshot.approvals
        assert (approval.policy, approval.claim, len(approval.refused)) == (leads, None, 10)


def test_a_duplicate_milestone_changes_nothing() -> None:
    events = story()
    random.Random(7).shuffle(events)
    assert folded(story() + events) == folded(story())


def test_a_run_that_does_not_complete_cancels_its_open_steps_and_approvals() -> None:
    for name, status in (
        ("run.failed", "failed"),
        ("run.terminated", "terminated"),
        ("run.timed_out", "timed_out"),
    ):
        data = RunFailed(error=Failure(code="x", message="no")) if name == "run.failed" else RunClosed()
        snapshot = folded([*story()[:7], make_event(name, data, sequence=7)])
        assert snapshot.status == status
        assert [step.status for step in snapshot.steps] == ["completed", "cancelled"]
        assert [item.status for item in snapshot.approvals] == ["cancelled"]


def test_progress_after_the_end_of_a_step_is_ignored() -> None:
    late = make_event("step.progress", StepProgress(step="read", percent=10.0))
    assert folded([*story()[:4], late]) == folded(story()[:4])


def test_the_end_of_a_run_clears_the_progress_of_its_running_steps() -> None:
    """The workflow's own fold has not seen it."""
    progress = make_event("step.progress", StepProgress(step="read", percent=10.0, message=""))
    closed = make_event("run.cancelled", RunClosed(), sequence=3)
    assert folded([*story()[:2], progress, closed]) == folded([*story()[:2], closed])


def test_a_failed_step_names_its_cause() -> None:
    failed = StepFailed(
        step="read", title="Read", started_at=START, error=Failure(code="not_html", message="not a page")
    )
    snapshot = folded([*story()[:2], make_event("step.failed", failed, sequence=3)])
    assert (snapshot.steps[0].status, snapshot.steps[0].message) == ("failed", "not a page")


def test_an_undeclared_step_follows_the_declared_ones() -> None:
    snapshot = folded(
        [story()[0], make_event("step.started", StepStarted(step="extra", title="Extra"), sequence=2)]
    )
    assert [step.name for step in snapshot.steps] == ["read", "write", "extra"]


def test_every_event_type_has_a_fold_or_is_known_to_change_nothing() -> None:
    assert set(CATALOGUE) - set(FOLDS) == {"approval.reminded", "event.refused"}
