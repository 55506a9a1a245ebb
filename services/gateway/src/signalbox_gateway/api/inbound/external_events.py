"""Events from outside, sent by API: to a run, by business key, or to start a run."""

import secrets
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

from signalbox_core.errors import NotFound, Unavailable
from signalbox_core.events.snapshot import ENDED, Snapshot
from signalbox_core.ids import run_key
from signalbox_core.pipeline.contract.external_event import InboundEvent, InboundEventRecord
from signalbox_core.pipeline.spec import ExternalEvent, PipelineSpec
from signalbox_gateway.api.endpoint import ApiCall, json_response
from signalbox_gateway.api.inbound.event_schemas import (
    EventDeliveriesView,
    EventDeliveryView,
    SendEvent,
    SendEventToRun,
)
from signalbox_gateway.runs.inbound.external_events import ExternalEvents
from signalbox_gateway.runs.inbound.keyed_delivery import KeyedDelivery, check_data, unknown_event
from signalbox_gateway.runs.lookup import RunReader
from signalbox_gateway.runs.outcomes import run_ended


class ExternalEventHandlers:
    """The handlers of /v1/runs/{run_id}/events/{name} and /v1/events/{name}."""

    def __init__(
        self,
        states: RunReader,
        events: ExternalEvents,
        keyed: KeyedDelivery,
        pipelines: Mapping[str, PipelineSpec],
    ) -> None:
        self._states = states
        self._events = events
        self._keyed = keyed
        self._pipelines = pipelines

    async def send_to_run(self, call: ApiCall) -> Response:
        """Send the event to the workflow, which accepts or refuses it.

        The contract is checked here too, because the workflow cannot refuse what it gets as a signal.
        """
        snapshot = (await self._states.get(call.principal, call.param("run_id"))).snapshot
        request, name = await call.body(SendEventToRun), call.param("name")
        spec = self._pipelines.get(snapshot.pipeline)
        if spec is not None:
            check_data(_declared(spec, name), request.data)
        record = _received_before(snapshot, name, request.event_id)
        if record is None:
            event = _inbound(call, name, request.event_id, request.data)
            record = await self._send(call, snapshot, event)
        delivery = _delivery(snapshot.pipeline, request.event_id, record, run_id=snapshot.run_id)
        return json_response(delivery, status=202 if record is None else 200)

    async def send_by_key(self, call: ApiCall) -> Response:
        """Send the event to every pipeline that declares it: to the mailbox of its key, or to start a run."""
        request, name = await call.body(SendEvent), call.param("name")
        event = _inbound(call, name, request.event_id, request.data, key=request.key)
        delivered = await self._keyed.deliver(event, call.principal)
        deliveries = tuple(
            EventDeliveryView(
                event_id=request.event_id,
                pipeline=item.pipeline,
                status=item.status,
                run_id=item.run_id,
                wait_id=item.wait_id,
            )
            for item in delivered
        )
        body = EventDeliveriesView(event_id=request.event_id, deliveries=deliveries)
        is_recorded = any(item.status == "recorded" for item in delivered)
        return json_response(body, status=202 if is_recorded else 200)

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
    return InboundEvent(
        name=name,
        event_id=event_id,
        data=data,
        key=key,
        sender=call.principal.subject,
        delivery_id=secrets.token_hex(13),
    )


def _declared(spec: PipelineSpec, name: str) -> ExternalEvent[Any]:
    event = spec.external_event(name)
    if event is None:
        raise unknown_event(f"pipeline {spec.name}", name, [item.name for item in spec.external_events])
    return event


def _received_before(snapshot: Snapshot, name: str, event_id: str) -> InboundEventRecord | None:
    """What the snapshot has of an event that a wait received."""
    found = next((item for item in snapshot.waits if item.name == name and item.event_id == event_id), None)
    if found is None:
        return None
    return InboundEventRecord(
        event_id=event_id, status="duplicate", run_id=snapshot.run_id, wait_id=found.wait_id
    )


def _delivery(
    pipeline: str, event_id: str, record: InboundEventRecord | None, *, run_id: str
) -> EventDeliveryView:
    return EventDeliveryView(
        event_id=event_id,
        pipeline=pipeline,
        status=record.status if record is not None else "recorded",
        run_id=run_id,
        wait_id=record.wait_id if record is not None else None,
    )
