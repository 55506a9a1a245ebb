"""The trace of a workflow. Workflow code creates no span: it passes the context of its start on.

What a message did is recorded by the worker process, outside of the sandbox and never during a replay.
"""

from collections.abc import Callable, Mapping
from typing import Final

from temporalio import workflow
from temporalio.api.common.v1 import Payload

from signalbox_core.ids import run_id_of, tenant_of
from signalbox_core.temporal.names import HEADER_TRACE
from signalbox_core.temporal.trace_header import read_trace, trace_payload, trace_text
from signalbox_core.traces import TraceContext, Tracing
from signalbox_core.traces.spans import derived_hex

BEGIN_TRACE: Final = "signalbox_begin_trace"
"""The extern function that begins the trace of a workflow that no request has started."""
RECORD_LINK: Final = "signalbox_record_link"
"""The extern function that records that a message of another trace reached a workflow."""


def trace_functions(tracing: Tracing) -> dict[str, Callable[..., object]]:
    """Return the extern functions of this module, for the workflows of one worker."""

    def record_link(name: str, context: TraceContext, message: TraceContext, workflow_id: str) -> None:
        tracing.record(
            name,
            parent=context,
            # The same for a message whose workflow task is repeated.
            span_id=derived_hex(name, message.traceparent, workflow_id, digits=16),
            links=(message,),
            attributes={
                "signalbox.run_id": run_id_of(workflow_id),
                "signalbox.tenant": tenant_of(workflow_id),
            },
        )

    return {BEGIN_TRACE: tracing.begin_trace, RECORD_LINK: record_link}


def own_trace() -> TraceContext | None:
    """Return the context that the workflow was started with."""
    return read_trace(workflow.info().headers)


def own_traceparent() -> str | None:
    """Return the context that the workflow was started with as it was received, which may be invalid."""
    payload = workflow.info().headers.get(HEADER_TRACE)
    return trace_text(payload) if payload is not None else None


def with_own_trace(headers: Mapping[str, Payload]) -> Mapping[str, Payload]:
    """Return the headers with the context that the workflow was started with; unchanged without one."""
    payload = workflow.info().headers.get(HEADER_TRACE)
    return {**headers, HEADER_TRACE: payload} if payload is not None else headers


def with_child_trace(headers: Mapping[str, Payload]) -> Mapping[str, Payload]:
    """Return the headers of a child workflow: in the trace of its parent, or else in one of its own.

    The second is for the runs of schedules. A replay does not compare headers.
    """
    begin = workflow.extern_functions().get(BEGIN_TRACE)
    if HEADER_TRACE in workflow.info().headers or begin is None or workflow.unsafe.is_replaying():
        return with_own_trace(headers)
    context = begin(workflow.info().workflow_type, workflow.info().run_id)
    return {**headers, HEADER_TRACE: trace_payload(context)} if context is not None else headers


def link_message(name: str, message: TraceContext | None) -> None:
    """Record that a message arrived, as a span of the workflow's trace that links to the sender's.

    A wait of days is then a gap in the trace and a link, not a span that is open for days.
    """
    context = own_trace()
    record = workflow.extern_functions().get(RECORD_LINK)
    if (
        context is not None
        and message is not None
        and record is not None
        and not workflow.unsafe.is_replaying()
    ):
        record(name, context, message, workflow.info().workflow_id)
