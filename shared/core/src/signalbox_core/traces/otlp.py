"""Exports spans over OTLP/HTTP, configured by the standard variables of OpenTelemetry (`OTEL_…`).

The only module that imports OpenTelemetry; needs the extra `signalbox-core[traces]`. The SDK buffers and
sends spans; they are created and encoded here. The SDK's tracer cannot give a span of a workflow the same id
when its task is repeated, and both the tracer and the encoder cost several times as much a span.
"""

import threading
from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import version
from typing import Final, cast

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as EncodedResource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, SpanFlags, Status
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision, ParentBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from signalbox_core.traces.context import TraceContext
from signalbox_core.traces.spans import SpanKind, TraceSpan, Value

_FLUSH_TIMEOUT_S: Final = 2.0
_CACHED_ATTRIBUTES: Final = 1_024
_KINDS: Final = {kind: Span.SpanKind.Value(f"SPAN_KIND_{kind.name}") for kind in SpanKind}
_ROOT_FLAGS: Final = SpanFlags.SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK
_REMOTE_FLAGS: Final = _ROOT_FLAGS | SpanFlags.SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK
_ERROR: Final = Status(code=Status.STATUS_CODE_ERROR)
_SAMPLED: Final = SpanContext(1, 1, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


class OtlpSink:
    """A `SpanSink` that sends batches to a collector from a thread of its own; close it at the end.

    Args:
        service: the resource attribute `service.name`, unless a variable sets it.
    """

    def __init__(self, service: str) -> None:
        own = Resource({"service.name": service, "service.version": version("signalbox-core")})
        provider = TracerProvider(resource=own.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
        self._sampler = provider.sampler
        # All parent-based samplers that the SDK's variables can select do as the parent does.
        self._follows_parent = isinstance(self._sampler, ParentBased)
        self._processor = BatchSpanProcessor(_Exporter(provider.resource))

    def is_sampled(self, trace_id: str, name: str, parent: TraceContext | None) -> bool:
        if parent is not None and self._follows_parent:
            return parent.is_sampled
        context = set_span_in_context(NonRecordingSpan(_span_context(parent))) if parent is not None else None
        decision = self._sampler.should_sample(context, int(trace_id, 16), name).decision
        return decision is Decision.RECORD_AND_SAMPLE

    def record(self, span: TraceSpan) -> None:
        self._processor.on_end(_EndedSpan(span))

    def close(self) -> None:
        """Send what is left within two seconds; what cannot be sent until then is dropped."""
        closing = threading.Thread(target=self._processor.shutdown, name="last spans", daemon=True)
        closing.start()
        closing.join(_FLUSH_TIMEOUT_S)


class _EndedSpan(ReadableSpan):
    """A span in the processor's buffer; the processor reads only that it is sampled."""

    def __init__(self, span: TraceSpan) -> None:
        # Not the base class's: its members would be built for every span and never be read.
        self.span = span

    @property
    def context(self) -> SpanContext:
        return _SAMPLED


class _Exporter(OTLPSpanExporter):
    """Encodes spans straight into the messages of the protocol."""

    def __init__(self, resource: Resource) -> None:
        super().__init__()
        self._resource = EncodedResource(
            attributes=[_attribute(name, cast("Value", value)) for name, value in resource.attributes.items()]
        )
        self._scope = InstrumentationScope(name="signalbox", version=version("signalbox-core"))

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        encoded = [encode_span(ended.span) for ended in spans if isinstance(ended, _EndedSpan)]
        batch = ResourceSpans(
            resource=self._resource, scope_spans=[ScopeSpans(scope=self._scope, spans=encoded)]
        )
        request = ExportTraceServiceRequest(resource_spans=[batch])
        # The base class's own client: it retries, and applies the variables for headers, TLS and compression.
        is_sent = self._client.export(request.SerializeToString()).success
        return SpanExportResult.SUCCESS if is_sent else SpanExportResult.FAILURE


def encode_span(span: TraceSpan) -> Span:
    """Return a span as a message of OTLP."""
    attributes = [_attribute(name, value) for name, value in span.attributes.items()]
    if span.error:
        attributes.append(_attribute("error.type", span.error))
    return Span(
        trace_id=bytes.fromhex(span.context.trace_id),
        span_id=bytes.fromhex(span.context.span_id),
        parent_span_id=bytes.fromhex(span.parent.span_id) if span.parent is not None else b"",
        flags=_REMOTE_FLAGS if span.parent is not None else _ROOT_FLAGS,
        name=span.name,
        kind=_KINDS[span.kind],
        start_time_unix_nano=span.started_ns,
        end_time_unix_nano=span.ended_ns,
        attributes=attributes,
        links=[
            Span.Link(
                trace_id=bytes.fromhex(link.trace_id),
                span_id=bytes.fromhex(link.span_id),
                flags=_REMOTE_FLAGS,
            )
            for link in span.links
        ],
        status=_ERROR if span.error else None,
    )


@lru_cache(_CACHED_ATTRIBUTES, typed=True)
def _attribute(name: str, value: Value) -> KeyValue:
    """Encode an attribute; most of a run's spans have the same ones."""
    if isinstance(value, str):
        return KeyValue(key=name, value=AnyValue(string_value=value))
    if isinstance(value, bool):
        return KeyValue(key=name, value=AnyValue(bool_value=value))
    if isinstance(value, int):
        return KeyValue(key=name, value=AnyValue(int_value=value))
    return KeyValue(key=name, value=AnyValue(double_value=value))


def _span_context(context: TraceContext) -> SpanContext:
    return SpanContext(
        int(context.trace_id, 16),
        int(context.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED if context.is_sampled else TraceFlags.DEFAULT),
    )
