"""The activity side of the worker's interceptor: progress, heartbeats, domain events, error translation."""

import asyncio
import inspect
import threading
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
from signalbox_core.events import CloudEvent, catalogue, full_type
from signalbox_core.ids import derived_id, run_id_of, tenant_of
from signalbox_core.logs import add_log_fields
from signalbox_core.pipeline.activity.approved_objects import call_approval
from signalbox_core.pipeline.activity.partial_text import PartialText
from signalbox_core.pipeline.activity.progress import Emission, current_target, emissions_of, payload_of
from signalbox_core.pipeline.activity.result_size import check_result
from signalbox_core.pipeline.activity.tenant import call_tenant
from signalbox_core.pipeline.contract.approved_effect import check_argument, check_events
from signalbox_core.pipeline.contract.emitter import SOURCE, Emitter, EventBatch
from signalbox_core.pipeline.contract.failures import as_application_error
from signalbox_core.pipeline.contract.step_header import StepCall, read_step_call
from signalbox_core.temporal.claim_check import INLINE_MAX_BYTES
from signalbox_core.temporal.names import HEADER_EVENTS, MEMO_TENANT

_NO_TENANT: Final = StepCall(tenant="")
"""For an activity whose workflow has no tenant. Without a step it reports no progress events."""
_HEARTBEAT_INTERVAL_S: Final = 1.0


class ActivityInterceptor(Interceptor):
    """Applies to every activity of a worker.

    Args:
        max_result_bytes: the size of the largest result that the worker's converter passes on.
    """

    def __init__(self, emitter: Emitter, *, max_result_bytes: int = INLINE_MAX_BYTES) -> None:
        self._emitter = emitter
        self._max_result_bytes = max_result_bytes

    def intercept_activity(
        self,
        next: ActivityInboundInterceptor,  # noqa: A002
    ) -> ActivityInboundInterceptor:
        return _ActivityInbound(next, self._emitter, self._max_result_bytes)


class _ActivityInbound(ActivityInboundInterceptor):
    def __init__(
        self, following: ActivityInboundInterceptor, emitter: Emitter, max_result_bytes: int
    ) -> None:
        super().__init__(following)
        self._emitter = emitter
        self._max_result_bytes = max_result_bytes
        self._heartbeat_outbound: _HeartbeatOutbound

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        self._heartbeat_outbound = _HeartbeatOutbound(outbound)
        super().init(self._heartbeat_outbound)

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        call = read_step_call(input.headers) or _NO_TENANT
        carried = input.headers.get(HEADER_EVENTS)
        events = msgspec.json.decode(carried.data, type=EventBatch).events if carried is not None else ()
        _check_tenant(call, events)
        _check_approval(call, events, input.args)
        if events:
            self._emitter.forward(events)
        emissions = emissions_of(input.fn)
        if emissions and not call.tenant:
            raise _tenant_missing()
        reporter = ProgressReporter(
            activity.info(), call, self._emitter, is_async=inspect.iscoroutinefunction(input.fn)
        )
        reporter.begin()
        add_log_fields(
            run_id=run_id_of(activity.info().workflow_id or ""),
            tenant=call.tenant,
            activity=activity.info().activity_type,
            attempt=activity.info().attempt,
        )
        token, tenant_token = current_target.set(reporter), call_tenant.set(call.tenant)
        approval_token = call_approval.set(call.approval)
        heartbeats = asyncio.create_task(self._heartbeat_outbound.repeat()) if call.auto_heartbeat else None
        try:
            result = await super().execute_activity(input)
            for emission in emissions:
                data = payload_of(emission, input.args[0] if input.args else None, result)
                if data is not None:
                    await self._emitter.announce(_domain_event(emission, call, data))
            check_result(result, max_bytes=self._max_result_bytes)
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


class ProgressReporter:
    """Turns the `progress()` calls of one attempt into heartbeats and progress events."""

    def __init__(self, info: activity.Info, call: StepCall, emitter: Emitter, *, is_async: bool) -> None:
        self._info = info
        self._call = call
        self._emitter = emitter
        self._heartbeat = (
            _ignore if info.is_local else self._heartbeat_on_loop if is_async else activity.heartbeat
        )
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._lock = threading.Lock()
        self._count = 0
        self._attempt = info.attempt
        self._output = PartialText()

    def begin(self) -> None:
        """Reset the partial output of an earlier attempt."""
        if self._info.attempt > 1:
            self.restart(self._info.attempt)

    def restart(self, attempt: int) -> None:
        with self._lock:
            self._attempt = attempt
            self._output.clear()
        if self._call.step is not None:
            self._offer("stream.reset", catalogue.StreamReset(step=self._call.step, attempt=attempt))

    def report(self, done: float, of: float | None, message: str | None, text: str | None) -> None:
        self._heartbeat(done, of)
        self.show(done, of, message, text)

    def show(self, done: float, of: float | None, message: str | None, text: str | None = None) -> None:
        """Send progress to listeners, without a heartbeat."""
        if self._call.step is None:
            return
        # For one of several items only the workflow can compute the step's percentage.
        percent = None if not of or self._call.total > 1 else min(100.0, max(0.0, 100.0 * done / of))
        with self._lock:
            output = self._add(text)
            shown, offset, attempt = (
                output.text or None,
                output.offset if output.text else None,
                self._attempt,
            )
        data = catalogue.StepProgress(
            step=self._call.step, percent=percent, message=message, attempt=attempt, text=shown, offset=offset
        )
        self._offer("step.progress", data)

    def _add(self, piece: str | None) -> PartialText:
        # Each event carries the whole output, so the newest is enough for a late joiner. The outputs of a
        # step's items have no order, so they are not combined.
        if piece and self._call.total <= 1:
            self._output.add(piece)
        return self._output

    def _heartbeat_on_loop(self, *details: Any) -> None:
        # For an async activity the SDK's heartbeat creates a task, so it must run on the loop's thread.
        if threading.get_ident() == self._thread:
            activity.heartbeat(*details)
        else:
            self._loop.call_soon_threadsafe(activity.heartbeat, *details)

    def _offer(self, name: str, data: msgspec.Struct) -> None:
        with self._lock:
            self._count += 1
            number = self._count
        workflow_id = self._info.workflow_id or ""
        run_id = self._call.run_id or run_id_of(workflow_id)
        event = CloudEvent(
            id=derived_id(
                workflow_id,
                self._info.workflow_run_id or "",
                self._info.activity_id,
                str(self._info.attempt),
                str(number),
            ),
            source=SOURCE,
            type=full_type(name),
            time=datetime.now(UTC),
            subject=run_id,
            tenantid=self._call.tenant,
            runid=run_id,
            stepid=self._call.step,
            attempt=self._attempt,
            data=msgspec.Raw(msgspec.json.encode(data)),
        )
        self._emitter.offer(event, item=self._call.total > 1)


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


def _check_approval(call: StepCall, events: Sequence[CloudEvent], arguments: Sequence[object]) -> None:
    """Check that the activity and the events that travel with it are what was approved.

    Raises:
        ApplicationError: `not_what_was_approved`, not retryable.
    """
    try:
        check_events(events)
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


def _ignore(*_details: Any) -> None:
    """Local activities have no heartbeat."""


def _domain_event(emission: Emission, call: StepCall, data: msgspec.Raw) -> CloudEvent:
    info = activity.info()
    workflow_id = info.workflow_id or ""
    run_id = run_id_of(workflow_id)
    return CloudEvent(
        # Includes the execution: activity ids repeat after continue-as-new.
        id=derived_id(workflow_id, info.workflow_run_id or "", info.activity_id, emission.name),
        source=SOURCE,
        type=full_type(emission.name),
        time=datetime.now(UTC),
        subject=run_id,
        tenantid=call.tenant,
        runid=run_id,
        stepid=call.step,
        attempt=info.attempt,
        data=data,
    )
