"""External events that a run waits for: their declaration, and the messages that deliver them.

Imports no Temporal client.
"""

import re
from datetime import datetime, timedelta
from typing import Any, Final, Generic, Literal, TypeVar

import msgspec
from msgspec import Struct

from signalbox_core.errors import InvalidInput
from signalbox_core.ids import derived_id, run_key
from signalbox_core.subjects import Subject

D = TypeVar("D", bound=Struct)

MAX_DATA_BYTES: Final = 64 * 1024
MAX_KEY_CHARS: Final = 200
MAX_KEPT: Final = 100
MAX_KEPT_BYTES: Final = 256 * 1024
"""How much of what arrives before its wait is kept: per run, and per mailbox."""
MAX_MAILBOX_WAITS: Final = 500
"""How many runs may wait for one key at once."""

DELIVER_EVENT: Final = "deliver_event"
"""Update with an `InboundEvent` → `InboundEventRecord`. As a signal it is durable while no worker runs."""
MAILBOX: Final = "signalbox.mailbox"
"""The workflow that keeps the events of one business key until a run waits for them."""
DELIVER_TO_MAILBOX: Final = "deliver"
OPEN_WAIT: Final = "open_wait"
CLOSE_WAIT: Final = "close_wait"
RETURN_EVENT: Final = "return_event"
"""The mailbox's signals: an `InboundEvent`, a `MailboxWait` twice, and a `ReturnedEvent`."""
REFUSE_WAIT: Final = "refuse_wait"
"""The signal with which a full mailbox refuses a `MailboxWait` of a run."""
DELIVERY_OUTCOME: Final = "delivery_outcome"
"""The mailbox's query: event id and delivery id → `InboundEventRecord`, or None."""

UNKNOWN_EVENT: Final = "unknown_event"
INVALID_EVENT: Final = "invalid_event"
DUPLICATE_EVENT: Final = "duplicate_event"
TOO_MANY_EVENTS: Final = "too_many_events"
TOO_MANY_WAITERS: Final = "too_many_waiters"
WAIT_EXPIRED: Final = "wait_expired"
CALLBACK_USED: Final = "callback_used"
CALLBACK_CLOSED: Final = "callback_closed"

_PATH: Final = re.compile(r" - at `\$(.*)`\Z")


class ExternalEvent(Struct, Generic[D], frozen=True, kw_only=True):
    """An external event that a run may wait for.

    Attributes:
        name: lower case and dotted (`payment.settled`).
        title: completes "Waiting for …".
        data: the type of what the event carries.
        timeout: how long a wait lasts unless `Run.wait_for` gives another timeout.
        keep: how long an event that arrives before its wait is kept.
    """

    name: str
    title: str
    data: type[D]
    timeout: timedelta = timedelta(days=7)
    keep: timedelta = timedelta(days=7)


DeliveryStatus = Literal["received", "kept", "duplicate", "refused"]


class InboundEvent(Struct, frozen=True, kw_only=True):
    """An external event on its way to a run.

    Attributes:
        event_id: the sender's, unique within the name. A second event of the same id is a duplicate.
        delivery_id: of one request; distinguishes a repeated delivery from the first one.
        wait_id: of the wait for which a mailbox forwards it; without a key, of the callback that it ends.
        traceparent: the trace context of the request.
    """

    name: str
    event_id: str
    data: msgspec.Raw
    key: str | None = None
    sender: Subject | None = None
    delivery_id: str = ""
    wait_id: str | None = None
    traceparent: str | None = None

    @property
    def is_for_callback(self) -> bool:
        """Whether the event ends the wait `wait_id` and no other."""
        return self.key is None and self.wait_id is not None

    @property
    def is_from_mailbox(self) -> bool:
        """Whether a mailbox has forwarded the event, for the wait `wait_id`."""
        return self.key is not None and self.wait_id is not None


class Callback(Struct, frozen=True, kw_only=True):
    """A wait of a run that a POST to a one-time URL ends.

    It is no secret: only the payload keys make a URL of it (`ActivityDeps.callback_url`).
    """

    pipeline: str
    workflow_id: str
    wait_id: str
    name: str
    expires_at: datetime


class InboundEventRecord(Struct, frozen=True, kw_only=True):
    """The outcome of an event.

    Attributes:
        status: `received` by a wait, `kept` for one, a `duplicate`, or `refused`, because too many are kept.
        run_id, wait_id: of the wait that received it, also of a duplicate.
    """

    event_id: str
    status: DeliveryStatus
    run_id: str | None = None
    wait_id: str | None = None


class MailboxWait(Struct, frozen=True, kw_only=True):
    """A run that waits for an event with the mailbox's key."""

    workflow_id: str
    wait_id: str
    expires_at: datetime


class ReturnedEvent(Struct, frozen=True, kw_only=True):
    """An event that a mailbox has forwarded for a wait that had ended.

    Attributes:
        workflow_id: of the run that returns it.
    """

    event: InboundEvent
    workflow_id: str


class KeptEvent(Struct, frozen=True, kw_only=True):
    """An event that arrived before its wait."""

    event: InboundEvent
    kept_at: datetime


class SettledEvent(Struct, frozen=True, kw_only=True):
    """An event that a run has received; remembered so that duplicates are recognized."""

    record: InboundEventRecord
    delivery_id: str
    settled_at: datetime


class MailboxContent(Struct, frozen=True, kw_only=True):
    """The input of a mailbox, and its whole state when it continues as new.

    Attributes:
        refused: event id and delivery id of the latest deliveries that were refused.
        refused_waits: those whose runs are to be informed.
    """

    name: str
    key: str
    keep_s: float
    waits: tuple[MailboxWait, ...] = ()
    kept: tuple[KeptEvent, ...] = ()
    settled: tuple[SettledEvent, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    refused_waits: tuple[MailboxWait, ...] = ()


class MailboxAddress(Struct, frozen=True, kw_only=True):
    """The mailbox of a business key: one for each tenant, pipeline, event name and key."""

    tenant: str
    pipeline: str
    name: str
    key: str
    keep_s: float

    @property
    def workflow_id(self) -> str:
        """The mailbox's id in Temporal. No run id equals it, because of the slash."""
        return run_key(self.tenant, f"mailbox/{derived_id(self.pipeline, self.name, self.key)}")


def check_event_data(event: ExternalEvent[Any], data: msgspec.Raw) -> None:
    """Check what an event carries against the contract.

    Raises:
        InvalidInput: `invalid_event`, with the field as a path (`data.amount`).
    """
    if len(bytes(data)) > MAX_DATA_BYTES:
        raise InvalidInput(
            f"the data has more than {MAX_DATA_BYTES} bytes; store the body elsewhere and send a reference",
            field="data",
            code=INVALID_EVENT,
        )
    try:
        msgspec.json.decode(data, type=event.data)
    except (msgspec.DecodeError, RecursionError) as error:
        found = _PATH.search(str(error))
        raise InvalidInput(
            f"data of {event.name}: {_PATH.sub('', str(error))}",
            field=f"data{found.group(1) if found else ''}",
            code=INVALID_EVENT,
        ) from None


def check_key(key: str) -> None:
    """Raises: InvalidInput: the key is not 1 to MAX_KEY_CHARS printable characters."""
    if not 1 <= len(key) <= MAX_KEY_CHARS or not key.isprintable():
        raise InvalidInput(f"a key has 1 to {MAX_KEY_CHARS} printable characters", field="key")
