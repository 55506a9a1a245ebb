"""What shall go wrong next: set over the same port, `/signalbox.world.CloudRun/SetFaults` with JSON."""

from typing import Annotated

from msgspec import Meta, Struct

_Count = Annotated[int, Meta(ge=0, le=10_000)]


class CloudRunFaults(Struct, kw_only=True, forbid_unknown_fields=True):
    """Each counts down with the calls of RunJob that it spoils.

    Attributes:
        refuse: answered RESOURCE_EXHAUSTED; nothing runs.
        slow_replies: taken at once, answered `slow_reply_s` later.
        lost_replies: taken, and answered UNAVAILABLE.
        zombies: taken, but the tasks only seem to run: they never do anything.
        failures: taken, and every task fails at once.
    """

    refuse: _Count = 0
    slow_replies: _Count = 0
    slow_reply_s: Annotated[float, Meta(ge=0, le=3_600)] = 10.0
    lost_replies: _Count = 0
    zombies: _Count = 0
    failures: _Count = 0

    def take(self, name: str) -> bool:
        """Whether this call is spoilt so; counts it."""
        left: int = getattr(self, name)
        if left:
            setattr(self, name, left - 1)
        return left > 0
