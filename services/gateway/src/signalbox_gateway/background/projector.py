"""Appends events from Pub/Sub to the runs' streams, including those that the receiver could not append."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import msgspec
from msgspec.structs import replace

from signalbox_core.errors import InvalidInput, SignalboxError, Unavailable
from signalbox_core.events import MAX_SAFE_INTEGER, CloudEvent, full_type
from signalbox_core.events.catalogue import NOTICES, EventRefused
from signalbox_core.pubsub import EventSource, Received, SubscriberLimits
from signalbox_core.streams import AppendOutcome, RunStream
from signalbox_core.traces import SpanKind, TraceContext, Tracing, error_code, parse_traceparent

log = logging.getLogger(__name__)
PROJECTOR_LIMITS: Final = SubscriberLimits(
    concurrency=1_000, max_outstanding=1_000, lease_s=10, keeps_order=False
)
"""A short lease: the runs of a killed gateway get their events again when it expires.

No order: a stream parks an event until the ones before it arrive, and events of many runs share a round trip.
"""
_GROUP_INTERVAL_S: Final = 0.05
"""How long an event waits for others, and for the receiver, which normally appends it first."""
OnProjected = Callable[[datetime], Awaitable[None]]
RecordProjected = Callable[[datetime, TraceContext | None], None]


async def _ignore(_: datetime) -> None: ...


class Projector:
    """Projects run events. Gateways share the subscription; a repeated append has no effect.

    Args:
        source: the subscription `projector`.
        on_projected, record_projected: called with the publish time of each event after its append; the
            second for the metrics, with the event's trace context.
        group_interval_s: how long an event waits for others to be appended with it.
    """

    def __init__(
        self,
        source: EventSource,
        streams: RunStream,
        on_projected: OnProjected = _ignore,
        record_projected: RecordProjected = lambda _at, _trace: None,
        *,
        tracing: Tracing | None = None,
        group_interval_s: float = _GROUP_INTERVAL_S,
    ) -> None:
        self._source = source
        self._streams = streams
        self._appends = _GroupedAppends(streams, tracing or Tracing(), group_interval_s)
        self._on_projected = on_projected
        self._record_projected = record_projected

    async def run(self) -> None:
        await self._source.run(self.project)

    async def project(self, received: Received) -> None:
        """Append one event; idempotent by (run, sequence).

        Raises:
            Unavailable: Redis is unavailable; the event is redelivered.
            Rejected: the event is invalid and goes to the dead-letter topic.
        """
        event = received.event
        if not event.runid:
            return  # a change of keys, policies, tokens or schedules, for the ledger
        if event.name in NOTICES:
            return  # announced by the gateway that published it
        if event.sequence is None:
            log.warning("event without a sequence skipped", extra=_facts(event))
            return
        try:
            await self._appends.append(event)
        except InvalidInput as error:
            if not 1 <= event.sequence <= MAX_SAFE_INTEGER:
                raise
            log.error(
                "unreadable event replaced by a placeholder",
                extra={**_facts(event), "error": error.detail},
            )
            await self._streams.append(placeholder(event, error.detail))
        self._record_projected(received.published_at, parse_traceparent(event.traceparent))
        await self._on_projected(received.published_at)


_Result = AppendOutcome | SignalboxError


@dataclass(slots=True, kw_only=True)
class _Append:
    """An event that waits to be appended."""

    event: CloudEvent
    received_ns: int = field(default_factory=time.time_ns)
    outcome: asyncio.Future[_Result] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class _GroupedAppends:
    """Group commit: events that arrive within an interval or a round trip to Redis share the next one."""

    def __init__(self, streams: RunStream, tracing: Tracing, interval_s: float) -> None:
        self._streams = streams
        self._tracing = tracing
        self._interval_s = interval_s
        self._waiting: list[_Append] = []
        self._lock = asyncio.Lock()

    async def append(self, event: CloudEvent) -> None:
        """Append one event, unless its stream has it.

        Raises:
            SignalboxError: as `RunStream.append`.
        """
        append = _Append(event=event)
        self._waiting.append(append)
        async with self._lock:
            if not append.outcome.done():
                if self._interval_s:
                    await asyncio.sleep(self._interval_s)
                await self._append_waiting()
        result = append.outcome.result()
        if isinstance(result, SignalboxError):
            raise result

    async def _append_waiting(self) -> None:
        """Append what waits. A caller that is cancelled meanwhile leaves the others Unavailable."""
        group, self._waiting = self._waiting, []
        results: list[_Result] = []
        error: SignalboxError = Unavailable("the append was interrupted; the event is redelivered")
        try:
            results = await self._streams.append_missing([append.event for append in group])
        except Unavailable as outage:
            error = outage
        finally:
            results = results or [error] * len(group)
            for append, result in zip(group, results, strict=True):
                append.outcome.set_result(result)
            self._record_spans(group, results)

    def _record_spans(self, group: Sequence[_Append], results: Sequence[_Result]) -> None:
        """Record a span for each run of a group, as a span for each event would cost more than its append."""
        if not self._tracing.is_on:
            return
        # Not by the trace alone, which a run's children share.
        runs: dict[tuple[TraceContext, str], list[tuple[_Append, _Result]]] = {}
        for append, result in zip(group, results, strict=True):
            if (parent := parse_traceparent(append.event.traceparent)) is not None:
                runs.setdefault((parent, append.event.runid), []).append((append, result))
        for (parent, _), appends in runs.items():
            event = appends[0][0].event
            self._tracing.record(
                "process projector",
                parent=parent,
                kind=SpanKind.CONSUMER,
                started_ns=min(append.received_ns for append, _ in appends),
                attributes={
                    "signalbox.run_id": event.runid,
                    "signalbox.tenant": event.tenantid,
                    "signalbox.events": len(appends),
                },
                error=next((error_code(one) for _, one in appends if isinstance(one, SignalboxError)), None),
            )


def _facts(event: CloudEvent) -> dict[str, str]:
    """Return the facts of a log line about an event."""
    trace = parse_traceparent(event.traceparent)
    facts = {"event_id": event.id, "event_type": event.type, "run_id": event.runid, "tenant": event.tenantid}
    return facts | ({"trace_id": trace.trace_id} if trace is not None else {})


def placeholder(event: CloudEvent, reason: str) -> CloudEvent:
    """Build the replacement for an unreadable event; a gap would block all later events of the run."""
    data = EventRefused(name=event.name, event_id=event.id, reason=reason[:500])
    return replace(
        event,
        type=full_type("event.refused"),
        data=msgspec.Raw(msgspec.json.encode(data)),
        effectdigest=None,
    )
