"""The workflow side of the worker's interceptor.

It records how a run ends, passes the current step to activities in a header, and carries the run's state
across continue-as-new.
"""

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.worker import (
    ContinueAsNewInput,
    ExecuteWorkflowInput,
    Interceptor,
    StartActivityInput,
    StartLocalActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from signalbox_core.events import CloudEvent
from signalbox_core.pipeline.contract.emitter import EventBatch
from signalbox_core.pipeline.contract.step_header import current_call, to_payload
from signalbox_core.pipeline.workflow.lifecycle import execute_run
from signalbox_core.pipeline.workflow.outbox import DELIVER
from signalbox_core.pipeline.workflow.questions import withdraw_open_questions
from signalbox_core.pipeline.workflow.run import Run
from signalbox_core.pipeline.workflow.state import OFFER
from signalbox_core.temporal.names import HEADER_CALL, HEADER_CARRIED, HEADER_EVENTS


class RunInterceptor(Interceptor):
    """Applies to every workflow that has a `Run` in an attribute; others pass through.

    Args:
        offer: takes a run's progress events; called from workflow threads, so it must not block.
    """

    def __init__(self, offer: Callable[[CloudEvent], None]) -> None:
        self._offer = offer

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002
    ) -> type[WorkflowInboundInterceptor]:
        input.unsafe_extern_functions[OFFER] = self._offer
        return _RunInbound


class _RunInbound(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_RunOutbound(outbound))

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002
        run = _find_run(workflow.instance())
        body = super().execute_workflow(input)
        return await (execute_run(run.state, body) if run is not None else body)


class _RunOutbound(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> "workflow.ActivityHandle[Any]":  # noqa: A002
        input.headers = _with_step_call(input.headers)
        run = _find_run(workflow.instance())
        if run is None or input.activity == DELIVER:
            return super().start_activity(input)
        # Only the pipeline's own workers are known to have the interceptor that unpacks the events.
        events = run.state.outbox.piggyback_events() if input.task_queue is None else ()
        if events:
            input.headers = {**input.headers, HEADER_EVENTS: to_payload(EventBatch(events=events))}
        handle = super().start_activity(input)
        run.state.outbox.track_activity(handle)
        return handle

    def start_local_activity(
        self,
        input: StartLocalActivityInput,  # noqa: A002
    ) -> "workflow.ActivityHandle[Any]":
        input.headers = _with_step_call(input.headers)
        handle = super().start_local_activity(input)
        run = _find_run(workflow.instance())
        if run is not None and input.activity != DELIVER:
            run.state.outbox.track_local_activity(handle)
        return handle

    def continue_as_new(self, input: ContinueAsNewInput) -> NoReturn:  # noqa: A002
        run = _find_run(workflow.instance())
        if run is not None:
            withdraw_open_questions(run.state)
            input.headers = {**input.headers, HEADER_CARRIED: to_payload(run.state.carried_state())}
        super().continue_as_new(input)


def _find_run(instance: object) -> Run | None:
    return next((value for value in vars(instance).values() if isinstance(value, Run)), None)


def _with_step_call(headers: Mapping[str, Payload]) -> dict[str, Payload]:
    call = current_call.get()
    return {**headers, HEADER_CALL: to_payload(call)} if call is not None else dict(headers)
