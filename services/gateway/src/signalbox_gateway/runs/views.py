"""A run as the API returns it. The stream's `snapshot` event contains the same JSON."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import quote

import msgspec
from msgspec import Struct

from signalbox_core.events.catalogue import Failure
from signalbox_core.events.policy import Policy, Quorum, QuorumProgress, describe_policy, no_progress
from signalbox_core.events.snapshot import (
    ApprovalState,
    ApprovalStatus,
    ArtifactState,
    BlockedState,
    ChildState,
    ClaimState,
    EventWaitState,
    QueuedState,
    RefusedVoteState,
    RunStatus,
    Snapshot,
    StepState,
    VoteState,
)
from signalbox_core.subjects import Subject

_POLICY_ROLE: Final = "approver"


class ArtifactView(Struct, frozen=True, kw_only=True):
    """A file that a run made. `url` contains the version, so the content at one URL never changes."""

    name: str
    title: str | None
    media_type: str
    size_bytes: int
    url: str


class PolicyView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who may decide; without further members, any one approver.

    `needed`: how many subjects have to give the same answer. `quorum`: of which groups. `veto`: the groups of
    which one member's objection ends the question. `exclude_starter`: the subject that started the run may
    not vote. `people`: if any, the only subjects whose answers count. `require_signature`: every vote is
    signed with a passkey. `text`: the same for people.
    """

    role: str
    needed: int
    quorum: tuple[Quorum, ...] = ()
    veto: tuple[str, ...] = ()
    exclude_starter: bool = False
    people: tuple[str, ...] = ()
    require_signature: bool = False
    text: str = ""


class DecisionView(Struct, frozen=True, kw_only=True):
    decision_id: str
    decided_by: str
    decided_at: datetime
    answer: msgspec.Raw
    note: str | None = None
    decider: Subject | None = None
    door: str | None = None


class ApprovalView(Struct, frozen=True, kw_only=True):
    """A question and its decisions. `digest` covers the question as shown: send it with the decision.

    `about`: what the question is about. `votes`: the latest vote of each subject, if a policy governs the
    question. `quorum`: how far the newest answer has come, with such a policy. `proposal`: the answer as
    proposed. `outcome` is `modified` if the answer edits it; `modified` has the members as JSON pointers.
    After the deadline it is `expired`, or `defaulted` if the run continues with the default, in `answer`.
    `claim`: who has claimed it, until when. `refused`: the latest votes that were refused after their senders
    had a reply: stored until a worker responded, or sent before the question was asked. `asked_policy`: with
    which it was asked, if a hand-over has replaced the policy since; the digest covers that one. `round`: 2
    for a question that is asked a second time, after the first was closed, and so on.
    `door`: how the deciding vote, or the veto, was submitted: `api`, `console`, `token`, `link`, `bulk` or
    `signal`; null if that was not recorded.
    """

    run_id: str
    approval_id: str
    name: str
    title: str
    status: ApprovalStatus
    step: str | None
    answer_schema: msgspec.Raw
    options: msgspec.Raw
    evidence: msgspec.Raw
    digest: str
    requested_at: datetime
    deadline_at: datetime | None
    decision_id: str | None
    decided_by: str | None
    decider: Subject | None
    decided_at: datetime | None
    door: str | None
    answer: msgspec.Raw
    note: str | None
    handed_to: str | None
    refused: tuple[RefusedVoteState, ...]
    about: str | None
    proposal: msgspec.Raw
    outcome: str | None
    modified: tuple[str, ...]
    policy: PolicyView
    asked_policy: PolicyView | None
    votes: tuple[VoteState, ...]
    claim: ClaimState | None
    quorum: tuple[QuorumProgress, ...]
    decisions: tuple[DecisionView, ...]
    url: str
    round: int


class RunView(Struct, frozen=True, kw_only=True):
    """The current state of a run. `<epoch>:<sequence>` is the cursor of its stream.

    `blocked`: the run cannot continue until someone acts. `queued`: it waits for a free worker.
    `parent` started this run, and this run the `children`. `retry_of`: the run that this one repeats.
    `retried_as`: the latest run that repeats this one.
    `waits`: what the run waits for, or has waited for, from outside.
    `retried_at`: when this run was last continued after it had ended.
    `plain`: a workflow of other code than a pipeline's; it can only be cancelled.
    `trace_id`: the trace of its start (W3C Trace Context); null without one.
    """

    run_id: str
    pipeline: str
    title: str
    status: RunStatus
    steps: tuple[StepState, ...]
    approvals: tuple[ApprovalView, ...]
    artifacts: tuple[ArtifactView, ...]
    result: msgspec.Raw | None
    error: Failure | None
    started_at: datetime | None
    started_by: str | None
    starter: Subject | None
    ended_at: datetime | None
    epoch: str
    sequence: int
    blocked: BlockedState | None
    queued: QueuedState | None
    parent: str | None
    children: tuple[ChildState, ...]
    retry_of: str | None
    retried_as: str | None
    retried_at: datetime | None
    subject: str | None
    tags: tuple[str, ...]
    waits: tuple[EventWaitState, ...]
    plain: bool
    trace_id: str | None


def run_view(snapshot: Snapshot, epoch: str) -> RunView:
    return RunView(
        run_id=snapshot.run_id,
        pipeline=snapshot.pipeline,
        title=snapshot.title,
        status=snapshot.status,
        steps=snapshot.steps,
        approvals=tuple(approval_view(snapshot.run_id, state) for state in snapshot.approvals),
        artifacts=tuple(artifact_view(snapshot.run_id, state) for state in snapshot.artifacts),
        result=snapshot.result,
        error=snapshot.error,
        started_at=snapshot.started_at,
        started_by=snapshot.started_by,
        starter=snapshot.starter,
        ended_at=snapshot.ended_at,
        epoch=epoch,
        sequence=snapshot.sequence,
        blocked=snapshot.blocked,
        queued=snapshot.queued,
        parent=snapshot.parent,
        children=snapshot.children,
        retry_of=snapshot.retry_of,
        retried_as=snapshot.retried_as,
        retried_at=snapshot.retried_at,
        subject=snapshot.subject,
        tags=snapshot.tags,
        waits=snapshot.waits,
        plain=snapshot.plain,
        trace_id=snapshot.trace_id,
    )


def present(snapshot: Snapshot, epoch: str) -> bytes:
    """Encode a snapshot as JSON, for the API and the stream."""
    return msgspec.json.encode(run_view(snapshot, epoch))


def artifact_view(run_id: str, state: ArtifactState) -> ArtifactView:
    url = f"{artifact_url(run_id, state.name)}?v={artifact_version(state)}"
    return ArtifactView(
        name=state.name, title=state.title, media_type=state.media_type, size_bytes=state.size_bytes, url=url
    )


def artifact_url(run_id: str, name: str) -> str:
    """The path of the newest artifact of this name."""
    return f"/v1/runs/{quote(run_id, safe='')}/artifacts/{quote(name)}"


def artifact_version(state: ArtifactState) -> str:
    """A version id. Objects are immutable, so key, size and media type identify the content."""
    return hashlib.sha256(f"{state.key}\n{state.size_bytes}\n{state.media_type}".encode()).hexdigest()[:16]


def approval_view(run_id: str, state: ApprovalState) -> ApprovalView:
    return ApprovalView(
        run_id=run_id,
        approval_id=state.approval_id,
        name=state.name,
        title=state.title,
        status=state.status,
        step=state.step,
        answer_schema=state.answer_schema,
        options=state.options,
        evidence=state.evidence,
        digest=state.digest,
        requested_at=state.requested_at,
        deadline_at=state.deadline_at,
        decision_id=state.decision_id,
        decided_by=state.decided_by,
        decider=state.decider,
        decided_at=state.decided_at,
        door=state.door,
        answer=state.answer,
        note=state.note,
        handed_to=state.handed_to,
        refused=state.refused,
        about=state.about,
        proposal=state.proposal,
        outcome=state.outcome,
        modified=state.modified,
        policy=policy_view(state.policy or Policy()),
        asked_policy=policy_view(state.asked_policy) if state.asked_policy is not None else None,
        votes=state.votes,
        claim=state.claim,
        quorum=progress_of(state),
        decisions=_decisions(state),
        url=f"/v1/runs/{quote(run_id, safe='')}/approvals/{quote(state.approval_id, safe='')}",
        round=state.round,
    )


def policy_view(policy: Policy) -> PolicyView:
    if policy.is_default:
        return PolicyView(role=_POLICY_ROLE, needed=1)
    return PolicyView(
        role=_POLICY_ROLE,
        needed=policy.needed,
        quorum=policy.quorum,
        veto=policy.veto,
        exclude_starter=policy.exclude_starter,
        people=policy.people,
        require_signature=bool(policy.require_signature),
        text=describe_policy(policy),
    )


def progress_of(state: ApprovalState) -> tuple[QuorumProgress, ...]:
    """How far the newest answer has come."""
    if state.votes and state.votes[-1].quorum:
        return state.votes[-1].quorum
    return no_progress(state.policy) if state.policy is not None else ()


def links(run_id: str) -> Mapping[str, str]:
    """URLs of a run's resources."""
    base = f"/v1/runs/{quote(run_id, safe='')}"
    return {"self": base, "stream": f"{base}/stream", "result": f"{base}/result", "cancel": f"{base}/cancel"}


def _decisions(state: ApprovalState) -> tuple[DecisionView, ...]:
    if state.decision_id is None or state.decided_by is None or state.decided_at is None:
        return ()
    if state.status == "vetoed":
        return ()
    return (
        DecisionView(
            decision_id=state.decision_id,
            decided_by=state.decided_by,
            decided_at=state.decided_at,
            answer=state.answer,
            note=state.note,
            decider=state.decider,
            door=state.door,
        ),
    )
