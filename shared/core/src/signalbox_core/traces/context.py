"""The trace context of a request, message or activity (W3C Trace Context, `traceparent`)."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Final

from msgspec import Struct

from signalbox_core.logs import log_fields

HEADER: Final = "traceparent"
_SAMPLED: Final = 1
_LENGTH: Final = 55
"""Characters of a `traceparent` of version 00."""
_CACHED: Final = 1_024
_FORMAT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


class TraceContext(Struct, frozen=True):
    """One span of a trace.

    Attributes:
        trace_id: 32 hexadecimal digits.
        span_id: 16 hexadecimal digits.
        is_sampled: whether the spans of the trace are recorded.
    """

    trace_id: str
    span_id: str
    is_sampled: bool

    @property
    def traceparent(self) -> str:
        """The value of the header `traceparent`."""
        return f"00-{self.trace_id}-{self.span_id}-{_SAMPLED if self.is_sampled else 0:02x}"


_current: Final[ContextVar[TraceContext | None]] = ContextVar("signalbox_trace", default=None)


def parse_traceparent(text: str | None) -> TraceContext | None:
    """Parse a `traceparent`; None when it is absent or invalid, as the standard requires (§3.2).

    A higher version is read like version 00, and what follows the flags is ignored.
    """
    if not text:
        return None
    # All events of a run have the same context. Longer texts are callers' and could fill the memory.
    return _parse_cached(text) if len(text) == _LENGTH else _parse(text)


def _parse(text: str) -> TraceContext | None:
    found = _FORMAT.fullmatch(text)
    if found is None:
        return None
    version, trace_id, span_id, flags, rest = found.groups()
    if version == "ff" or (version == "00" and rest) or not int(trace_id, 16) or not int(span_id, 16):
        return None
    return TraceContext(trace_id, span_id, bool(int(flags, 16) & _SAMPLED))


_parse_cached: Final = lru_cache(_CACHED)(_parse)


def exemplar_labels(context: TraceContext | None) -> dict[str, str] | None:
    """Return the labels of a metric's exemplar, which leads to a trace; None unless the trace is sampled."""
    return {"trace_id": context.trace_id} if context is not None and context.is_sampled else None


def current_context() -> TraceContext | None:
    """Return the span that the calling task works for; None without a trace."""
    return _current.get()


@contextmanager
def use_context(context: TraceContext) -> Iterator[None]:
    """Make `context` the current one, and add `trace_id` to every log record of the block."""
    token = _current.set(context)
    try:
        with log_fields(trace_id=context.trace_id):
            yield
    finally:
        _current.reset(token)
