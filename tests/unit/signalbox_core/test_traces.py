"""Trace context and spans, without OpenTelemetry; and which variables switch the export on."""

import subprocess
import sys

import pytest

from signalbox_core.errors import InvalidInput, Unavailable
from signalbox_core.testing.spans import SpanRecorder
from signalbox_core.traces import TraceContext, Tracing, current_context, parse_traceparent
from signalbox_core.traces.configuration import exports_spans
from signalbox_core.traces.context import use_context
from signalbox_core.traces.spans import MAX_ATTRIBUTES, MAX_LINKS, MAX_VALUE_CHARS

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CALLER = TraceContext(TRACE, SPAN, True)
UNSAMPLED = TraceContext(TRACE, SPAN, False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(f"00-{TRACE}-{SPAN}-01", CALLER, id="sampled"),
        pytest.param(f"00-{TRACE}-{SPAN}-00", UNSAMPLED, id="not sampled"),
        pytest.param(f"00-{TRACE}-{SPAN}-03", CALLER, id="another flag too"),
        pytest.param(f"cc-{TRACE}-{SPAN}-01-what-the-future-adds", CALLER, id="higher version"),
        pytest.param(f"00-{TRACE}-{SPAN}-01-more", None, id="version 00 with more"),
        pytest.param(f"ff-{TRACE}-{SPAN}-01", None, id="version ff"),
        pytest.param(f"00-{'0' * 32}-{SPAN}-01", None, id="trace id of zeros"),
        pytest.param(f"00-{TRACE}-{'0' * 16}-01", None, id="span id of zeros"),
        pytest.param(f"00-{TRACE.upper()}-{SPAN}-01", None, id="upper case"),
        pytest.param("t" * 300, None, id="anything"),
        pytest.param("", None, id="empty"),
        pytest.param(None, None, id="absent"),
    ],
)
def test_a_traceparent_is_parsed_as_the_standard_requires(
    text: str | None, expected: TraceContext | None
) -> None:
    assert parse_traceparent(text) == expected


@pytest.mark.parametrize("context", [CALLER, UNSAMPLED])
def test_a_context_is_written_as_it_is_parsed(context: TraceContext) -> None:
    assert parse_traceparent(context.traceparent) == context


def test_without_a_sink_the_context_of_the_caller_is_passed_on() -> None:
    with Tracing().span("work", parent=CALLER) as span:
        assert (span, current_context()) == (None, CALLER)
    assert current_context() is None


def test_a_span_has_its_parent_and_becomes_the_context_of_the_block() -> None:
    recorder = SpanRecorder()
    tracing = Tracing(recorder)
    with tracing.span("outer", parent=CALLER) as outer, tracing.span("inner"):
        inner_context = current_context()
    assert recorder.names(TRACE) == ["inner", "outer"]
    inner = recorder.spans[0]
    assert outer is not None
    assert (inner.parent, outer.parent, inner.context) == (outer.context, CALLER, inner_context)
    assert len({inner.context.span_id, outer.context.span_id, SPAN}) == 3
    assert inner.started_ns <= inner.ended_ns


def test_only_an_entry_begins_a_trace() -> None:
    recorder = SpanRecorder()
    with Tracing(recorder).span("inside") as nothing:
        assert (nothing, current_context()) == (None, None)
    with Tracing(recorder).span("entry", is_entry=True) as span:
        assert span is not None
    assert recorder.names() == ["entry"]
    assert recorder.spans[0].parent is None


def test_a_trace_that_is_not_sampled_is_passed_on_and_not_recorded() -> None:
    recorder = SpanRecorder()
    with Tracing(recorder).span("work", parent=UNSAMPLED) as span:
        context = current_context()
    Tracing(recorder).record("more", parent=UNSAMPLED)
    assert (span, recorder.spans) == (None, [])
    assert context is not None
    assert (context.trace_id, context.is_sampled) == (TRACE, False)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(Unavailable("password=hunter2", code="queue_full"), "queue_full", id="ours"),
        pytest.param(ValueError("password=hunter2"), "ValueError", id="another"),
    ],
)
def test_an_error_is_recorded_by_its_code_and_never_by_its_message(error: Exception, code: str) -> None:
    recorder = SpanRecorder()
    with pytest.raises(type(error)), Tracing(recorder).span("work", is_entry=True):
        raise error
    (span,) = recorder.spans
    assert span.error == code
    assert "hunter2" not in repr(span)


def test_attributes_and_links_are_bounded() -> None:
    recorder = SpanRecorder()
    attributes = {f"name-{number}": "x" * 10_000 for number in range(100)}
    Tracing(recorder).record("work", parent=CALLER, links=[CALLER] * 100, attributes=attributes)
    (span,) = recorder.spans
    assert (len(span.attributes), len(span.links)) == (MAX_ATTRIBUTES, MAX_LINKS)
    assert {len(str(value)) for value in span.attributes.values()} == {MAX_VALUE_CHARS}


def test_the_trace_of_an_execution_is_the_same_however_often_it_begins() -> None:
    recorder = SpanRecorder()
    contexts = [Tracing(recorder).begin_trace("scheduled", "execution") for _ in range(2)]
    other = Tracing(recorder).begin_trace("scheduled", "another")
    assert contexts[0] == contexts[1] != other
    assert [span.context for span in recorder.spans] == [*contexts, other]
    assert Tracing().begin_trace("scheduled", "execution") is None


def test_log_records_of_a_block_have_the_trace_id(caplog: pytest.LogCaptureFixture) -> None:
    import json
    import logging

    from signalbox_core.logs import JsonFormatter

    with caplog.at_level("INFO"), use_context(CALLER):
        logging.getLogger("signalbox_test").info("working")
        line = json.loads(JsonFormatter("test").format(caplog.records[0]))
    assert line["trace_id"] == TRACE


ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        pytest.param({}, False, id="nothing"),
        pytest.param(ENDPOINT, True, id="endpoint"),
        pytest.param({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True, id="of traces"),
        pytest.param({**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"}, False, id="no exporter"),
        pytest.param({**ENDPOINT, "OTEL_SDK_DISABLED": "true"}, False, id="disabled"),
        pytest.param({**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, True, id="our protocol"),
    ],
)
def test_spans_are_exported_when_an_endpoint_is_configured(variables: dict[str, str], expected: bool) -> None:
    assert exports_spans(variables) is expected


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        pytest.param({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER", id="exporter"),
        pytest.param({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL", id="protocol"),
    ],
)
def test_what_is_not_supported_is_named(variables: dict[str, str], named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        exports_spans({**ENDPOINT, **variables})


def test_without_an_endpoint_opentelemetry_is_not_imported() -> None:
    code = (
        "import sys\n"
        "import signalbox_core.traces.configuration, signalbox_core.temporal.trace_header\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
