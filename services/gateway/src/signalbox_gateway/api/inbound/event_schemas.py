"""The JSON bodies of external events."""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from signalbox_core.pipeline.contract.external_event import MAX_KEY_CHARS
from signalbox_gateway.runs.inbound.keyed_delivery import EventStatus

EventId = Annotated[
    str, Meta(min_length=1, max_length=200, description="Chosen by the sender; a second one is a duplicate")
]


class SendEventToRun(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sends an event to a run. `data` has the schema that the pipeline's contract declares."""

    event_id: EventId
    data: msgspec.Raw


class SendEvent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sends an event to the run that waits, or will wait, for its business key, or starts a run by it.

    An event that starts runs needs a `key` only if its contract starts one run for each key.
    """

    event_id: EventId
    data: msgspec.Raw
    key: Annotated[str, Meta(min_length=1, max_length=MAX_KEY_CHARS)] | None = None


class EventDeliveryView(Struct, frozen=True, kw_only=True):
    """The outcome of an event.

    `received`: a wait has received it, `wait_id` of the run `run_id`. `kept`: it is kept until a run waits
    for it. `started`: it has started the run `run_id`. `duplicate`: an event of this id, or of this key where
    one run is started for each key, arrived before. `recorded`: it is stored, and takes effect when a worker
    or Temporal is available again.
    """

    event_id: str
    pipeline: str
    status: EventStatus
    run_id: str | None = None
    wait_id: str | None = None


class EventDeliveriesView(Struct, frozen=True, kw_only=True):
    """The outcome of an event in each pipeline whose contract declares it."""

    event_id: str
    deliveries: tuple[EventDeliveryView, ...]
