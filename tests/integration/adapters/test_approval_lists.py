"""The lists of pending and decided approvals of the stream in Redis and of its fake are the same."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from msgspec import UNSET
from msgspec.structs import replace

from signalbox_core.events import CloudEvent, Snapshot, fold
from signalbox_core.events.approval_data import (
    ApprovalClaimed,
    ApprovalHandedOver,
    ApprovalReleased,
    ApprovalRequested,
    ApprovalVetoed,
    ApprovalVoted,
    ApprovalWithdrawn,
)
from signalbox_core.events.catalogue import ArtifactCreated, RunStarted
from signalbox_core.events.policy import Policy, Quorum
from signalbox_core.events.states import ClaimState
from signalbox_core.streams import MAX_DECIDED, InboxItem, RunStream
from signalbox_core.subjects import Subject
from support.fakes.events import make_event, story

MILESTONES = [event for event in story() if event.sequence is not None]
PAGES = ("logo.png", "page-001.jpg", "page-010.jpg", "page-002.jpg")


LAN = Subject(subject="key:lan", name="Lan", groups=("legal",))
MINH = Subject(subject="key:minh", name="Minh")
UNTIL = datetime(2126, 1, 1, tzinfo=UTC)
TWO = Policy(quorum=(Quorum(2),), exclude_starter=True)
PICTURES = msgspec.Raw(
    b'[{"pictures":[{"artifact":"wide.png","size":"728x90"},{"artifact":"square.png","size":"300x250"}]}]'
)


def asking(*, options: msgspec.Raw = PICTURES, number: int = 1) -> list[CloudEvent]:
    """A run of An's that asks a question with a policy."""
    started = RunStarted(
        pipeline="echo", title="Echo", subject="Coffee", starter=Subject(subject="key:an", name="An")
    )
    question = ApprovalRequested(
        approval_id="ok",
        name="ok",
        title="OK?",
        answer_schema=msgspec.Raw(b"{}"),
        options=options,
        evidence=msgspec.Raw(b"null"),
        digest="d",
        policy=TWO,
        round=number if number > 1 else UNSET,
    )
    return [
        make_event("run.started", started, sequence=1),
        make_event("approval.requested", question, sequence=2),
    ]


def voted(voter: Subject, sequence: int) -> CloudEvent:
    vote = ApprovalVoted(
        approval_id="ok", decision_id=voter.subject, voted_by=voter, answer=msgspec.Raw(b"true")
    )
    return make_event("approval.voted", vote, sequence=sequence)


def claimed(by: Subject, sequence: int) -> CloudEvent:
    claim = ApprovalClaimed(approval_id="ok", claimed_by=by, until=UNTIL)
    return make_event("approval.claimed", claim, sequence=sequence)


def withdrawn(sequence: int) -> CloudEvent:
    return make_event("approval.withdrawn", ApprovalWithdrawn(approval_id="ok"), sequence=sequence)


async def entry(streams: RunStream, voter: str | None = None) -> InboxItem:
    (item,) = (await streams.inbox("acme", voter=voter)).items
    return item


async def test_an_inbox_entry_has_what_the_question_says(streams: RunStream) -> None:
    await streams.append_many(asking(number=2))
    item = await entry(streams)
    assert (item.round, item.picture, item.policy, item.starter) == (2, "square.png", TWO, "key:an")
    assert (item.claim, item.handed_to, item.has_voted) == (None, None, False)


async def test_a_question_without_pictures_has_the_first_page_of_its_run(streams: RunStream) -> None:
    pages = [ArtifactCreated(name=name, media_type="image/jpeg", size_bytes=3, key=name) for name in PAGES]
    started, asked = asking(options=msgspec.Raw(b'["yes","no"]'))
    events = [make_event("artifact.created", page, sequence=number) for number, page in enumerate(pages, 2)]
    await streams.append_many([started, *events, replace(asked, sequence=len(pages) + 2)])
    assert (await entry(streams)).picture == "page-001.jpg"


async def test_an_inbox_entry_follows_claims_and_the_claimers_vote_ends_its_claim(streams: RunStream) -> None:
    await streams.append_many([*asking(), claimed(LAN, 3)])
    assert (await entry(streams)).claim == ClaimState(by=LAN, until=UNTIL)

    await streams.append(voted(MINH, 4))
    assert (await entry(streams)).claim == ClaimState(by=LAN, until=UNTIL)

    await streams.append(voted(LAN, 5))
    assert (await entry(streams)).claim is None

    await streams.append(claimed(LAN, 6))
    assert (await entry(streams)).claim == ClaimState(by=LAN, until=UNTIL)

    released = ApprovalReleased(approval_id="ok", released_by=LAN)
    await streams.append(make_event("approval.released", released, sequence=7))
    assert (await entry(streams)).claim is None


async def test_an_inbox_entry_follows_hand_overs(streams: RunStream) -> None:
    leads = Policy(quorum=(Quorum(1, "leads"),))
    escalated = ApprovalHandedOver(approval_id="ok", to="group:leads", policy=leads)
    delegated = ApprovalHandedOver(approval_id="ok", to="key:minh", delegated_by=LAN)
    await streams.append_many([*asking(), claimed(LAN, 3)])

    await streams.append(make_event("approval.escalated", escalated, sequence=4))
    item = await entry(streams)
    assert (item.handed_to, item.policy) == ("group:leads", leads)
    assert item.claim is not None

    await streams.append(make_event("approval.delegated", delegated, sequence=5))
    item = await entry(streams)
    assert (item.handed_to, item.policy, item.claim) == ("key:minh", leads, None)


async def test_an_inbox_entry_shows_whether_a_voter_has_voted(streams: RunStream) -> None:
    await streams.append_many([*asking(), voted(LAN, 3)])
    assert (await entry(streams, "key:lan")).has_voted
    assert not (await entry(streams, "key:minh")).has_voted
    assert not (await entry(streams)).has_voted


async def test_a_rebuild_keeps_what_the_inbox_shows(streams: RunStream) -> None:
    leads = Policy(quorum=(Quorum(1, "leads"),))
    escalated = ApprovalHandedOver(approval_id="ok", to="group:leads", policy=leads)
    events = [
        *asking(number=3),
        make_event("approval.escalated", escalated, sequence=3),
        voted(MINH, 4),
        claimed(LAN, 5),
    ]
    await streams.append_many(events)
    before = await entry(streams, "key:minh")
    assert (before.has_voted, before.round) == (True, 3)
    snapshot = Snapshot(run_id="run-1", tenant="acme")
    for event in events:
        snapshot = fold(snapshot, event)

    await streams.rebuild(snapshot)
    assert await entry(streams, "key:minh") == before
    # Also after the question is delivered again.
    await streams.append(events[1])
    assert await entry(streams, "key:minh") == before

    await streams.append(voted(LAN, 6))
    assert (await entry(streams)).claim is None


async def test_decided_approvals_are_listed_the_newest_first(streams: RunStream) -> None:
    veto = ApprovalVetoed(approval_id="ok", decision_id="d", voted_by=LAN, reason="too dear")
    await streams.append_many(MILESTONES[:7])
    await streams.append_many([replace(event, runid="run-2") for event in asking()])
    await streams.append(replace(make_event("approval.vetoed", veto, sequence=3), runid="run-2", time=UNTIL))

    vetoed, decided = await streams.decided("acme", 10)

    assert (vetoed.run_id, vetoed.title, vetoed.subject) == ("run-2", "OK?", "Coffee")
    assert (vetoed.status, vetoed.decided_by, vetoed.decided_at) == ("vetoed", "Lan", UNTIL)
    assert (decided.run_id, decided.approval_id, decided.pipeline) == ("run-1", "ok", "echo")
    assert (decided.status, decided.decided_by) == ("decided", "lan")
    assert (decided.decided_at, decided.requested_at) == (MILESTONES[6].time, MILESTONES[5].time)
    assert await streams.decided("acme", 1) == (vetoed,)
    assert await streams.decided("other", 10) == ()


async def test_a_repeated_or_rebuilt_decision_is_listed_once(streams: RunStream) -> None:
    await streams.append_many(MILESTONES)
    before = await streams.decided("acme", 10)
    assert len(before) == 1
    snapshot = Snapshot(run_id="run-1", tenant="acme")
    for event in MILESTONES:
        snapshot = fold(snapshot, event)

    await streams.append(MILESTONES[6])
    await streams.rebuild(snapshot)

    assert await streams.decided("acme", 10) == before


async def test_a_question_asked_again_under_its_id_begins_anew(streams: RunStream) -> None:
    leads = Policy(quorum=(Quorum(1, "leads"),))
    handed = ApprovalHandedOver(approval_id="ok", to="group:leads", policy=leads)
    await streams.append_many([*asking(), make_event("approval.escalated", handed, sequence=3)])
    await streams.append_many([voted(LAN, 4), claimed(MINH, 5), withdrawn(6)])
    assert (await streams.inbox("acme")).items == ()

    await streams.append(replace(asking(number=2)[1], sequence=7))

    item = await entry(streams, "key:lan")
    assert (item.round, item.policy, item.has_voted) == (2, TWO, False)
    assert (item.claim, item.handed_to) == (None, None)
    await streams.append(voted(LAN, 8))
    assert (await entry(streams, "key:lan")).has_voted


async def test_a_question_asked_again_after_a_rebuild_has_no_vote(streams: RunStream) -> None:
    snapshot = Snapshot(run_id="run-1", tenant="acme")
    for event in [*asking(), voted(LAN, 3), withdrawn(4)]:
        snapshot = fold(snapshot, event)
    await streams.rebuild(snapshot)
    await streams.append(replace(asking(number=2)[1], sequence=5))
    assert not (await entry(streams, "key:lan")).has_voted


async def test_a_decided_question_is_listed_while_it_is_closed_and_once(streams: RunStream) -> None:
    decided = MILESTONES[6]
    await streams.append_many(MILESTONES[:7])
    assert len(await streams.decided("acme", 10)) == 1

    await streams.append(replace(MILESTONES[5], sequence=8))
    assert await streams.decided("acme", 10) == ()

    await streams.append(replace(decided, sequence=9, time=UNTIL))
    (item,) = await streams.decided("acme", 10)
    assert item.decided_at == UNTIL


@pytest.mark.parametrize(("starter", "expected"), [(None, None), (UNSET, ""), (LAN, "key:lan")])
async def test_an_entry_tells_an_unknown_starter_from_none(
    streams: RunStream, starter: Subject | msgspec.UnsetType | None, expected: str | None
) -> None:
    """With None, the stream has the start from an earlier release, which set no mark."""
    _, asked = asking()
    if starter is None:
        await streams.append(replace(asked, sequence=1))
    else:
        data = RunStarted(pipeline="echo", title="Echo", starter=starter)
        await streams.append_many([make_event("run.started", data, sequence=1), asked])
    assert (await entry(streams)).starter == expected


async def test_the_newest_decisions_are_kept(streams: RunStream) -> None:
    runs = [f"run-{number}" for number in range(MAX_DECIDED + 2)]
    await streams.append_many(
        [
            replace(event, runid=run, time=event.time + timedelta(seconds=number))
            for number, run in enumerate(runs)
            for event in MILESTONES[:7]
        ]
    )
    assert [item.run_id for item in await streams.decided("acme", 1000)] == runs[:1:-1]


async def test_a_claim_changes_the_inbox_of_its_tenant_only(streams: RunStream) -> None:
    await streams.append_many([*asking(), *(replace(event, tenantid="other") for event in asking())])
    await streams.append(claimed(LAN, 3))
    assert (await entry(streams)).claim is not None
    (theirs,) = (await streams.inbox("other")).items
    assert theirs.claim is None
