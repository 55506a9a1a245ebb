"""The OTLP sink encodes and samples as OpenTelemetry's SDK does."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.trace.v1.trace_pb2 import Status as EncodedStatus
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.sampling import Decision
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

from signalbox_core.traces import SpanKind as Kind
from signalbox_core.traces import TraceContext, TraceSpan
from signalbox_core.traces.otlp import OtlpSink, encode_span

PARENT: Final = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", True)
OTHER: Final = TraceContext("a" * 32, "b" * 16, True)
OWN: Final = TraceContext(PARENT.trace_id, "0123456789abcdef", True)
STARTED, ENDED = 1_795_000_000_000_000_000, 1_795_000_000_123_456_789


def make_span(**members: object) -> TraceSpan:
    base: dict[str, object] = {
        "name": "activity sample.make",
        "kind": Kind.INTERNAL,
        "context": OWN,
        "parent": PARENT,
        "started_ns": STARTED,
        "ended_ns": ENDED,
    }
    return TraceSpan(**{**base, **members})  # type: ignore[arg-type]


def sdk_context(context: TraceContext) -> SpanContext:
    return SpanContext(
        int(context.trace_id, 16),
        int(context.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(int(context.is_sampled)),
    )


def encoded_by_the_sdk(span: TraceSpan) -> object:
    """The same span through the SDK's encoder, in which an unset status is an empty message."""
    readable = ReadableSpan(
        name=span.name,
        context=sdk_context(span.context),
        parent=sdk_context(span.parent) if span.parent is not None else None,
        resource=Resource({}),
        attributes=span.attributes | ({"error.type": span.error} if span.error else {}),
        links=[Link(sdk_context(link)) for link in span.links],
        kind=SpanKind[span.kind.name],
        status=Status(StatusCode.ERROR if span.error else StatusCode.UNSET),
        start_time=span.started_ns,
        end_time=span.ended_ns,
    )
    (encoded,) = encode_spans([readable]).resource_spans[0].scope_spans[0].spans
    if encoded.status == EncodedStatus():
        encoded.ClearField("status")
    return encoded


@pytest.mark.parametrize(
    "span",
    [
        pytest.param(make_span(), id="plain"),
        pytest.param(make_span(parent=None), id="root"),
        pytest.param(make_span(error="queue_full"), id="error"),
        pytest.param(make_span(links=(OTHER, PARENT)), id="links"),
        pytest.param(
            make_span(attributes={"text": "größe", "one": 1, "yes": True, "real": 1.0, "negative": -7}),
            id="attributes that are equal to each other, of four types",
        ),
        *(pytest.param(make_span(kind=kind), id=kind) for kind in Kind),
    ],
)
def test_a_span_is_encoded_as_by_the_sdk(span: TraceSpan) -> None:
    assert encode_span(span) == encoded_by_the_sdk(span)


@contextmanager
def opened_sink(variables: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[OtlpSink]:
    for name, value in {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", **variables}.items():
        monkeypatch.setenv(name, value)
    sink = OtlpSink("test")
    try:
        yield sink
    finally:
        sink.close()


@pytest.mark.parametrize("parent", [None, PARENT, TraceContext(PARENT.trace_id, PARENT.span_id, False)])
@pytest.mark.parametrize(
    "sampler",
    [
        pytest.param({}, id="default"),
        *(
            pytest.param(
                {"OTEL_TRACES_SAMPLER": prefix + name, "OTEL_TRACES_SAMPLER_ARG": "0.5"}, id=prefix + name
            )
            for prefix in ("", "parentbased_")
            for name in ("always_on", "always_off", "traceidratio")
        ),
    ],
)
def test_a_trace_is_sampled_as_by_the_sdk(
    sampler: Mapping[str, str], parent: TraceContext | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened_sink(sampler, monkeypatch) as sink:
        provider = TracerProvider(shutdown_on_exit=False)
        context = set_span_in_context(NonRecordingSpan(sdk_context(parent))) if parent is not None else None
        for trace_id in (PARENT.trace_id, f"{1:032x}", "f" * 32):
            expected = provider.sampler.should_sample(context, int(trace_id, 16), "work").decision
            assert sink.is_sampled(trace_id, "work", parent) is (expected is Decision.RECORD_AND_SAMPLE)
