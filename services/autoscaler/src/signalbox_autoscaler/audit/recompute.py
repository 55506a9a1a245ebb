"""Recompute recorded decisions: the same inputs must give the same decisions."""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from signalbox_autoscaler.model import FORMAT, ScalingDecision, ScalingDecisionRecord, SizingState
from signalbox_autoscaler.sizing import decide
from signalbox_core.errors import InvalidInput

_COMPARED: Final = (
    "action",
    "binding",
    "terms",
    "launches",
    "retire",
    "cancel",
    "predicted_drain_s",
    "drained_s",
)


class RecomputedDifference(Struct, frozen=True, kw_only=True):
    """A field of a decision whose recomputed value differs from the recorded one."""

    record: ScalingDecisionRecord
    field: str
    recorded: object
    decided: object


class RecomputeResult(Struct, frozen=True, kw_only=True):
    """The outcome of a recomputation.

    Attributes:
        decided: number of recomputed records.
        skipped: records before the first one of their queue that contains a state.
    """

    decided: int
    skipped: int
    differences: tuple[RecomputedDifference, ...]


def recompute(records: Iterable[ScalingDecisionRecord]) -> RecomputeResult:
    """Recompute each record from its inputs.

    Args:
        records: those of a queue in the order of their time.

    Raises:
        InvalidInput: a record has a newer format.
    """
    states: dict[tuple[str, int], SizingState] = {}
    decided = skipped = 0
    differences: list[RecomputedDifference] = []
    for record in records:
        if record.format > FORMAT:
            raise InvalidInput(
                f"the record of {record.at.isoformat()} has format {record.format};"
                f" this version reads up to {FORMAT}"
            )
        key = (record.queue, record.epoch)
        state = record.state if record.state is not None else states.get(key)
        if state is None:
            skipped += 1
            continue
        decision = decide(record.policy, state, record.snapshot, record.at)
        decided += 1
        differences.extend(_compare(record, decision))
        states[key] = decision.state
    return RecomputeResult(decided=decided, skipped=skipped, differences=tuple(differences))


def _compare(record: ScalingDecisionRecord, decision: ScalingDecision) -> list[RecomputedDifference]:
    return [
        RecomputedDifference(
            record=record, field=name, recorded=getattr(record, name), decided=getattr(decision, name)
        )
        for name in _COMPARED
        if getattr(record, name) != getattr(decision, name)
    ]
