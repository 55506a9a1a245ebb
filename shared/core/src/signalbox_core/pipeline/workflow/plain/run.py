"""The run that a plain workflow is shown as: its journal, and how it starts and ends.

Nothing here creates a command, so the workflow's history is the same with and without the worker plugin. A
replay records the same events under the same numbers.
"""

import asyncio
import json
import re
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace
from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.exceptions import ChildWorkflowError, FailureError, is_cancelled_exception

from signalbox_core.events import CATALOGUE, catalogue
from signalbox_core.events.catalogue import Failure
from signalbox_core.events.children import MAX_CHILDREN, ChildEnded, ChildStarted
from signalbox_core.events.snapshot import ENDED
from signalbox_core.ids import plain_run_id, run_id_of, tenant_of
from signalbox_core.pipeline.contract.failures import causes, failure_of
from signalbox_core.pipeline.contract.messages import QUERY_SNAPSHOT
from signalbox_core.pipeline.contract.step_header import StepCall, to_payload
from signalbox_core.pipeline.workflow.child_runs import child_status
from signalbox_core.pipeline.workflow.journal import MAX_RESULT_BYTES, CarriedState, RunJournal
from signalbox_core.pipeline.workflow.plain.record import PUBLISH, PlainSettings, RecordedEvent
from signalbox_core.pipeline.workflow.plain.steps import PlainSteps
from signalbox_core.pipeline.workflow.plain.titles import title_of
from signalbox_core.pipeline.workflow.state import OFFER
from signalbox_core.temporal.names import HEADER_CARRIED, MEMO_STARTED_BY, MEMO_TENANT, SEARCH_TENANT

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NULL: Final = msgspec.Raw(b"null")
_MAX_CARRIED_BYTES: Final = 200_000
_MAX_FAILURES: Final = 50
"""The latest failed activities, among which the cause of the workflow's failure is looked up."""
_JSON: Final = frozenset({b"json/plain", b"json/protobuf"})
_REPEATED_AFTER_RESET: Final = frozenset({"step.completed", "child.ended"})
_HIDDEN: Final = "the message is not shown, because the worker encrypts payloads; see Temporal's UI"
_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_UNFINISHED: Final = Failure(
    code="cancelled", message="the workflow ended without waiting for this activity to end"
)


class PlainRun:
    """Records the milestones of the workflow that creates it, in `WorkflowInboundInterceptor.init`."""

    def __init__(self, run_id: str, settings: PlainSettings) -> None:
        info = workflow.info()
        self.run_id = run_id
        self.tenant = _stated_tenant() or settings.tenant
        self.journal = RunJournal(run_id, self.tenant, workflow_id=info.workflow_id)
        # A workflow id may be used again. The numbers of a later run must be greater.
        self.journal.skip_to(_microseconds(info.workflow_start_time))
        self.steps = PlainSteps(self._record, self._report, workflow.now)
        self._shows_values = settings.shows_values
        self._was_reset = False
        self._has_published = False
        self._failures: deque[tuple[BaseException, Failure]] = deque(maxlen=_MAX_FAILURES)
        self._restore_carried()
        if workflow.get_query_handler(QUERY_SNAPSHOT) is None:
            workflow.set_query_handler(QUERY_SNAPSHOT, self.snapshot)
        # Temporal has reset the workflow: its history continues differently from here on.
        workflow.register_random_seed_callback(lambda _: setattr(self, "_was_reset", True))

    def snapshot(self) -> dict[str, Any]:
        """Return the run's state as JSON, for any payload converter."""
        state: dict[str, Any] = json.loads(msgspec.json.encode(self.journal.snapshot))
        return state

    def begin(self, *, was_reset: bool) -> None:
        """Record the start. `was_reset`: Temporal has reset the workflow to its first workflow task."""
        self.ensure_started()
        self._was_reset = was_reset

    def ensure_started(self) -> None:
        """Record `run.started` unless this or an earlier execution of the run has recorded it."""
        if self.journal.snapshot.sequence:
            return
        info = workflow.info()
        data = catalogue.RunStarted(
            pipeline=info.workflow_type,
            title=title_of(info.workflow_type),
            started_by=workflow.memo_value(MEMO_STARTED_BY, None, type_hint=str),
            parent=_parent_run_id(),
            plain=True,
        )
        self._publish("run.started", data)

    def next_call(self, activity_type: str) -> StepCall:
        """Return the header of an activity that is about to start."""
        return self.steps.next_call(activity_type, tenant=self.tenant, run_id=self.run_id)

    def start_activity(self, call: StepCall, activity_type: str) -> None:
        """Record that an activity has started."""
        self.ensure_started()
        self.steps.start(call, activity_type)

    def end_activity(self, call: StepCall, ended: "asyncio.Task[Any]") -> None:
        """Record the outcome of an activity."""
        if self._is_recordable(ended):
            error = ended.exception()
            self.steps.end(call, self._step_failure(error, call) if error is not None else None)

    def start_child(self, workflow_id: str, workflow_type: str) -> str | None:
        """Record the start of a child workflow; returns its run id, or None if it is not shown."""
        child_id = plain_run_id(workflow_id)
        if child_id is None or len(self.journal.snapshot.children) >= MAX_CHILDREN:
            return None
        self._record(
            "child.started",
            ChildStarted(child_run_id=child_id, pipeline=workflow_type, title=title_of(workflow_type)),
        )
        return child_id

    def end_child(self, child_id: str, ended: "asyncio.Task[Any]") -> None:
        """Record how a child workflow ended."""
        if self._is_recordable(ended):
            error = ended.exception()
            status = child_status(error) if isinstance(error, ChildWorkflowError) else "completed"
            self._record("child.ended", ChildEnded(child_run_id=child_id, status=status))

    def complete(self, result: object) -> None:
        """Record that the workflow returned."""
        self.steps.close(_UNFINISHED)
        self._record("run.completed", catalogue.RunCompleted(result=self._result_json(result)))

    def end_with(self, error: BaseException) -> None:
        """Record how the workflow raised; nothing for an eviction and for an error of the workflow task."""
        if is_cancelled_exception(error) and workflow.cancellation_reason() is not None:
            self.steps.close(None)
            reason = workflow.cancellation_reason() or None
            self._record("run.cancelled", catalogue.RunCancelled(reason=reason))
        elif workflow.is_failure_exception(error) and not isinstance(error, asyncio.CancelledError):
            self.steps.close(None)
            failure = self._known_failure(error) or self._shown(failure_of(error))
            self._record("run.failed", catalogue.RunFailed(error=failure))

    def carried_header(self) -> dict[str, Payload]:
        """End the open steps, and return what the next execution continues from."""
        self.ensure_started()
        self.steps.close(_UNFINISHED)
        payload = to_payload(CarriedState(snapshot=self.journal.snapshot))
        return {HEADER_CARRIED: payload} if len(payload.data) <= _MAX_CARRIED_BYTES else {}

    def _record(self, name: str, data: Struct, *, step: str | None = None) -> None:
        self.ensure_started()
        if self._was_reset and name in CATALOGUE and name not in _REPEATED_AFTER_RESET:
            self._was_reset = False
            self.journal.skip_to(_microseconds(workflow.now()))
            done = tuple(item.name for item in self.journal.snapshot.steps if item.status == "completed")
            self._publish("run.retried", catalogue.RunRetried(completed_steps=done))
        self._publish(name, data, step=step)

    def _publish(self, name: str, data: Struct, *, step: str | None = None) -> None:
        event = self.journal.milestone(name, data, workflow.now(), step=step)
        functions, info = workflow.extern_functions(), workflow.info()
        recorded = RecordedEvent(
            workflow_id=info.workflow_id,
            execution_id=info.run_id,
            event=event,
            history_length=info.get_current_history_length(),
            is_replay=workflow.unsafe.is_replaying(),
            is_first=not self._has_published,
        )
        self._has_published = True
        functions[PUBLISH](recorded)
        if step is not None and not recorded.is_replay:
            # Discards the pending progress of a step that ends.
            functions[OFFER](event)

    def _report(self, data: catalogue.StepProgress) -> None:
        event = self.journal.progress(data, workflow.now(), step=data.step)
        if not workflow.unsafe.is_replaying():
            workflow.extern_functions()[OFFER](event)

    def _is_recordable(self, ended: "asyncio.Task[Any]") -> bool:
        """Whether the outcome is part of the history. An eviction cancels tasks or raises other errors."""
        if ended.cancelled() or self.journal.snapshot.status in ENDED:
            return False
        error = ended.exception()
        return error is None or isinstance(error, FailureError)

    def _step_failure(self, error: BaseException, call: StepCall) -> Failure:
        failure = self._shown(failure_of(error, step=call.step))
        self._failures.append((error, failure))
        return failure

    def _known_failure(self, error: BaseException) -> Failure | None:
        """Return the failure of the activity that made the workflow fail."""
        found = (failure for cause in causes(error) for known, failure in self._failures if known is cause)
        return next(found, None)

    def _shown(self, failure: Failure) -> Failure:
        return failure if self._shows_values else without_values(failure)

    def _result_json(self, result: object) -> msgspec.Raw:
        """Return the result as the worker's payload converter encodes it, if that is JSON."""
        if not self._shows_values or result is None:
            return _NULL
        payload = workflow.payload_converter().to_payloads([result])[0]
        is_json = payload.metadata.get("encoding") in _JSON and len(payload.data) <= MAX_RESULT_BYTES
        return msgspec.Raw(payload.data) if is_json else _NULL

    def _restore_carried(self) -> None:
        payload = workflow.info().headers.get(HEADER_CARRIED)
        if payload is None:
            return
        snapshot = msgspec.json.decode(payload.data, type=CarriedState).snapshot
        if (snapshot.run_id, snapshot.tenant) == (self.run_id, self.tenant):
            self.journal.snapshot = snapshot
            self.steps.restore(snapshot)


def without_values(failure: Failure) -> Failure:
    """Return a failure without what the encrypted details of an error may have put into it."""
    code = failure.code if _CODE.fullmatch(failure.code) else "unexpected_error"
    return replace(failure, code=code, message=_HIDDEN, field=None)


def create_plain_run(settings: Callable[[], PlainSettings]) -> PlainRun | None:
    """Create the run of this workflow; None when its id is too long for a run id."""
    run_id = plain_run_id(workflow.info().workflow_id)
    return PlainRun(run_id, settings()) if run_id is not None else None


def _stated_tenant() -> str | None:
    """Return the tenant that the workflow's start names, by memo or search attribute."""
    stated: str | None = workflow.memo_value(MEMO_TENANT, None, type_hint=str)
    return stated or workflow.info().typed_search_attributes.get(SEARCH_TENANT)


def _parent_run_id() -> str | UnsetType:
    """Return the run id of the parent: a pipeline's run, whose children inherit its memo, or a plain one."""
    parent = workflow.info().parent
    if parent is None:
        return UNSET
    inherited: str | None = workflow.memo_value(MEMO_TENANT, None, type_hint=str)
    has_starter = workflow.memo_value(MEMO_STARTED_BY, None, type_hint=str) is not None
    if has_starter and tenant_of(parent.workflow_id) == inherited:
        return run_id_of(parent.workflow_id)
    return plain_run_id(parent.workflow_id) or UNSET


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)
