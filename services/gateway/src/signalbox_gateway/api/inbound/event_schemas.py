"""The JSON bodies of events from outside."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from signalbox_core.pipeline.contract.external_event import MAX_KEY_CHARS, DeliveryStatus

EventId = Annotated[
    str, Meta(min_length=1, max_length=200, description="Chosen by the sender; a second one is a duplicate")
]
EventStatus = DeliveryStatus | Literal["recorded"]


class SendEventToRun(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sends an event to a run. `data` has the schema that the pipeline's contract declares."""

    event_id: EventId
    data: msgspec.Raw


class SendEvent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sends an event to the run that waits, or will wait, for its business key."""

    event_id: EventId
    key: Annotated[str, Meta(min_length=1, max_length=MAX_KEY_CHARS)]
    data: msgspec.Raw


class EventDeliveryView(Struct, frozen=True, kw_only=True):
    """What became of an event.

    `received`: a wait has received it, `wait_id` of the run `run_id`. `kept`: it is kept until a run waits
    for it. `duplicate`: an event of this id arrived before. `recorded`: it is stored, and no worker has
    answered yet.
    """

    event_id: str
    pipeline: str
    status: EventStatus
    run_id: str | None = None
    wait_id: str | None = None


class EventDeliveriesView(Struct, frozen=True, kw_only=True):
    """What became of an event in each pipeline whose contract declares it."""

    event_id: str
    deliveries: tuple[EventDeliveryView, ...]
