"""The runs that a run starts. They inherit its tenant, starter, tags, priority and search attributes."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Generic, TypeVar

import msgspec
from msgspec import Struct
from temporalio import workflow
from temporalio.common import (
    Priority,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import (
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    TerminatedError,
    WorkflowAlreadyStartedError,
)
from temporalio.exceptions import TimeoutError as TimedOut

from signalbox_core.events.children import MAX_CHILDREN, ChildEnded, ChildStarted, ChildStatus
from signalbox_core.events.snapshot import ENDED
from signalbox_core.ids import RUN_ID, run_id_of
from signalbox_core.pipeline.contract.failures import non_retryable_error
from signalbox_core.pipeline.contract.find import RunFacts, render_subject, run_terms
from signalbox_core.pipeline.contract.spec import PipelineSpec
from signalbox_core.pipeline.contract.step_header import current_call
from signalbox_core.pipeline.workflow.origin import run_starter, run_tags
from signalbox_core.pipeline.workflow.state import RunState
from signalbox_core.secret import decode_hook, encode_hook
from signalbox_core.temporal.names import (
    MEMO_STARTED_BY,
    MEMO_SUBJECT,
    MEMO_TAGS,
    SEARCH_FIND,
    SEARCH_PIPELINE,
    fairness_key,
)

Out = TypeVar("Out", bound=Struct)

COUNTED_STARTS: Final = "signalbox.counted-starts"
"""The patch since which starts in flight count as children; older histories replay as recorded."""
TASK_QUEUE: Final = "signalbox_task_queue"
"""The extern function that returns the task queue to use in place of a contract's; only in tests."""
_MAX_PARENT_CHARS: Final = 70
_ID_CHARS: Final = 8
_SET_BY_TEMPORAL: Final = ("Temporal", "BuildIds")


class ChildRun(Generic[Out]):
    """A run that this run has started."""

    def __init__(self, state: RunState, started: ChildStarted, handle: "asyncio.Task[Out]") -> None:
        self.run_id = started.child_run_id
        self._state = state
        self._pipeline = started.pipeline
        self._handle = handle
        # Registered before anyone awaits the handle, so that the end is recorded first.
        handle.add_done_callback(self._record_end)

    async def result(self) -> Out:
        """Wait for the child's end and return its result.

        Cancelling the wait, as a cancel of the parent does, cancels the child and waits for its clean-up.

        Raises:
            ApplicationError: `child_failed`, `child_cancelled`, `child_terminated` or `child_timed_out`; not
                retryable. Its cause is that of the child.
        """
        try:
            return await self._handle
        except ChildWorkflowError as error:
            status = child_status(error)
            if status == "cancelled" and workflow.cancellation_reason() is not None:
                raise
            raise non_retryable_error(
                f"child_{status}", f"run {self.run_id} of {self._pipeline} ended as {status}"
            ) from error

    def _record_end(self, handle: "asyncio.Task[Out]") -> None:
        # An evicted workflow is cancelled without a ChildWorkflowError; it records nothing.
        if handle.cancelled() or self._state.journal.snapshot.status in ENDED:
            return
        error = handle.exception()
        if error is None or isinstance(error, ChildWorkflowError):
            status = "completed" if error is None else child_status(error)
            self._state.record_event("child.ended", ChildEnded(child_run_id=self.run_id, status=status))


async def start_child_run(
    state: RunState, spec: PipelineSpec[Any, Out], given: Struct, run_id: str | None
) -> ChildRun[Out]:
    """Start a run of `spec` on its own task queue.

    Raises:
        ApplicationError: `tenant_missing`: this run has no tenant. `invalid_input`: `given` is not a valid
            input of the pipeline, or `run_id` is malformed. `run_id_taken`: the tenant has a run with this
            id. `too_many_children`: this run has started MAX_CHILDREN runs.
    """
    _check(state, spec, given, run_id)
    with _counted_start(state):
        return await _start(state, spec, given, run_id)


@contextmanager
def _counted_start(state: RunState) -> Iterator[None]:
    """Count a child whose start is not recorded yet, so that concurrent starts stay within the limit.

    Raises:
        ApplicationError: `too_many_children`.
    """
    count = len(state.journal.snapshot.children) + state.starting_children
    if count >= MAX_CHILDREN and workflow.patched(COUNTED_STARTS):
        raise _too_many(state)
    state.starting_children += 1
    try:
        yield
    finally:
        state.starting_children -= 1


async def _start(
    state: RunState, spec: PipelineSpec[Any, Out], given: Struct, run_id: str | None
) -> ChildRun[Out]:
    await state.hold_for_cancel()
    # The random part changes after a reset, so that a child that is started again is another run.
    child_id = run_id or f"{state.run_id[:_MAX_PARENT_CHARS]}.{spec.name}-{workflow.uuid4().hex[:_ID_CHARS]}"
    subject = render_subject(spec.subject, given)
    try:
        handle = await workflow.start_child_workflow(
            spec.name,
            given,
            id=child_id,
            task_queue=_task_queue(spec),
            result_type=spec.result,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            # Unlike a termination, a cancel lets the child clean up.
            parent_close_policy=workflow.ParentClosePolicy.REQUEST_CANCEL,
            search_attributes=_search_attributes(spec, given, child_id, subject),
            memo=_memo(subject),
            priority=Priority(
                priority_key=workflow.info().priority.priority_key, fairness_key=fairness_key(state.tenant)
            ),
        )
    except WorkflowAlreadyStartedError as error:
        raise non_retryable_error(
            "run_id_taken", f"there is a run with the id {child_id}; choose another run_id", field="run_id"
        ) from error
    call = current_call.get()
    step = call.step if call is not None else None
    started = ChildStarted(child_run_id=child_id, pipeline=spec.name, title=spec.title, step=step)
    state.record_event("child.started", started, step=step)
    return ChildRun(state, started, handle)


def _check(state: RunState, spec: PipelineSpec[Any, Any], given: Struct, run_id: str | None) -> None:
    if not state.has_tenant:
        raise non_retryable_error(
            "tenant_missing", f"run {state.run_id} has no tenant, so it cannot start a run of {spec.name}"
        )
    if run_id is not None and not RUN_ID.fullmatch(run_id):
        raise non_retryable_error("invalid_input", f"{run_id!r} is not a valid run id", field="run_id")
    if len(state.journal.snapshot.children) >= MAX_CHILDREN:
        raise _too_many(state)
    try:
        if not isinstance(given, spec.input):
            raise msgspec.ValidationError(f"it is a {type(given).__name__}")
        msgspec.json.decode(
            msgspec.json.encode(given, enc_hook=encode_hook), type=spec.input, dec_hook=decode_hook
        )
    except msgspec.ValidationError as error:
        raise non_retryable_error(
            "invalid_input", f"this is not a valid {spec.input.__name__} for {spec.name}: {error}"
        ) from None


def _too_many(state: RunState) -> ApplicationError:
    return non_retryable_error(
        "too_many_children",
        f"run {state.run_id} has started {MAX_CHILDREN} runs, the most that one run may;"
        " let a child start further ones",
    )


def _task_queue(spec: PipelineSpec[Any, Any]) -> str:
    mapped: Callable[[str], str] | None = workflow.extern_functions().get(TASK_QUEUE)
    return mapped(spec.task_queue) if mapped is not None else spec.task_queue


def _memo(subject: str) -> dict[str, object]:
    """Return the memo of a child, besides what it inherits."""
    tags = run_tags()
    return {**({MEMO_SUBJECT: subject} if subject else {}), **({MEMO_TAGS: tags} if tags else {})}


def _search_attributes(
    spec: PipelineSpec[Any, Any], given: Struct, child_id: str, subject: str
) -> TypedSearchAttributes:
    """Return this run's search attributes with those of the child, without those that Temporal sets.

    An attribute that this run does not have may not be registered, and is not set.
    """
    starter = run_starter()
    facts = RunFacts(
        run_id=run_id_of(child_id),
        started_by=workflow.memo_value(MEMO_STARTED_BY, None, type_hint=str),
        starter=starter.subject if starter is not None else None,
        tags=run_tags(),
    )
    own: dict[str, SearchAttributePair[Any]] = {
        SEARCH_PIPELINE.name: SearchAttributePair(SEARCH_PIPELINE, spec.name),
        SEARCH_FIND.name: SearchAttributePair(SEARCH_FIND, run_terms(subject, given, facts)),
    }
    inherited: list[SearchAttributePair[Any]] = [
        pair
        for pair in workflow.info().typed_search_attributes
        if not pair.key.name.startswith(_SET_BY_TEMPORAL)
    ]
    return TypedSearchAttributes([own.get(pair.key.name, pair) for pair in inherited])


def child_status(error: ChildWorkflowError) -> ChildStatus:
    """Return how a child workflow ended that did not complete."""
    match error.cause:
        case CancelledError():
            return "cancelled"
        case TerminatedError():
            return "terminated"
        case TimedOut():
            return "timed_out"
        case _:
            return "failed"
