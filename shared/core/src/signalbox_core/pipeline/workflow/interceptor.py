"""The workflow side of the worker's interceptor.

It records how a run ends, passes the current step to activities in a header, carries the run's state across
continue-as-new, passes the tenant on to child workflows, and refuses unencrypted messages.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

from msgspec.structs import replace
from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.worker import (
    ContinueAsNewInput,
    ExecuteWorkflowInput,
    HandleSignalInput,
    HandleUpdateInput,
    Interceptor,
    SignalExternalWorkflowInput,
    StartActivityInput,
    StartChildWorkflowInput,
    StartLocalActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from signalbox_core.events import CloudEvent
from signalbox_core.ids import tenant_of
from signalbox_core.pipeline.contract.emitter import batch_of
from signalbox_core.pipeline.contract.external_event import DELIVER_EVENT
from signalbox_core.pipeline.contract.failures import non_retryable_error
from signalbox_core.pipeline.contract.step_header import StepCall, current_call, to_payload
from signalbox_core.pipeline.contract.tenancy import TENANT_MATCHES, tenant_mismatch, workflow_id_in_tenant
from signalbox_core.pipeline.workflow.ballot.continuation import withdraw_open_questions
from signalbox_core.pipeline.workflow.child_runs import TASK_QUEUE
from signalbox_core.pipeline.workflow.delivery import DELIVER
from signalbox_core.pipeline.workflow.external.mailbox import MailboxWorkflow
from signalbox_core.pipeline.workflow.external.wait import withdraw_open_waits
from signalbox_core.pipeline.workflow.lifecycle import end_if_cancelled, execute_run
from signalbox_core.pipeline.workflow.origin import inherited_memo
from signalbox_core.pipeline.workflow.recorded import RECORD_QUESTIONS
from signalbox_core.pipeline.workflow.run import Run
from signalbox_core.pipeline.workflow.state import OFFER
from signalbox_core.temporal.names import (
    HEADER_CALL,
    HEADER_CARRIED,
    HEADER_EVENTS,
    HEADER_FOREIGN,
    HEADER_UNSEALED,
    MEMO_TENANT,
)
from signalbox_core.temporal.trace_header import read_trace
from signalbox_core.temporal.workflow_trace import (
    link_message,
    own_traceparent,
    trace_functions,
    with_child_trace,
    with_own_trace,
)
from signalbox_core.traces import Tracing

SEALED_ONLY: Final = "signalbox.sealed-messages"
"""Prefix of the patches, one per message, that record the refusal of an unencrypted message; older histories
replay as recorded."""
ACCEPTS_PLAIN: Final = "signalbox_accepts_plain"
"""The extern function that returns whether the worker accepts unencrypted messages."""


class RunInterceptor(Interceptor):
    """Applies to every workflow that has a `Run` in an attribute; others pass through.

    Args:
        offer: takes a run's progress events; called from workflow threads, so it must not block.
        accepts_plain: whether runs accept unencrypted signals and updates although the worker has payload
            keys.
        task_queues: for tests, the task queues of child runs that stand in for those of the contracts.
    """

    def __init__(
        self,
        offer: Callable[[CloudEvent], None],
        *,
        accepts_plain: bool = False,
        task_queues: Mapping[str, str] | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self._offer = offer
        self._trace_functions = trace_functions(tracing or Tracing())
        self._accepts_plain = accepts_plain
        self._task_queues = dict(task_queues or {})

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002
    ) -> type[WorkflowInboundInterceptor]:
        input.unsafe_extern_functions[OFFER] = self._offer
        input.unsafe_extern_functions[ACCEPTS_PLAIN] = lambda: self._accepts_plain
        input.unsafe_extern_functions[TASK_QUEUE] = lambda queue: self._task_queues.get(queue, queue)
        input.unsafe_extern_functions.update(self._trace_functions)
        return _RunInbound


class _RunInbound(WorkflowInboundInterceptor):
    _plain_messages = 0
    _seed = 0

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        self._seed = workflow.random_seed()
        super().init(_RunOutbound(outbound))

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002
        run = _find_run(workflow.instance())
        if run is None:
            return await super().execute_workflow(input)
        # First of all: without a tenant there is no stream to publish events to.
        run.state.require_tenant(input.headers)
        if workflow.random_seed() != self._seed:
            # Reset to its first workflow task: the seed changed before the run's state existed.
            run.state.continue_after_reset()
        return await execute_run(run.state, super().execute_workflow(input))

    async def handle_signal(self, input: HandleSignalInput) -> None:  # noqa: A002
        if _is_foreign(input.headers):
            workflow.logger.warning("signal of another tenant dropped", extra={"signal": input.signal})
            return
        if self._refuses(input.headers):
            workflow.logger.warning("unencrypted signal dropped", extra={"signal": input.signal})
            return
        _link(f"signal {input.signal}", input.headers)
        await super().handle_signal(input)

    def handle_update_validator(self, input: HandleUpdateInput) -> None:  # noqa: A002
        if _is_foreign(input.headers):
            raise _foreign_message(input.update)
        if _is_unsealed(input.headers) and not workflow.extern_functions()[ACCEPTS_PLAIN]():
            raise _unencrypted_message(input.update)
        super().handle_update_validator(input)

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:  # noqa: A002
        # For updates without a validator, for which `handle_update_validator` is not called.
        if _is_foreign(input.headers):
            raise _foreign_message(input.update)
        if self._refuses(input.headers):
            raise _unencrypted_message(input.update)
        _link(f"update {input.update}", input.headers)
        return await super().handle_update_handler(input)

    def _refuses(self, headers: Mapping[str, Payload]) -> bool:
        """Whether to refuse a message because it is unencrypted.

        The refusal is recorded as a patch, so that a replay refuses the same messages.
        """
        if not _is_unsealed(headers):
            return False
        self._plain_messages += 1
        if not workflow.unsafe.is_replaying() and workflow.extern_functions()[ACCEPTS_PLAIN]():
            return False
        return workflow.patched(f"{SEALED_ONLY}-{self._plain_messages}")


class _RunOutbound(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> "workflow.ActivityHandle[Any]":  # noqa: A002
        run = _find_run(workflow.instance())
        if input.activity in (DELIVER, RECORD_QUESTIONS):
            return super().start_activity(input)
        input.headers = _with_step_call(input.headers, run)
        if run is None:
            return super().start_activity(input)
        # Only the pipeline's own workers certainly have the interceptor that unpacks the events.
        events = run.state.outbox.piggyback_events() if input.task_queue is None else ()
        if events:
            input.headers = {**input.headers, HEADER_EVENTS: to_payload(batch_of(events))}
        handle = super().start_activity(input)
        run.state.outbox.track_activity(handle)
        return handle

    def start_local_activity(
        self,
        input: StartLocalActivityInput,  # noqa: A002
    ) -> "workflow.ActivityHandle[Any]":
        run = _find_run(workflow.instance())
        if input.activity != DELIVER:
            input.headers = _with_step_call(input.headers, run)
        handle = super().start_local_activity(input)
        if run is not None and input.activity != DELIVER:
            run.state.outbox.track_local_activity(handle)
        return handle

    async def start_child_workflow(
        self,
        input: StartChildWorkflowInput,  # noqa: A002
    ) -> "workflow.ChildWorkflowHandle[Any, Any]":
        """Start a child in the parent's tenant.

        Raises:
            ApplicationError: `tenant_mismatch`: the memo names another tenant.
        """
        input.memo = {**inherited_memo(), **(input.memo or {})}
        own_tenant = _memo_value(MEMO_TENANT)
        if input.memo.get(MEMO_TENANT) != own_tenant and own_tenant and workflow.patched(TENANT_MATCHES):
            raise tenant_mismatch(
                f"child workflow {input.id} must belong to tenant {own_tenant}, as its parent"
            )
        input.id = workflow_id_in_tenant(input.id, own_id=workflow.info().workflow_id)
        input.headers = with_child_trace(input.headers)
        return await super().start_child_workflow(input)

    async def signal_external_workflow(self, input: SignalExternalWorkflowInput) -> None:  # noqa: A002
        """Signal a workflow, by run id a run of the same tenant.

        Raises:
            ApplicationError: `tenant_mismatch`: the workflow belongs to another tenant.
        """
        own_id = workflow.info().workflow_id
        input.workflow_id = workflow_id_in_tenant(input.workflow_id, own_id=own_id)
        own_tenant = tenant_of(own_id)
        if own_tenant is not None and tenant_of(input.workflow_id) not in (None, own_tenant):
            raise tenant_mismatch(f"{input.workflow_id} belongs to another tenant; it is not signalled")
        await super().signal_external_workflow(input)

    def continue_as_new(self, input: ContinueAsNewInput) -> NoReturn:  # noqa: A002
        run = _find_run(workflow.instance())
        input.headers = with_own_trace(input.headers)
        if run is not None:
            end_if_cancelled(run.state, lambda: self.continue_as_new(input))
            withdraw_open_questions(run.state)
            withdraw_open_waits(run.state)
            input.headers = {**input.headers, HEADER_CARRIED: to_payload(run.state.carried_state())}
        if input.initial_versioning_behavior is None and _is_versioned():
            # The next execution has no history yet, so it can begin on the current build.
            input.initial_versioning_behavior = workflow.ContinueAsNewVersioningBehavior.AUTO_UPGRADE
        super().continue_as_new(input)


def _is_versioned() -> bool:
    """Whether the worker belongs to a deployment; one that does not has an empty name or none."""
    version = workflow.info().get_current_deployment_version()
    return version is not None and bool(version.deployment_name)


def _link(message: str, headers: Mapping[str, Payload]) -> None:
    """Link a message to the trace of its sender; an external event is linked when a wait receives it."""
    if not message.endswith(f" {DELIVER_EVENT}"):
        link_message(message, read_trace(headers))


def _is_unsealed(headers: Mapping[str, Payload]) -> bool:
    return HEADER_UNSEALED in headers and _is_protected(workflow.instance())


def _is_foreign(headers: Mapping[str, Payload]) -> bool:
    return HEADER_FOREIGN in headers and _is_protected(workflow.instance())


def _is_protected(instance: object) -> bool:
    """Whether messages to the workflow must be encrypted for its tenant: those of runs and mailboxes."""
    return isinstance(instance, MailboxWorkflow) or _find_run(instance) is not None


def _foreign_message(update: str) -> Exception:
    return tenant_mismatch(f"update {update} is encrypted for another tenant; send it through the gateway")


def _unencrypted_message(update: str) -> Exception:
    return non_retryable_error(
        code="unencrypted_message",
        message=f"update {update} must be encrypted with the payload keys; send it through the gateway",
    )


def _find_run(instance: object) -> Run | None:
    return next((value for value in vars(instance).values() if isinstance(value, Run)), None)


def _with_step_call(headers: Mapping[str, Payload], run: Run | None) -> dict[str, Payload]:
    """Add the trace, and the current step, or outside of a step the tenant alone, if the workflow has one."""
    call = current_call.get()
    if call is None:
        tenant = run.tenant if run is not None else _memo_value(MEMO_TENANT)
        call = StepCall(tenant=tenant) if tenant else None
    if call is None:
        return {**with_own_trace(headers)}
    if (traceparent := own_traceparent()) is not None:
        call = replace(call, traceparent=traceparent)
    return {**headers, HEADER_CALL: to_payload(call)}


def _memo_value(name: str) -> str | None:
    value: str | None = workflow.memo_value(name, None, type_hint=str)
    return value
