"""A sink that keeps the spans of a test in memory."""

from signalbox_core.traces import TraceContext, TraceSpan


class SpanRecorder:
    """A `SpanSink`; samples every trace unless its parent is not sampled."""

    def __init__(self) -> None:
        self.spans: list[TraceSpan] = []

    def is_sampled(self, trace_id: str, name: str, parent: TraceContext | None) -> bool:  # noqa: ARG002
        return parent is None or parent.is_sampled

    def record(self, span: TraceSpan) -> None:
        self.spans.append(span)

    def names(self, trace_id: str | None = None) -> list[str]:
        """The names of the spans in the order of their ends, of one trace or of all."""
        return [span.name for span in self.spans if trace_id in (None, span.context.trace_id)]
