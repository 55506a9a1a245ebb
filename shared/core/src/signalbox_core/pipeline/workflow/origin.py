"""Where a run comes from, as its start shows it: who started it, its parent, what it repeats, its patches."""

from msgspec import UNSET, UnsetType
from temporalio import workflow

from signalbox_core.events.catalogue import RunStarted, StepInfo
from signalbox_core.ids import is_run_key, run_id_of
from signalbox_core.pipeline.contract.spec import PipelineSpec
from signalbox_core.pipeline.workflow.journal import RunJournal
from signalbox_core.subjects import Subject
from signalbox_core.temporal.names import (
    MEMO_PATCHES,
    MEMO_RETRY_OF,
    MEMO_STARTED_BY,
    MEMO_STARTER,
    MEMO_SUBJECT,
    MEMO_TAGS,
    MEMO_TENANT,
)
from signalbox_core.temporal.workflow_trace import own_trace


def new_journal(workflow_id: str, tenant: str) -> RunJournal:
    """Return the journal of a run at the start of its execution."""
    trace = own_trace()
    return RunJournal(
        run_id_of(workflow_id),
        tenant,
        workflow_id=workflow_id,
        traceparent=trace.traceparent if trace is not None else None,
    )


def run_started(spec: PipelineSpec) -> RunStarted:
    """Return the data of the `run.started` of the workflow that calls this."""
    starter, trace = run_starter(), own_trace()
    return RunStarted(
        pipeline=spec.name,
        title=spec.title,
        steps=tuple(StepInfo(name=step.name, title=step.title) for step in spec.steps),
        started_by=workflow.memo_value(MEMO_STARTED_BY, None, type_hint=str),
        retry_of=workflow.memo_value(MEMO_RETRY_OF, None, type_hint=str) or UNSET,
        starter=starter if starter is not None else UNSET,
        parent=_parent(),
        subject=workflow.memo_value(MEMO_SUBJECT, None, type_hint=str) or UNSET,
        tags=run_tags() or UNSET,
        trace_id=trace.trace_id if trace is not None else UNSET,
    )


def _parent() -> str | UnsetType:
    parent = workflow.info().parent
    return run_id_of(parent.workflow_id) if parent is not None and is_run_key(parent.workflow_id) else UNSET


def run_tags() -> tuple[str, ...]:
    """Return the tags that the run was started with."""
    tags: tuple[str, ...] = workflow.memo_value(MEMO_TAGS, (), type_hint=tuple[str, ...])
    return tags


def run_starter() -> Subject | None:
    """Return who started the run; None in histories of earlier releases."""
    starter: Subject | None = workflow.memo_value(MEMO_STARTER, None, type_hint=Subject)
    return starter


def stated_patches() -> tuple[str, ...]:
    """Return the patches that the start of the run states."""
    patches: tuple[str, ...] = workflow.memo_value(MEMO_PATCHES, (), type_hint=tuple[str, ...])
    return patches


def has_patch(patch: str) -> bool:
    """Return whether the run has a patch; one that its start does not state is recorded by a marker.

    Raises during an eviction, as `workflow.patched` does.
    """
    if patch not in stated_patches():
        return workflow.patched(patch)
    if workflow.unsafe.is_replaying():
        # A worker of an earlier release, which reads no statement, may have recorded a marker.
        workflow.patched(patch)
    # Has no effect, but raises during an eviction.
    workflow.random()
    return True


def inherited_memo() -> dict[str, str | Subject | tuple[str, ...]]:
    """The memo that a child workflow inherits: the tenant, who started the parent, and the stated patches."""
    starter = run_starter()
    inherited: dict[str, str | Subject | tuple[str, ...]] = {}
    if starter is not None:
        inherited[MEMO_STARTER] = starter
    if patches := stated_patches():
        inherited[MEMO_PATCHES] = patches
    for name in (MEMO_TENANT, MEMO_STARTED_BY):
        if value := workflow.memo_value(name, None, type_hint=str):
            inherited[name] = value
    return inherited
