"""The workflow side of the worker's interceptor: sees how a run ends, tells activities their step, carries state over."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.worker import (
    ContinueAsNewInput,
    ExecuteWorkflowInput,
    HandleSignalInput,
    HandleUpdateInput,
    Interceptor,
    StartActivityInput,
    StartChildWorkflowInput,
    StartLocalActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from signalbox_core.events import CloudEvent
from signalbox_core.pipeline.contract.emitter import EventBatch
from signalbox_core.pipeline.contract.failures import refusal
from signalbox_core.pipeline.contract.step_header import Call, current_call, to_payload
from signalbox_core.pipeline.workflow.lifecycle import conduct
from signalbox_core.pipeline.workflow.outbox import DELIVER
from signalbox_core.pipeline.workflow.run import Run
from signalbox_core.pipeline.workflow.state import OFFER
from signalbox_core.temporal.names import (
    HEADER_CALL,
    HEADER_CARRIED,
    HEADER_EVENTS,
    HEADER_UNSEALED,
    MEMO_STARTED_BY,
    MEMO_TENANT,
)

SEALED_ONLY: Final = "signalbox.sealed-messages"
"""The patches, one a message, after which a run accepts encrypted messages only; what a history from before
holds replays as recorded."""
ACCEPTS_PLAIN: Final = "signalbox_accepts_plain"


class RunInterceptor(Interceptor):
    """For every workflow that keeps a `Run` in an attribute; others pass through.

    Args:
        offer: takes a run's progress; called from workflow threads, so it must not block.
        accepts_plain: whether runs accept unencrypted signals and updates although the worker has payload
            keys.
    """

    def __init__(self, offer: Callable[[CloudEvent], None], *, accepts_plain: bool = False) -> None:
        self._offer = offer
        self._accepts_plain = accepts_plain

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002
    ) -> type[WorkflowInboundInterceptor]:
        input.unsafe_extern_functions[OFFER] = self._offer
        input.unsafe_extern_functions[ACCEPTS_PLAIN] = lambda: self._accepts_plain
        return _Inbound


class _Inbound(WorkflowInboundInterceptor):
    _plain_messages = 0

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_Outbound(outbound))

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002
        run = _run_of(workflow.instance())
        if run is None:
            return await super().execute_workflow(input)
        # Before anything else: without a tenant there is no stream that could show what happens.
        run.state.require_tenant()
        return await conduct(run.state, super().execute_workflow(input))

    async def handle_signal(self, input: HandleSignalInput) -> None:  # noqa: A002
        if self._must_refuse(input.headers):
            workflow.logger.warning("unencrypted signal dropped", extra={"signal": input.signal})
            return
        await super().handle_signal(input)

    def handle_update_validator(self, input: HandleUpdateInput) -> None:  # noqa: A002
        if _is_unsealed(input.headers) and not workflow.extern_functions()[ACCEPTS_PLAIN]():
            raise _unsealed(input.update)
        super().handle_update_validator(input)

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:  # noqa: A002
        # Only for an update without a validator: what a validator refuses does not come here.
        if self._must_refuse(input.headers):
            raise _unsealed(input.update)
        return await super().handle_update_handler(input)

    def _must_refuse(self, headers: Mapping[str, Payload]) -> bool:
        """Whether an unencrypted message is refused; recorded, so that a replay decides alike."""
        if not _is_unsealed(headers):
            return False
        self._plain_messages += 1
        if not workflow.unsafe.is_replaying() and workflow.extern_functions()[ACCEPTS_PLAIN]():
            return False
        return workflow.patched(f"{SEALED_ONLY}-{self._plain_messages}")


class _Outbound(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> "workflow.ActivityHandle[Any]":  # noqa: A002
        run = _run_of(workflow.instance())
        if input.activity == DELIVER:
            return super().start_activity(input)
        input.headers = _with_call(input.headers, run)
        if run is None:
            return super().start_activity(input)
        events = run.state.outbox.passengers() if input.task_queue is None else ()
        if events:
            input.headers = {**input.headers, HEADER_EVENTS: to_payload(EventBatch(events=events))}
        handle = super().start_activity(input)
        run.state.outbox.ride(handle)
        return handle

    def start_local_activity(self, input: StartLocalActivityInput) -> "workflow.ActivityHandle[Any]":  # noqa: A002
        run = _run_of(workflow.instance())
        if input.activity != DELIVER:
            input.headers = _with_call(input.headers, run)
        handle = super().start_local_activity(input)
        if run is not None and input.activity != DELIVER:
            run.state.outbox.hold(handle)
        return handle

    async def start_child_workflow(
        self,
        input: StartChildWorkflowInput,  # noqa: A002
    ) -> "workflow.ChildWorkflowHandle[Any, Any]":
        input.memo = {**_inherited_memo(), **(input.memo or {})}
        return await super().start_child_workflow(input)

    def continue_as_new(self, input: ContinueAsNewInput) -> NoReturn:  # noqa: A002
        run = _run_of(workflow.instance())
        if run is not None:
            input.headers = {**input.headers, HEADER_CARRIED: to_payload(run.state.carried())}
        super().continue_as_new(input)


def _is_unsealed(headers: Mapping[str, Payload]) -> bool:
    return HEADER_UNSEALED in headers and _run_of(workflow.instance()) is not None


def _unsealed(update: str) -> Exception:
    return refusal(
        "unencrypted_message",
        f"update {update} must be encrypted with the payload keys; send it through the gateway",
    )


def _run_of(instance: object) -> Run | None:
    return next((value for value in vars(instance).values() if isinstance(value, Run)), None)


def _with_call(headers: "Any", run: Run | None) -> "dict[str, Payload]":
    """The headers with the step of the call; outside of a step at least with the tenant, if there is one."""
    call = current_call.get()
    if call is None:
        tenant = run.tenant if run is not None else _memo(MEMO_TENANT)
        call = Call(tenant=tenant) if tenant else None
    return {**headers, HEADER_CALL: to_payload(call)} if call is not None else dict(headers)


def _inherited_memo() -> dict[str, str]:
    """What a child workflow has in common with its parent: the tenant, and who started it."""
    return {name: value for name in (MEMO_TENANT, MEMO_STARTED_BY) if (value := _memo(name))}


def _memo(name: str) -> str | None:
    found: str | None = workflow.memo_value(name, None, type_hint=str)
    return found
