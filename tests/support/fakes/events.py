"""Events for tests: one run's story, and a way to make any event of the catalogue."""

from datetime import UTC, datetime, timedelta

import msgspec

from signalbox_core.events import CloudEvent, full_type
from signalbox_core.events.approval_data import ApprovalDecided, ApprovalRequested
from signalbox_core.events.catalogue import (
    ArtifactCreated,
    RunCompleted,
    RunStarted,
    StepCompleted,
    StepInfo,
    StepProgress,
    StepStarted,
)
from signalbox_core.ids import derived_id

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def make_event(
    name: str,
    data: msgspec.Struct,
    *,
    sequence: int | None = None,
    run_id: str = "run-1",
    tenant: str = "acme",
    second: int = 0,
) -> CloudEvent:
    """An event whose id and time follow from its sequence, as a workflow would give it."""
    return CloudEvent(
        id=derived_id(run_id, name, str(sequence)),
        source="/signalbox/worker",
        type=full_type(name),
        time=START + timedelta(seconds=sequence or second),
        subject=run_id,
        tenantid=tenant,
        runid=run_id,
        sequence=sequence,
        stepid=getattr(data, "step", None),
        data=msgspec.Raw(msgspec.json.encode(data)),
    )


def story(run_id: str = "run-1", tenant: str = "acme") -> list[CloudEvent]:
    """A short run from start to end: two steps, progress, an artifact, an approval."""
    steps = (StepInfo(name="read", title="Read"), StepInfo(name="write", title="Write"))
    null, options = msgspec.Raw(b"null"), msgspec.Raw(b'[{"id":"v1"}]')
    tale: list[tuple[str, msgspec.Struct]] = [
        ("run.started", RunStarted(pipeline="echo", title="Echo", steps=steps, started_by="lan")),
        ("step.started", StepStarted(step="read", title="Read")),
        ("step.progress", StepProgress(step="read", percent=50.0, message="halfway")),
        ("step.completed", StepCompleted(step="read", title="Read", started_at=START)),
        (
            "artifact.created",
            ArtifactCreated(name="a.png", media_type="image/png", size_bytes=3, key="ads/a.png"),
        ),
        ("step.started", StepStarted(step="write", title="Write")),
        (
            "approval.requested",
            ApprovalRequested(
                approval_id="ok",
                name="ok",
                title="OK?",
                answer_schema=msgspec.Raw(b"{}"),
                options=options,
                evidence=null,
                digest="d",
                step="write",
            ),
        ),
        (
            "approval.decided",
            ApprovalDecided(
                approval_id="ok", decision_id="d1", decided_by="lan", answer=msgspec.Raw(b'{"yes":true}')
            ),
        ),
        ("step.completed", StepCompleted(step="write", title="Write", started_at=START)),
        ("run.completed", RunCompleted(result=msgspec.Raw(b'{"n":1}'))),
    ]
    events, sequence = [], 0
    for name, data in tale:
        sequence += name != "step.progress"
        events.append(
            make_event(
                name,
                data,
                sequence=None if name == "step.progress" else sequence,
                run_id=run_id,
                tenant=tenant,
                second=sequence,
            )
        )
    return events
