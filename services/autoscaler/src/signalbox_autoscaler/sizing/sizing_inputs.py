"""The value that the rules of the sizing algorithm share."""

from datetime import datetime

from msgspec import Struct

from signalbox_autoscaler.model import QueueSnapshot, ScalingPolicy, SizingInputs, SizingState
from signalbox_autoscaler.sizing.capacity import WorkerFleet


class Sizing(Struct, frozen=True, kw_only=True):
    """One queue in one tick: everything a rule may look at.

    Attributes:
        state: as updated by the rules applied so far.
        fleet: counted from the snapshot.
        inputs: the numbers of the formula; all zero until `demand` has computed them.
        now: the only clock of the rules.
    """

    policy: ScalingPolicy
    state: SizingState
    snapshot: QueueSnapshot
    fleet: WorkerFleet
    now: datetime
    inputs: SizingInputs = SizingInputs()
