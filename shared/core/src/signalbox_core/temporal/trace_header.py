"""The header that carries the trace context to workflows and activities, and its client interceptor."""

from collections.abc import Mapping
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.client import (
    Interceptor,
    OutboundInterceptor,
    SignalWorkflowInput,
    StartWorkflowInput,
    StartWorkflowUpdateInput,
    WorkflowHandle,
    WorkflowUpdateHandle,
)

from signalbox_core.temporal.names import HEADER_TRACE
from signalbox_core.traces import TraceContext, current_context, parse_traceparent


class TraceHeaders(Interceptor):
    """Adds the current trace context to starts, signals and updates."""

    def intercept_client(
        self,
        next: OutboundInterceptor,  # noqa: A002
    ) -> OutboundInterceptor:
        return _Outbound(next)


class _Outbound(OutboundInterceptor):
    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:  # noqa: A002
        input.headers = with_current_trace(input.headers)
        return await super().start_workflow(input)

    async def signal_workflow(self, input: SignalWorkflowInput) -> None:  # noqa: A002
        input.headers = with_current_trace(input.headers)
        await super().signal_workflow(input)

    async def start_workflow_update(
        self,
        input: StartWorkflowUpdateInput,  # noqa: A002
    ) -> WorkflowUpdateHandle[Any]:
        input.headers = with_current_trace(input.headers)
        return await super().start_workflow_update(input)


def with_current_trace(headers: Mapping[str, Payload]) -> Mapping[str, Payload]:
    """Return the headers with the current trace context; unchanged without one."""
    context = current_context()
    return {**headers, HEADER_TRACE: trace_payload(context)} if context is not None else headers


def trace_payload(context: TraceContext) -> Payload:
    """Encode a context; Temporal applies no payload converter to headers."""
    return Payload(metadata={"encoding": b"json/plain"}, data=f'"{context.traceparent}"'.encode())


def read_trace(headers: Mapping[str, Payload]) -> TraceContext | None:
    """Read the context from the headers of a workflow, message or activity; None without a valid one."""
    payload = headers.get(HEADER_TRACE)
    return parse_traceparent(trace_text(payload)) if payload is not None else None


def trace_text(payload: Payload) -> str:
    """Return the `traceparent` of a header's payload, which may be invalid."""
    return payload.data.decode("ascii", "replace").strip('"')
