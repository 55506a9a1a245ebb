"""The workflow side of the worker plugin. It records what workflows do, and adds no command to any."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from temporalio import workflow
from temporalio.worker import (
    ContinueAsNewInput,
    ExecuteWorkflowInput,
    Interceptor,
    StartActivityInput,
    StartChildWorkflowInput,
    StartLocalActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from signalbox_core.events import CloudEvent
from signalbox_core.pipeline.contract.step_header import StepCall, to_payload
from signalbox_core.pipeline.workflow.plain.record import PUBLISH, SETTINGS, PlainSettings, Publish
from signalbox_core.pipeline.workflow.plain.run import PlainRun, create_plain_run
from signalbox_core.pipeline.workflow.state import OFFER
from signalbox_core.temporal.names import HEADER_CALL

log = logging.getLogger(__name__)
T = TypeVar("T")


class PlainWorkflowInterceptor(Interceptor):
    """Shows every workflow of a worker as a run.

    Args:
        publish: takes the milestones. `offer`: takes progress. Both are called from workflow threads.
    """

    def __init__(
        self, settings: PlainSettings, publish: Publish, offer: Callable[[CloudEvent], None]
    ) -> None:
        self._settings = settings
        self._publish = publish
        self._offer = offer

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002
    ) -> type[WorkflowInboundInterceptor]:
        input.unsafe_extern_functions[SETTINGS] = lambda: self._settings
        input.unsafe_extern_functions[PUBLISH] = self._publish
        input.unsafe_extern_functions[OFFER] = self._offer
        return _PlainInbound


class _Recording:
    """The run of one workflow, until recording it fails. Created when the workflow's code first uses it."""

    def __init__(self) -> None:
        self._run: PlainRun | None = None
        self._is_created = False

    def apply(self, record: Callable[[PlainRun], T]) -> T | None:
        """Record something, unless the workflow is not shown or is being evicted.

        The workflow itself must never fail because of it: after an error nothing further is recorded.
        """
        if _is_evicted():
            return None
        try:
            if not self._is_created:
                self._is_created = True
                self._run = create_plain_run(workflow.extern_functions()[SETTINGS])
            return record(self._run) if self._run is not None else None
        except Exception:
            log.exception("workflow is not shown any further")
            self._run = None
            return None


def _is_evicted() -> bool:
    """Whether the SDK is removing the workflow from its cache.

    It then cancels the tasks and sets `is_replaying`, although what the code does from now on is not part of
    the history. The only public sign is that calls such as `random` raise an error that is no `Exception`.
    """
    try:
        workflow.random()
    except workflow.ReadOnlyContextError:
        return False
    except BaseException:  # noqa: BLE001 - the class of the error is private
        return True
    return False


class _PlainInbound(WorkflowInboundInterceptor):
    _recording: _Recording
    _seed = 0

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        self._seed = workflow.random_seed()
        self._recording = _Recording()
        super().init(_PlainOutbound(outbound, self._recording))

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002
        was_reset = workflow.random_seed() != self._seed
        self._recording.apply(lambda run: run.begin(was_reset=was_reset))
        try:
            result = await super().execute_workflow(input)
        except (asyncio.CancelledError, Exception) as error:
            ended_with = error
            self._recording.apply(lambda run: run.end_with(ended_with))
            raise
        self._recording.apply(lambda run: run.complete(result))
        return result


class _PlainOutbound(WorkflowOutboundInterceptor):
    def __init__(self, following: WorkflowOutboundInterceptor, recording: _Recording) -> None:
        super().__init__(following)
        self._recording = recording

    def start_activity(self, input: StartActivityInput) -> "workflow.ActivityHandle[Any]":  # noqa: A002
        call = self._prepare(input)
        handle = super().start_activity(input)
        self._track(call, input.activity, handle)
        return handle

    def start_local_activity(
        self,
        input: StartLocalActivityInput,  # noqa: A002
    ) -> "workflow.ActivityHandle[Any]":
        call = self._prepare(input)
        handle = super().start_local_activity(input)
        self._track(call, input.activity, handle)
        return handle

    async def start_child_workflow(
        self,
        input: StartChildWorkflowInput,  # noqa: A002
    ) -> "workflow.ChildWorkflowHandle[Any, Any]":
        handle = await super().start_child_workflow(input)
        child_id = self._recording.apply(lambda run: run.start_child(handle.id, input.workflow))
        if child_id is not None:
            handle.add_done_callback(
                lambda ended: self._recording.apply(lambda run: run.end_child(child_id, ended))
            )
        return handle

    def continue_as_new(self, input: ContinueAsNewInput) -> NoReturn:  # noqa: A002
        carried = self._recording.apply(lambda run: run.carried_header())
        input.headers = {**input.headers, **(carried or {})}
        super().continue_as_new(input)

    def _prepare(self, given: StartActivityInput | StartLocalActivityInput) -> StepCall | None:
        """Add the header by which the activity reports its progress."""
        call = self._recording.apply(lambda run: run.next_call(given.activity))
        if call is not None:
            given.headers = {**given.headers, HEADER_CALL: to_payload(call)}
        return call

    def _track(
        self, call: StepCall | None, activity_type: str, handle: "workflow.ActivityHandle[Any]"
    ) -> None:
        if call is None:
            return
        self._recording.apply(lambda run: run.start_activity(call, activity_type))
        handle.add_done_callback(
            lambda ended: self._recording.apply(lambda run: run.end_activity(call, ended))
        )
