"""Events from outside, sent by API: to a run, or by business key."""

import secrets
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

from signalbox_core.errors import InvalidInput, NotFound, Unavailable
from signalbox_core.events.snapshot import ENDED, Snapshot
from signalbox_core.ids import run_key
from signalbox_core.pipeline.contract.external_event import (
    INVALID_EVENT,
    MAX_DATA_BYTES,
    UNKNOWN_EVENT,
    InboundEvent,
    InboundEventRecord,
    check_key,
)
from signalbox_core.pipeline.spec import ExternalEvent, PipelineSpec
from signalbox_core.traces import current_context
from signalbox_gateway.api.endpoint import ApiCall, json_response
from signalbox_gateway.api.inbound.event_schemas import (
    EventDeliveriesView,
    EventDeliveryView,
    SendEvent,
    SendEventToRun,
)
from signalbox_gateway.http import validation
from signalbox_gateway.runs.external_events import ExternalEvents
from signalbox_gateway.runs.lookup import RunReader
from signalbox_gateway.runs.outcomes import run_ended


class ExternalEventHandlers:
    """The handlers of /v1/runs/{run_id}/events/{name} and /v1/events/{name}."""

    def __init__(
        self, states: RunReader, events: ExternalEvents, pipelines: Mapping[str, PipelineSpec]
    ) -> None:
        self._states = states
        self._events = events
        self._pipelines = pipelines

    async def send_to_run(self, call: ApiCall) -> Response:
        """Send the event to the workflow, which accepts or refuses it.

        The contract is checked here too, because the workflow cannot refuse what it gets as a signal.
        """
        snapshot = (await self._states.get(call.principal, call.param("run_id"))).snapshot
        request, name = await call.body(SendEventToRun), call.param("name")
        spec = self._pipelines.get(snapshot.pipeline)
        if spec is not None:
            _check_data(_declared(spec, name), request.data)
        record = _received_before(snapshot, name, request.event_id)
        if record is None:
            event = _inbound(call, name, request.event_id, request.data)
            record = await self._send(call, snapshot, event)
        delivery = _delivery(snapshot.pipeline, request.event_id, record, run_id=snapshot.run_id)
        return json_response(delivery, status=202 if record is None else 200)

    async def send_by_key(self, call: ApiCall) -> Response:
        """Send the event to the mailbox of its key in every pipeline that declares it."""
        request, name = await call.body(SendEvent), call.param("name")
        check_key(request.key)
        declaring = [(spec, event) for spec in self._specs() if (event := spec.external_event(name))]
        if not declaring:
            known = sorted({event.name for spec in self._specs() for event in spec.external_events})
            raise _unknown_event("no installed pipeline", name, known)
        for _, event in declaring:
            _check_data(event, request.data)
        inbound = _inbound(call, name, request.event_id, request.data, key=request.key)
        tenant = call.principal.tenant
        records = [
            await self._events.send_by_key(spec, event, request.key, tenant, inbound)
            for spec, event in declaring
        ]
        deliveries = tuple(
            _delivery(spec.name, request.event_id, record)
            for (spec, _), record in zip(declaring, records, strict=True)
        )
        body = EventDeliveriesView(event_id=request.event_id, deliveries=deliveries)
        return json_response(body, status=202 if None in records else 200)

    def _specs(self) -> list[PipelineSpec]:
        return [self._pipelines[name] for name in sorted(self._pipelines)]

    async def _send(
        self, call: ApiCall, snapshot: Snapshot, event: InboundEvent
    ) -> InboundEventRecord | None:
        if snapshot.status == "queued":
            raise Unavailable(
                f"run {snapshot.run_id} has not started yet; send the event again later",
                code="temporal_unavailable",
            )
        try:
            return await self._events.send_to_run(run_key(call.principal.tenant, snapshot.run_id), event)
        except NotFound as error:
            if error.stable_code != "unknown_run":
                raise
        latest = await self._states.snapshot_from_temporal(snapshot.key) or snapshot
        record = _received_before(latest, event.name, event.event_id)
        if record is None:
            raise run_ended(snapshot.run_id, latest.status if latest.status in ENDED else "ended")
        return record


def _inbound(
    call: ApiCall, name: str, event_id: str, data: msgspec.Raw, *, key: str | None = None
) -> InboundEvent:
    trace = current_context()
    return InboundEvent(
        name=name,
        event_id=event_id,
        data=data,
        key=key,
        sender=call.principal.subject,
        delivery_id=secrets.token_hex(13),
        traceparent=trace.traceparent if trace is not None else None,
    )


def _declared(spec: PipelineSpec, name: str) -> ExternalEvent[Any]:
    event = spec.external_event(name)
    if event is None:
        raise _unknown_event(f"pipeline {spec.name}", name, [item.name for item in spec.external_events])
    return event


def _unknown_event(where: str, name: str, known: list[str]) -> NotFound:
    return NotFound(
        f"{where} waits for no event {name[:100]!r}; declared: {', '.join(known) or 'none'}",
        field="name",
        code=UNKNOWN_EVENT,
    )


def _check_data(event: ExternalEvent[Any], data: msgspec.Raw) -> None:
    if len(bytes(data)) > MAX_DATA_BYTES:
        raise InvalidInput(
            f"data has more than {MAX_DATA_BYTES} bytes; store the body elsewhere and send a reference",
            field="data",
            code=INVALID_EVENT,
        )
    validation.decode(event.data, data, at="data")


def _received_before(snapshot: Snapshot, name: str, event_id: str) -> InboundEventRecord | None:
    """What the snapshot has of an event that a wait received."""
    found = next((item for item in snapshot.waits if item.name == name and item.event_id == event_id), None)
    if found is None:
        return None
    return InboundEventRecord(
        event_id=event_id, status="duplicate", run_id=snapshot.run_id, wait_id=found.wait_id
    )


def _delivery(
    pipeline: str, event_id: str, record: InboundEventRecord | None, *, run_id: str | None = None
) -> EventDeliveryView:
    return EventDeliveryView(
        event_id=event_id,
        pipeline=pipeline,
        status=record.status if record is not None else "recorded",
        run_id=run_id or (record.run_id if record is not None else None),
        wait_id=record.wait_id if record is not None else None,
    )
