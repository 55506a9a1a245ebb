"""When the events of a run that has ended are overdue. Pure."""

from datetime import datetime, timedelta
from typing import Final

from signalbox_core.events import Snapshot
from signalbox_core.events.snapshot import ENDED

DELIVERY_TIMEOUT: Final = timedelta(seconds=60)
"""How long the events of an ended run may be in transit, for example because the receiver is down."""


def is_overdue(snapshot: Snapshot, now: datetime) -> bool:
    """Whether the run ended so long ago that a stream which does not exist yet will not appear."""
    return snapshot.status in ENDED and (
        snapshot.ended_at is None or now - snapshot.ended_at >= DELIVERY_TIMEOUT
    )
