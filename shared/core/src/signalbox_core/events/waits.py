"""The data of events about waits: a run waits for an external event."""

from datetime import datetime
from typing import Final, Literal

import msgspec
from msgspec import Struct

from signalbox_core.subjects import Subject

WaitStatus = Literal["pending", "received", "expired", "withdrawn", "cancelled"]
MAX_WAITS: Final = 500
"""How often one run may wait: its snapshot lists all waits."""


class WaitRequested(Struct, frozen=True, kw_only=True):
    """The run waits for an external event.

    Attributes:
        wait_id: unique in the run (`payment.settled`, `payment.settled-2`).
        name: of the event in the pipeline's contract.
        key: the business key that the event must have; null for an event that is addressed to the run.
        is_callback: only a POST to the one-time URL of this wait ends it.
    """

    wait_id: str
    name: str
    title: str
    deadline_at: datetime
    key: str | None = None
    step: str | None = None
    is_callback: bool = False


class WaitReceived(Struct, frozen=True, kw_only=True):
    """The event that ended the wait. `event_id` is that of its sender."""

    wait_id: str
    name: str
    event_id: str
    data: msgspec.Raw
    key: str | None = None
    sender: Subject | None = None


class WaitExpired(Struct, frozen=True, kw_only=True):
    wait_id: str


class WaitWithdrawn(Struct, frozen=True, kw_only=True):
    wait_id: str
