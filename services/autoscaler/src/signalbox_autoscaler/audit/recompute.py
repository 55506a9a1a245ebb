"""Deciding recorded decisions again: the same inputs must give the same decisions."""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from signalbox_autoscaler.model import FORMAT, Decision, DecisionRecord, State
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


class Difference(Struct, frozen=True, kw_only=True):
    """A decision that came out another way: the field, as it was recorded and as it is decided now."""

    record: DecisionRecord
    field: str
    recorded: object
    decided: object


class Replayed(Struct, frozen=True, kw_only=True):
    """Attributes:
    decided: records that were decided again; skipped: those before the first one of their queue that holds a state.
    """

    decided: int
    skipped: int
    differences: tuple[Difference, ...]


def replay(records: Iterable[DecisionRecord]) -> Replayed:
    """Decide each record again, per queue in their order.

    Raises:
        InvalidInput: a record is of a later format.
    """
    states: dict[tuple[str, int], State] = {}
    decided = skipped = 0
    differences: list[Difference] = []
    for record in records:
        if record.format > FORMAT:
            raise InvalidInput(
                f"the record of {record.at.isoformat()} has format {record.format}; this version reads up to {FORMAT}"
            )
        key = (record.queue, record.epoch)
        state = record.state if record.state is not None else states.get(key)
        if state is None:
            skipped += 1
            continue
        decision = decide(record.policy, state, record.snapshot, record.at)
        decided += 1
        differences.extend(_differences(record, decision))
        states[key] = decision.state
    return Replayed(decided=decided, skipped=skipped, differences=tuple(differences))


def _differences(record: DecisionRecord, decision: Decision) -> list[Difference]:
    return [
        Difference(record=record, field=name, recorded=getattr(record, name), decided=getattr(decision, name))
        for name in _COMPARED
        if getattr(record, name) != getattr(decision, name)
    ]
