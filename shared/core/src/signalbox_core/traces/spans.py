"""Spans: recorded once they have ended, and only if their trace is sampled."""

import hashlib
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from signalbox_core.errors import SignalboxError
from signalbox_core.traces.context import TraceContext, current_context, use_context

MAX_VALUE_CHARS: Final = 256
MAX_ATTRIBUTES: Final = 16
MAX_LINKS: Final = 16
Value = str | int | float | bool
Attributes = Mapping[str, str] | Mapping[str, int] | Mapping[str, Value | None]


class SpanKind(StrEnum):
    """The kinds of OpenTelemetry."""

    INTERNAL = "INTERNAL"
    SERVER = "SERVER"
    CLIENT = "CLIENT"
    PRODUCER = "PRODUCER"
    CONSUMER = "CONSUMER"


@dataclass(slots=True, kw_only=True)
class TraceSpan:
    """One span. It has names, ids, counts and codes; never input, results, headers or messages of errors.

    Attributes:
        started_ns, ended_ns: nanoseconds since the epoch.
        links: spans of other traces.
        error: the code or class of the error that ended it.
        is_dropped: it is not recorded when it ends.
    """

    name: str
    kind: SpanKind
    context: TraceContext
    parent: TraceContext | None
    started_ns: int
    ended_ns: int = 0
    attributes: dict[str, Value] = field(default_factory=dict)
    links: tuple[TraceContext, ...] = ()
    error: str | None = None
    is_dropped: bool = False

    def set(self, attributes: Mapping[str, Value | None]) -> None:
        """Set attributes; None values are left out, long strings are cut."""
        for name, value in attributes.items():
            if value is not None and len(self.attributes) < MAX_ATTRIBUTES:
                self.attributes[name] = value[:MAX_VALUE_CHARS] if isinstance(value, str) else value


class SpanSink(Protocol):
    """Exports spans."""

    def is_sampled(self, trace_id: str, name: str, parent: TraceContext | None) -> bool:
        """Decide whether a new span is recorded."""

    def record(self, span: TraceSpan) -> None:
        """Take a span that has ended. Never blocks or raises; thread-safe."""


class Tracing:
    """Creates spans. Without a sink it records none, and only passes on the trace context of callers."""

    def __init__(self, sink: SpanSink | None = None) -> None:
        self._sink = sink

    @property
    def is_on(self) -> bool:
        return self._sink is not None

    @contextmanager
    def span(
        self,
        name: str,
        *,
        parent: TraceContext | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        is_entry: bool = False,
        links: Sequence[TraceContext] = (),
    ) -> Iterator[TraceSpan | None]:
        """Run the block in a span, which becomes the current context.

        Args:
            parent: by default the current context.
            is_entry: without a parent, begin a trace; otherwise there is then no span.

        Yields:
            The span, for its attributes; None when none is recorded.
        """
        parent = parent or current_context()
        span = self._start(name, parent, kind, links) if parent is not None or is_entry else None
        context = span.context if span is not None else parent
        if context is None:
            yield None
            return
        with use_context(context):
            if span is None or not context.is_sampled:
                yield None
                return
            try:
                yield span
            except BaseException as error:
                span.error = error_code(error)
                raise
            finally:
                self._finish(span)

    def record(  # noqa: PLR0913 - the parts of a span
        self,
        name: str,
        *,
        parent: TraceContext,
        kind: SpanKind = SpanKind.INTERNAL,
        started_ns: int | None = None,
        span_id: str | None = None,
        links: Sequence[TraceContext] = (),
        attributes: Attributes | None = None,
        error: str | None = None,
    ) -> None:
        """Record a span that ends now.

        Args:
            parent: nothing is recorded unless it is sampled.
            started_ns: by default now.
            span_id: makes the call idempotent: a repeated one has the same id.
        """
        if self._sink is None or not parent.is_sampled:
            return
        now = time.time_ns()
        span = TraceSpan(
            name=name,
            kind=kind,
            context=TraceContext(parent.trace_id, span_id or _new_span_id(), True),
            parent=parent,
            started_ns=started_ns or now,
            links=tuple(links[:MAX_LINKS]),
            error=error,
        )
        span.set(attributes or {})
        self._finish(span)

    def begin_trace(self, name: str, execution_id: str) -> TraceContext | None:
        """Begin the trace of a workflow that no request has started; idempotent.

        Args:
            execution_id: the id of the workflow's execution, of which the ids of trace and span are derived.

        Returns:
            The context of the trace's first span, which is recorded; None while tracing is off.
        """
        if self._sink is None:
            return None
        trace_id = derived_hex(execution_id, "trace", digits=32)
        is_sampled = self._sink.is_sampled(trace_id, name, None)
        context = TraceContext(trace_id, derived_hex(execution_id, "span", digits=16), is_sampled)
        if is_sampled:
            now = time.time_ns()
            span = TraceSpan(name=name, kind=SpanKind.INTERNAL, context=context, parent=None, started_ns=now)
            self._finish(span)
        return context

    def _start(
        self, name: str, parent: TraceContext | None, kind: SpanKind, links: Sequence[TraceContext]
    ) -> TraceSpan | None:
        if self._sink is None:
            return None
        trace_id = parent.trace_id if parent is not None else _new_trace_id()
        is_sampled = self._sink.is_sampled(trace_id, name, parent)
        return TraceSpan(
            name=name,
            kind=kind,
            context=TraceContext(trace_id, _new_span_id(), is_sampled),
            parent=parent,
            started_ns=time.time_ns(),
            links=tuple(links[:MAX_LINKS]),
        )

    def _finish(self, span: TraceSpan) -> None:
        if self._sink is not None and not span.is_dropped:
            span.ended_ns = max(time.time_ns(), span.started_ns)
            self._sink.record(span)


def error_code(error: BaseException) -> str:
    """Return the stable code of an error of ours, else its class; never its message."""
    return error.stable_code if isinstance(error, SignalboxError) else type(error).__name__


def derived_hex(*parts: str, digits: int) -> str:
    """Return hexadecimal digits of the SHA-256 of `parts`."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:digits]


def _new_trace_id() -> str:
    return f"{random.getrandbits(128) or 1:032x}"


def _new_span_id() -> str:
    return f"{random.getrandbits(64) or 1:016x}"
