"""Routes of external events, for which runs wait."""

from signalbox_core.crypto.api_keys import Role
from signalbox_gateway.api.endpoint import Endpoint, Reply
from signalbox_gateway.api.inbound.event_schemas import (
    EventDeliveriesView,
    EventDeliveryView,
    SendEvent,
    SendEventToRun,
)
from signalbox_gateway.api.inbound.external_events import ExternalEventHandlers
from signalbox_gateway.api.routes.replies import INVALID_BODY, problem


def external_event_routes(events: ExternalEventHandlers) -> tuple[Endpoint, ...]:
    return (
        Endpoint(
            method="POST",
            path="/v1/runs/{run_id}/events/{name}",
            name="send_event_to_run",
            summary="Send an external event to a run; idempotent by `event_id`",
            role=Role.OPERATOR,
            handle=events.send_to_run,
            body=SendEventToRun,
            replies=(
                Reply(200, "Received, kept for a later wait, or a duplicate", EventDeliveryView),
                Reply(202, "Stored; no worker responded, so the run receives it later", EventDeliveryView),
                problem(404, "The run does not exist, or its contract does not declare the event"),
                problem(409, "The run has ended, or stores the maximum number of events"),
                *INVALID_BODY,
            ),
        ),
        Endpoint(
            method="POST",
            path="/v1/events/{name}",
            name="send_event",
            summary="Send an external event that starts a run, or that a run waits for by its business key",
            role=Role.OPERATOR,
            handle=events.send_by_key,
            body=SendEvent,
            replies=(
                Reply(
                    200, "Received, kept for a wait, a duplicate, or has started a run", EventDeliveriesView
                ),
                Reply(
                    202,
                    "Stored; no worker responded or Temporal is unavailable, so it takes effect later",
                    EventDeliveriesView,
                ),
                problem(404, "No installed pipeline declares the event"),
                problem(409, "Too many events with this key are waiting"),
                *INVALID_BODY,
            ),
        ),
    )
