"""The values that the rest of the autoscaler computes with and records: policy, snapshot, state, decision.

Durations are seconds, in fields that end in `_s`. Instants are aware UTC, money is `Decimal`. Most of these
values are part of the decision log, so the names of their fields are a recorded format.
"""

from signalbox_autoscaler.model.decision import (
    FORMAT,
    Binding,
    ScalingAction,
    ScalingDecision,
    ScalingDecisionRecord,
    SizingInputs,
)
from signalbox_autoscaler.model.policy import ScalingPolicy
from signalbox_autoscaler.model.snapshot import (
    OPEN,
    Launch,
    LaunchState,
    QueueSnapshot,
    Spending,
    WorkerSeen,
)
from signalbox_autoscaler.model.state import CapacityStep, DrainForecast, LoadSample, SizingState

__all__ = [
    "FORMAT",
    "OPEN",
    "Binding",
    "CapacityStep",
    "DrainForecast",
    "Launch",
    "LaunchState",
    "LoadSample",
    "QueueSnapshot",
    "ScalingAction",
    "ScalingDecision",
    "ScalingDecisionRecord",
    "ScalingPolicy",
    "SizingInputs",
    "SizingState",
    "Spending",
    "WorkerSeen",
]
