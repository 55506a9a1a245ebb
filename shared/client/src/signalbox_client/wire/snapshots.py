"""Converts a run as the gateway returns it to the snapshot that events fold into."""

from signalbox_client.models import Approval, Run
from signalbox_core.events.policy import Policy
from signalbox_core.events.snapshot import ApprovalState, ArtifactState, Snapshot


def snapshot_of(run: Run) -> Snapshot:
    """Convert to the snapshot that events fold into; an artifact's `key` is its URL path in the API."""
    return Snapshot(
        run_id=run.run_id,
        tenant="",
        pipeline=run.pipeline,
        title=run.title,
        status=run.status,
        started_at=run.started_at,
        started_by=run.started_by,
        starter=run.starter,
        ended_at=run.ended_at,
        steps=run.steps,
        approvals=tuple(_approval_state(approval) for approval in run.approvals),
        artifacts=tuple(
            ArtifactState(
                name=item.name,
                media_type=item.media_type,
                size_bytes=item.size_bytes,
                key=item.url,
                title=item.title,
            )
            for item in run.artifacts
        ),
        result=run.result,
        error=run.error,
        sequence=run.sequence,
        blocked=run.blocked,
        queued=run.queued,
        parent=run.parent,
        children=run.children,
        retry_of=run.retry_of,
        retried_as=run.retried_as,
        retried_at=run.retried_at,
        subject=run.subject,
        tags=run.tags,
        waits=run.waits,
        plain=run.plain,
        trace_id=run.trace_id,
    )


def _approval_state(approval: Approval) -> ApprovalState:
    last = approval.decisions[-1] if approval.decisions else approval
    policy = Policy(
        quorum=approval.policy.quorum,
        veto=approval.policy.veto,
        exclude_starter=approval.policy.exclude_starter,
        people=approval.policy.people,
    )
    return ApprovalState(
        approval_id=approval.approval_id,
        name=approval.name,
        title=approval.title,
        status=approval.status,
        answer_schema=approval.answer_schema,
        options=approval.options,
        evidence=approval.evidence,
        digest=approval.digest,
        requested_at=approval.requested_at,
        step=approval.step,
        deadline_at=approval.deadline_at,
        decision_id=last.decision_id,
        decided_by=last.decided_by,
        decider=last.decider,
        decided_at=last.decided_at,
        answer=last.answer,
        note=last.note,
        about=approval.about,
        policy=policy if policy.quorum else None,
        votes=approval.votes,
        claim=approval.claim,
        round=approval.round,
        outcome=approval.outcome,
        modified=approval.modified,
        door=last.door,
    )
