"""What the server keeps in memory: published messages, their deliveries, and who takes them. Data only."""

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


class State(Enum):
    READY = "ready"
    LEASED = "leased"
    DELAYED = "delayed"
    """Failed, and waits for its back-off to end."""
    DONE = "done"


@dataclass(slots=True, eq=False)
class Delivery:
    """One message on its way to one subscription.

    Attributes:
        failures: nacks and expired leases so far; delivery attempt = failures + 1.
        lease: changes with every lease and at its end, so an older acknowledgement id is told apart.
        acked: acknowledged while an earlier message of its key is still out, hence not final.
    """

    message: StoredMessage
    failures: int = 0
    state: State = State.READY
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
    """One ordering key of one subscription: many messages may be out, but to one consumer only.

    Attributes:
        sent: leased, oldest first; acknowledged ones stay until everything before them is.
        offered_to: the queue this key_queue stands in; an entry elsewhere is stale.
    """

    key: str
    waiting: deque[Delivery] = field(default_factory=deque)
    sent: dict[int, Delivery] = field(default_factory=dict)
    owner: "Consumer | None" = None
    blocked_until_s: float = 0.0
    offered_to: "deque[KeyQueue] | None" = None


@dataclass(slots=True, eq=False)
class Consumer:
    """Who takes messages: a stream, one pull, or the pusher. Limits of zero mean none.

    Attributes:
        one_at_a_time_per_key: take the next message of a key only when the one before is settled (push).
        wake: called when there may be something to take.
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
