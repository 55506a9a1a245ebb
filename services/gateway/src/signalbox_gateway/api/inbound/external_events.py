"""External events, sent by API: to a run, by business key, or to start a run."""

import secrets

import msgspec
from starlette.responses import Response

from signalbox_core.pipeline.contract.external_event import InboundEvent
from signalbox_core.traces import current_context
from signalbox_gateway.api.endpoint import ApiCall, json_response
from signalbox_gateway.api.inbound.event_schemas import (
    EventDeliveriesView,
    EventDeliveryView,
    SendEvent,
    SendEventToRun,
)
from signalbox_gateway.runs.inbound.keyed_delivery import KeyedDelivery, PipelineDelivery
from signalbox_gateway.runs.inbound.run_delivery import RunDelivery
from signalbox_gateway.runs.lookup import RunReader


class ExternalEventHandlers:
    """The handlers of /v1/runs/{run_id}/events/{name} and /v1/events/{name}."""

    def __init__(self, states: RunReader, to_run: RunDelivery, keyed: KeyedDelivery) -> None:
        self._states = states
        self._to_run = to_run
        self._keyed = keyed

    async def send_to_run(self, call: ApiCall) -> Response:
        snapshot = (await self._states.get(call.principal, call.param("run_id"))).snapshot
        request = await call.body(SendEventToRun)
        event = _inbound(call, request.event_id, request.data)
        delivered = await self._to_run.deliver(snapshot, event)
        return json_response(_view(event, delivered), status=_status((delivered,)))

    async def send_by_key(self, call: ApiCall) -> Response:
        """Send the event to every pipeline that declares it: to the mailbox of its key, or to start a run."""
        request = await call.body(SendEvent)
        event = _inbound(call, request.event_id, request.data, key=request.key)
        delivered = await self._keyed.deliver(event, call.principal)
        body = EventDeliveriesView(
            event_id=event.event_id, deliveries=tuple(_view(event, item) for item in delivered)
        )
        return json_response(body, status=_status(delivered))


def _inbound(call: ApiCall, event_id: str, data: msgspec.Raw, *, key: str | None = None) -> InboundEvent:
    trace = current_context()
    return InboundEvent(
        name=call.param("name"),
        event_id=event_id,
        data=data,
        key=key,
        sender=call.principal.subject,
        delivery_id=secrets.token_hex(13),
        traceparent=trace.traceparent if trace is not None else None,
    )


def _status(delivered: tuple[PipelineDelivery, ...]) -> int:
    return 202 if any(item.status == "recorded" for item in delivered) else 200


def _view(event: InboundEvent, delivered: PipelineDelivery) -> EventDeliveryView:
    return EventDeliveryView(
        event_id=event.event_id,
        pipeline=delivered.pipeline,
        status=delivered.status,
        run_id=delivered.run_id,
        wait_id=delivered.wait_id,
    )
