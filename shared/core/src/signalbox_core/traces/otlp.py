"""Exports spans over OTLP/HTTP, configured by the standard variables of OpenTelemetry (`OTEL_…`).

The only module that imports OpenTelemetry; needs the extra `signalbox-core[traces]`. It gives the SDK's
batch processor spans that have ended, instead of using the SDK's tracer, which costs several times as much a
span and cannot give a span of a workflow the same id when its task is repeated.
"""

import threading
from importlib.metadata import version
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from signalbox_core.traces.context import TraceContext
from signalbox_core.traces.spans import TraceSpan

_FLUSH_TIMEOUT_S: Final = 2.0
_NO_STATUS: Final = Status(StatusCode.UNSET)


class OtlpSink:
    """A `SpanSink` that sends batches to a collector from a thread of its own; close it at the end.

    Args:
        service: the resource attribute `service.name`, unless a variable sets it.
    """

    def __init__(self, service: str) -> None:
        own = Resource({"service.name": service, "service.version": version("signalbox-core")})
        self._provider = TracerProvider(
            resource=own.merge(OTELResourceDetector().detect()), shutdown_on_exit=False
        )
        self._processor = BatchSpanProcessor(OTLPSpanExporter())
        self._scope = InstrumentationScope("signalbox", version("signalbox-core"))

    def is_sampled(self, trace_id: str, name: str, parent: TraceContext | None) -> bool:
        context = set_span_in_context(NonRecordingSpan(_span_context(parent))) if parent is not None else None
        decision = self._provider.sampler.should_sample(context, int(trace_id, 16), name).decision
        return decision is Decision.RECORD_AND_SAMPLE

    def record(self, span: TraceSpan) -> None:
        self._processor.on_end(
            ReadableSpan(
                name=span.name,
                context=_span_context(span.context),
                parent=_span_context(span.parent) if span.parent is not None else None,
                resource=self._provider.resource,
                attributes=span.attributes | ({"error.type": span.error} if span.error else {}),
                links=[Link(_span_context(link)) for link in span.links],
                kind=SpanKind[span.kind.name],
                status=Status(StatusCode.ERROR) if span.error else _NO_STATUS,
                start_time=span.started_ns,
                end_time=span.ended_ns,
                instrumentation_scope=self._scope,
            )
        )

    def close(self) -> None:
        """Send what is left within two seconds; what cannot be sent until then is dropped."""
        closing = threading.Thread(target=self._processor.shutdown, name="last spans", daemon=True)
        closing.start()
        closing.join(_FLUSH_TIMEOUT_S)


def _span_context(context: TraceContext) -> SpanContext:
    return SpanContext(
        int(context.trace_id, 16),
        int(context.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED if context.is_sampled else TraceFlags.DEFAULT),
    )
