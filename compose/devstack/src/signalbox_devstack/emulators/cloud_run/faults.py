"""Faults to inject, set through `/signalbox.world.CloudRun/SetFaults` with JSON on the same port."""

from typing import Annotated

from msgspec import Meta, Struct

_Count = Annotated[int, Meta(ge=0, le=10_000)]


class CloudRunFaults(Struct, kw_only=True, forbid_unknown_fields=True):
    """How many of the next RunJob calls each fault affects.

    Attributes:
        refuse: rejected with RESOURCE_EXHAUSTED; nothing runs.
        slow_replies: the execution starts at once, the response comes `slow_reply_s` later.
        lost_replies: the execution starts, the response is UNAVAILABLE.
        zombies: the execution is reported as running, but no task starts.
        failures: the execution starts, and every task fails at once.
    """

    refuse: _Count = 0
    slow_replies: _Count = 0
    slow_reply_s: Annotated[float, Meta(ge=0, le=3_600)] = 10.0
    lost_replies: _Count = 0
    zombies: _Count = 0
    failures: _Count = 0

    def take(self, name: str) -> bool:
        """Whether this fault affects the current call; counts it down."""
        remaining: int = getattr(self, name)
        if remaining:
            setattr(self, name, remaining - 1)
        return remaining > 0
