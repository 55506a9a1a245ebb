"""Delivers an external event that names no run, to every pipeline that waits for it or starts by it."""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

from signalbox_core.crypto.sealing import KeyRing
from signalbox_core.errors import InvalidInput, NotFound
from signalbox_core.pipeline.contract.external_event import (
    INVALID_EVENT,
    MAX_DATA_BYTES,
    UNKNOWN_EVENT,
    DeliveryStatus,
    InboundEvent,
    check_key,
)
from signalbox_core.pipeline.spec import ExternalEvent, PipelineSpec, StartOn
from signalbox_gateway.auth.principal import Principal
from signalbox_gateway.http import validation
from signalbox_gateway.runs.inbound.external_events import ExternalEvents
from signalbox_gateway.runs.pending_starts import PendingStart, PendingStarts
from signalbox_gateway.runs.starts.run_starter import RunStarter
from signalbox_gateway.runs.starts.start_request import StartRequest
from signalbox_gateway.runs.starts.start_requests import RequestedRun, build_start_request

EventStatus: TypeAlias = DeliveryStatus | Literal["recorded", "started"]


class PipelineDelivery(Struct, frozen=True, kw_only=True):
    """The outcome of an event in one pipeline.

    Attributes:
        status: `recorded`: it is stored, and its outcome is not known yet.
    """

    pipeline: str
    status: EventStatus
    run_id: str | None = None
    wait_id: str | None = None


class EventStarts:
    """Starts runs by events. The run id is derived from the event, so that repeated events start one run."""

    def __init__(self, starter: RunStarter, pending: PendingStarts, payload_keys: KeyRing | None) -> None:
        self._starter = starter
        self._pending = pending
        self._payload_keys = payload_keys

    def build_request(
        self, spec: PipelineSpec, start_on: StartOn[Any], event: InboundEvent, principal: Principal
    ) -> StartRequest[Struct]:
        """Build the start of the event's run.

        Raises:
            InvalidInput: the pipeline refuses the event, or makes an invalid input of it.
        """
        run_id = start_on.run_id(spec.name, event.event_id, event.key)
        requested = RequestedRun(input=start_on.build_input(event.data), run_id=run_id)
        return build_start_request(requested, spec, principal, self._payload_keys)

    async def start(self, request: StartRequest[Struct], spec: PipelineSpec) -> PipelineDelivery:
        """Start the run. A run that was started, queued or withdrawn before makes the event a duplicate.

        Raises:
            Unavailable: the start is not stored; send the event again.
        """
        queued = await self._pending.find(request.key)
        if queued is not None and queued.is_withdrawn:
            return _start_delivery(request, "duplicate")
        outcome = await self._starter.start(request, spec)
        if isinstance(outcome, PendingStart):
            is_same = outcome.digest == request.digest and not outcome.is_withdrawn
            return _start_delivery(request, "recorded" if is_same else "duplicate")
        return _start_delivery(request, "started" if outcome else "duplicate")


class KeyedDelivery:
    """Delivers an event to mailboxes, and starts runs by it."""

    def __init__(
        self, events: ExternalEvents, starts: EventStarts, pipelines: Mapping[str, PipelineSpec]
    ) -> None:
        self._events = events
        self._starts = starts
        self._pipelines = pipelines

    async def deliver(self, event: InboundEvent, principal: Principal) -> tuple[PipelineDelivery, ...]:
        """Deliver the event in every pipeline that declares it; idempotent by its id.

        It is checked for all of them before the first one gets it.

        Args:
            principal: who sends it; starts the runs that it starts.

        Raises:
            NotFound: no installed pipeline declares the event (`unknown_event`).
            InvalidInput: the data violates a contract, or the event has no key and needs one.
            Conflict: too many events of the key wait to be received.
            Unavailable: the event is not stored everywhere; deliver it again.
        """
        specs = [self._pipelines[name] for name in sorted(self._pipelines)]
        starting = [(spec, start_on) for spec in specs if (start_on := spec.start_on(event.name))]
        waiting = [(spec, declared) for spec in specs if (declared := spec.external_event(event.name))]
        if not starting and not waiting:
            raise unknown_event("no installed pipeline", event.name, _declared_names(specs))
        for declared in (*(start_on.event for _, start_on in starting), *(each for _, each in waiting)):
            check_data(declared, event.data)
        if event.key is None:
            _check_needs_no_key(starting, waiting)
        else:
            check_key(event.key)
        requests = [
            (spec, self._starts.build_request(spec, start_on, event, principal))
            for spec, start_on in starting
        ]
        started = [await self._starts.start(request, spec) for spec, request in requests]
        sent = [await self._send(spec, declared, event, principal.tenant) for spec, declared in waiting]
        return tuple(sorted((*started, *sent), key=lambda each: each.pipeline))

    async def _send(
        self, spec: PipelineSpec, declared: ExternalEvent[Any], event: InboundEvent, tenant: str
    ) -> PipelineDelivery:
        assert event.key is not None, "checked before"
        record = await self._events.send_by_key(spec, declared, event.key, tenant, event)
        if record is None:
            return PipelineDelivery(pipeline=spec.name, status="recorded")
        return PipelineDelivery(
            pipeline=spec.name, status=record.status, run_id=record.run_id, wait_id=record.wait_id
        )


def check_data(event: ExternalEvent[Any], data: msgspec.Raw) -> None:
    """Check what an event carries. Raises: InvalidInput: it is too large, or violates the contract."""
    if len(bytes(data)) > MAX_DATA_BYTES:
        raise InvalidInput(
            f"data has more than {MAX_DATA_BYTES} bytes; store the body elsewhere and send a reference",
            field="data",
            code=INVALID_EVENT,
        )
    validation.decode(event.data, data, at="data")


def unknown_event(where: str, name: str, known: list[str]) -> NotFound:
    return NotFound(
        f"{where} waits for no event {name[:100]!r}; declared: {', '.join(known) or 'none'}",
        field="name",
        code=UNKNOWN_EVENT,
    )


def _declared_names(specs: list[PipelineSpec]) -> list[str]:
    waited_for = {event.name for spec in specs for event in spec.external_events}
    return sorted(waited_for | {start_on.event.name for spec in specs for start_on in spec.starts})


def _check_needs_no_key(
    starting: list[tuple[PipelineSpec, StartOn[Any]]],
    waiting: list[tuple[PipelineSpec, ExternalEvent[Any]]],
) -> None:
    needing = [spec.name for spec, _ in waiting]
    needing += [spec.name for spec, start_on in starting if start_on.once_per == "key"]
    if needing:
        raise InvalidInput(
            f"is required: pipeline {needing[0]} finds what the event belongs to by its business key",
            field="key",
        )


def _start_delivery(request: StartRequest[Struct], status: EventStatus) -> PipelineDelivery:
    return PipelineDelivery(pipeline=request.pipeline, status=status, run_id=request.run_id)
