"""The in-memory state: published messages, their deliveries, ordering keys and consumers. Data only."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from signalbox_devstack.emulators.pubsub import wire


@dataclass(slots=True, eq=False)
class StoredMessage:
    """A message in its topic's log. `references` counts the subscriptions that still need it."""

    number: int
    topic: str
    published_s: float
    wire: wire.PubsubMessage
    size_bytes: int
    references: int = 0


class DeliveryState(Enum):
    READY = "ready"
    LEASED = "leased"
    DELAYED = "delayed"
    """Failed and waiting for its backoff to end."""
    DONE = "done"


@dataclass(slots=True, eq=False)
class Delivery:
    """The delivery of one message to one subscription.

    Attributes:
        failures: nacks and expired leases so far; delivery attempt = failures + 1.
        lease: changes when a lease starts or ends, so that old acknowledgement ids do not match.
        acked: acknowledged while an earlier message of its key is outstanding, hence not final.
    """

    message: StoredMessage
    failures: int = 0
    state: DeliveryState = DeliveryState.READY
    lease: int = 0
    deadline_s: float = 0.0
    acked: bool = False
    consumer: "Consumer | None" = None
    key_queue: "KeyQueue | None" = None

    @property
    def number(self) -> int:
        return self.message.number


@dataclass(slots=True, eq=False)
class KeyQueue:
    """One ordering key of one subscription. Its outstanding messages all belong to one consumer.

    Attributes:
        sent: leased messages, oldest first; an acknowledged one stays until all earlier ones are
        acknowledged.
        offered_to: the queue that this one is offered in; entries in other queues are stale.
    """

    key: str
    waiting: deque[Delivery] = field(default_factory=deque)
    sent: dict[int, Delivery] = field(default_factory=dict)
    owner: "Consumer | None" = None
    blocked_until_s: float = 0.0
    offered_to: "deque[KeyQueue] | None" = None


@dataclass(slots=True, eq=False)
class Consumer:
    """A receiver of messages: a stream, a pull or a push task. A limit of 0 means unlimited.

    Attributes:
        one_at_a_time_per_key: receive the next message of a key only after the previous one is settled
        (push).
        wake: called when messages may be available.
    """

    wake: Callable[[], None]
    ack_deadline_s: float = 10.0
    max_messages: int = 0
    max_bytes: int = 0
    one_at_a_time_per_key: bool = False
    closed: bool = False
    messages: int = 0
    bytes: int = 0
    key_queues: deque[KeyQueue] = field(default_factory=deque)

    def has_room(self) -> bool:
        return (self.max_messages <= 0 or self.messages < self.max_messages) and (
            self.max_bytes <= 0 or self.bytes < self.max_bytes
        )
