"""The activity side of the worker's interceptor: progress, heartbeats, domain events, error translation."""

import asyncio
import inspect
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)

from signalbox_core.errors import Conflict, InvalidInput, SignalboxError
from signalbox_core.events import CloudEvent, full_type
from signalbox_core.ids import derived_id, run_id_of, tenant_of
from signalbox_core.logs import add_log_fields
from signalbox_core.pipeline.activity.approved_objects import call_approval
from signalbox_core.pipeline.activity.progress import Emission, current_target, emissions_of, payload_of
from signalbox_core.pipeline.activity.progress_reporter import ProgressReporter
from signalbox_core.pipeline.activity.result_size import check_result
from signalbox_core.pipeline.activity.tenant import call_tenant
from signalbox_core.pipeline.contract.approved_effect import check_argument, check_events
from signalbox_core.pipeline.contract.emitter import SOURCE, Emitter, EventBatch
from signalbox_core.pipeline.contract.failures import as_application_error
from signalbox_core.pipeline.contract.step_header import StepCall, read_step_call
from signalbox_core.temporal.claim_check import INLINE_MAX_BYTES
from signalbox_core.temporal.names import HEADER_EVENTS, MEMO_TENANT
from signalbox_core.temporal.trace_header import read_trace
from signalbox_core.traces import TraceContext, Tracing, current_context, parse_traceparent

_NO_TENANT: Final = StepCall(tenant="")
"""For an activity whose workflow has no tenant. Without a step it reports no progress events."""
_NO_EVENTS: Final = EventBatch(events=())
_HEARTBEAT_INTERVAL_S: Final = 1.0


class ActivityInterceptor(Interceptor):
    """Applies to every activity of a worker.

    Args:
        max_result_bytes: the size of the largest result that the worker's converter passes on.
    """

    def __init__(
        self, emitter: Emitter, *, max_result_bytes: int = INLINE_MAX_BYTES, tracing: Tracing | None = None
    ) -> None:
        self._emitter = emitter
        self._max_result_bytes = max_result_bytes
        self._tracing = tracing or Tracing()

    def intercept_activity(
        self,
        next: ActivityInboundInterceptor,  # noqa: A002
    ) -> ActivityInboundInterceptor:
        return _ActivityInbound(next, self._emitter, self._max_result_bytes, self._tracing)


class _ActivityInbound(ActivityInboundInterceptor):
    def __init__(
        self,
        following: ActivityInboundInterceptor,
        emitter: Emitter,
        max_result_bytes: int,
        tracing: Tracing,
    ) -> None:
        super().__init__(following)
        self._emitter = emitter
        self._max_result_bytes = max_result_bytes
        self._tracing = tracing
        self._heartbeat_outbound: _HeartbeatOutbound

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        self._heartbeat_outbound = _HeartbeatOutbound(outbound)
        super().init(self._heartbeat_outbound)

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        call = read_step_call(input.headers) or _NO_TENANT
        trace = parse_traceparent(call.traceparent) or read_trace(input.headers)
        # Not only during the span: the SDK logs after it that an attempt failed.
        _add_log_fields(call, trace)
        if trace is None:
            return await self._execute(input, call)
        with self._tracing.span(f"activity {activity.info().activity_type}", parent=trace) as span:
            if span is not None:
                span.set(_span_attributes(call))
            return await self._execute(input, call)

    async def _execute(self, input: ExecuteActivityInput, call: StepCall) -> Any:  # noqa: A002
        carried = input.headers.get(HEADER_EVENTS)
        batch = msgspec.json.decode(carried.data, type=EventBatch) if carried is not None else _NO_EVENTS
        events = batch.events
        _check_tenant(call, events)
        _check_approval(call, batch, input.args)
        if events:
            self._emitter.forward(events)
        emissions = emissions_of(input.fn)
        if emissions and not call.tenant:
            raise _tenant_missing()
        reporter = ProgressReporter(
            activity.info(), call, self._emitter, is_async=inspect.iscoroutinefunction(input.fn)
        )
        reporter.begin()
        token, tenant_token = current_target.set(reporter), call_tenant.set(call.tenant)
        approval_token = call_approval.set(call.approval)
        heartbeats = asyncio.create_task(self._heartbeat_outbound.repeat()) if call.auto_heartbeat else None
        try:
            result = await super().execute_activity(input)
            # Before the events: what they announce would not have happened.
            check_result(result, max_bytes=self._max_result_bytes)
            for emission in emissions:
                data = payload_of(emission, input.args[0] if input.args else None, result)
                if data is not None:
                    await self._emitter.announce(_domain_event(emission, call, data))
            return result
        except SignalboxError as error:
            raise as_application_error(error) from error
        finally:
            current_target.reset(token)
            call_tenant.reset(tenant_token)
            call_approval.reset(approval_token)
            if heartbeats is not None:
                heartbeats.cancel()


class _HeartbeatOutbound(ActivityOutboundInterceptor):
    """Repeats an activity's latest heartbeat while it runs, so that a lost worker is detected quickly.

    It runs on the worker's event loop, so a worker whose loop is blocked counts as lost.
    """

    def __init__(self, following: ActivityOutboundInterceptor) -> None:
        super().__init__(following)
        self._latest: tuple[Any, ...] | None = None

    def heartbeat(self, *details: Any) -> None:
        self._latest = details
        super().heartbeat(*details)

    async def repeat(self) -> None:
        while True:
            await asyncio.sleep(_HEARTBEAT_INTERVAL_S)
            # Keep the details of an earlier attempt readable for the next one.
            details = activity.info().heartbeat_details if self._latest is None else self._latest
            super().heartbeat(*details)


def _add_log_fields(call: StepCall, trace: TraceContext | None) -> None:
    info = activity.info()
    add_log_fields(
        run_id=run_id_of(info.workflow_id or ""),
        tenant=call.tenant,
        activity=info.activity_type,
        attempt=info.attempt,
        **({"trace_id": trace.trace_id} if trace is not None else {}),
    )


def _span_attributes(call: StepCall) -> dict[str, str | int | None]:
    info = activity.info()
    return {
        "signalbox.run_id": run_id_of(info.workflow_id or ""),
        "signalbox.tenant": call.tenant,
        "signalbox.step": call.step,
        "signalbox.attempt": info.attempt,
        "temporal.task_queue": info.task_queue,
    }


def _check_tenant(call: StepCall, events: Sequence[CloudEvent]) -> None:
    """Check that the activity and the events that travel with it belong to the tenant of its workflow.

    Raises:
        ApplicationError: `tenant_mismatch`, not retryable.
    """
    own = tenant_of(activity.info().workflow_id or "") or call.tenant
    stated = {call.tenant, *(event.tenantid for event in events)} - {""}
    if not stated <= {own}:
        raise as_application_error(
            InvalidInput(
                f"activity {activity.info().activity_type} belongs to tenant {own}, but a header of it names"
                " another tenant",
                code="tenant_mismatch",
            )
        )


def _check_approval(call: StepCall, batch: EventBatch, arguments: Sequence[object]) -> None:
    """Check that the activity and the events that travel with it are what was approved.

    Raises:
        ApplicationError: `not_what_was_approved`, not retryable.
    """
    try:
        check_events(batch.events, batch.approved)
        if call.approval is not None:
            check_argument(call.approval, arguments[0] if arguments else None)
    except Conflict as error:
        raise as_application_error(error) from error


def _tenant_missing() -> ApplicationError:
    name = activity.info().activity_type
    return as_application_error(
        InvalidInput(
            f"activity {name} emits events, but its workflow has no tenant; start the workflow with the memo"
            f" {MEMO_TENANT}",
            code="tenant_missing",
        )
    )


def _domain_event(emission: Emission, call: StepCall, data: msgspec.Raw) -> CloudEvent:
    info, trace = activity.info(), current_context()
    workflow_id = info.workflow_id or ""
    run_id = run_id_of(workflow_id)
    # The execution, because activity ids repeat after continue-as-new. The data, because a later attempt may
    # have another result: the receiver refuses other content under the same id, however often it is sent.
    identity = (info.workflow_run_id or "", info.activity_id, emission.name, bytes(data).decode())
    return CloudEvent(
        id=derived_id(workflow_id, *identity),
        source=SOURCE,
        type=full_type(emission.name),
        time=datetime.now(UTC),
        subject=run_id,
        tenantid=call.tenant,
        runid=run_id,
        stepid=call.step,
        attempt=info.attempt,
        traceparent=trace.traceparent if trace is not None else None,
        data=data,
    )
