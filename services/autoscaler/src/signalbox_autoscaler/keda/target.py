"""The slots that a queue should have, from the latest scaling decision. Pure."""

from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from signalbox_autoscaler.audit.records import IDLE_INTERVAL
from signalbox_autoscaler.model import Binding, ScalingDecisionRecord
from signalbox_core.errors import Unavailable

_MAX_AGE: Final = IDLE_INTERVAL + timedelta(seconds=30)
"""An idle queue is recorded once in IDLE_INTERVAL; another autoscaler takes over within seconds."""


class SlotTarget(Struct, frozen=True, kw_only=True):
    """What a scaler of the base workers should aim at.

    Attributes:
        slots: activities at once, of all workers together.
        slots_per_worker: of one worker, by the policy.
        is_active: activities wait, run or are still to be scheduled, so at least one worker is needed.
    """

    slots: int
    slots_per_worker: int
    is_active: bool


def slot_target(record: ScalingDecisionRecord, now: datetime) -> SlotTarget:
    """Compute the target: the present slots and the missing ones, or without the surplus ones.

    Slots with a running activity are always part of it, so workers are not removed under their work because
    nothing waits.

    Raises:
        Unavailable: the decision is old, or was made without fresh observations; the scaler should change
            nothing.
    """
    if now - record.at > _MAX_AGE:
        raise Unavailable(f"the latest decision about {record.queue} is older than {_MAX_AGE.seconds} s")
    if record.binding is Binding.STALE:
        raise Unavailable(f"the latest observation of {record.queue} is incomplete; see /readyz")
    terms, slots_per_worker = record.terms, record.policy.slots_per_worker
    missing = terms.wanted * slots_per_worker
    slots = terms.capacity + terms.pending + missing if missing else terms.capacity - terms.surplus
    return SlotTarget(
        slots=max(slots, terms.used),
        slots_per_worker=slots_per_worker,
        is_active=terms.has_work or terms.used > 0,
    )
