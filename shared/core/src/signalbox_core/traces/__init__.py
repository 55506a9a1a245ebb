"""Traces: W3C Trace Context that is passed from hop to hop, and spans that are exported over OTLP/HTTP.

Nothing here imports OpenTelemetry; `otlp` does, once an endpoint is configured.
"""

from signalbox_core.traces.context import (
    TraceContext,
    current_context,
    exemplar_labels,
    parse_traceparent,
)
from signalbox_core.traces.spans import SpanKind, SpanSink, TraceSpan, Tracing, error_code

__all__ = [
    "SpanKind",
    "SpanSink",
    "TraceContext",
    "TraceSpan",
    "Tracing",
    "current_context",
    "error_code",
    "exemplar_labels",
    "parse_traceparent",
]
