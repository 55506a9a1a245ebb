"""Decision records: complete enough to be decided again, few enough to be kept. Pure."""

from datetime import timedelta
from decimal import Decimal
from typing import Final

from msgspec import Struct

from signalbox_autoscaler.audit.explanation import explain
from signalbox_autoscaler.model import (
    FORMAT,
    Action,
    Binding,
    Decision,
    DecisionRecord,
    Policy,
    Snapshot,
    State,
)

STRETCH: Final = 60
"""Records after which the state is written again, so that a reader can begin there."""
QUIET_EVERY: Final = timedelta(seconds=60)
"""How often a queue with nothing to see is recorded."""


class Made(Struct, frozen=True, kw_only=True):
    """A decision with what it was made from. `spent_hour`, `spent_day`: the ledger after it."""

    policy: Policy
    state: State
    snapshot: Snapshot
    decision: Decision
    epoch: int
    spent_hour: Decimal | None = None
    spent_day: Decimal | None = None


class Recorder:
    """Makes the records of one leader; begin with a new one after every change of leader."""

    def __init__(self) -> None:
        self._since_state: dict[str, int] = {}
        self._quiet: dict[str, DecisionRecord] = {}

    def record(self, made: Made) -> DecisionRecord | None:
        """The record, or None: nothing was to be seen, as less than a minute ago."""
        queue, at = made.snapshot.queue, made.snapshot.taken_at
        quiet = is_quiet(made)
        last = self._quiet.get(queue)
        if quiet and last is not None and at - last.at < QUIET_EVERY:
            self._since_state.pop(queue, None)
            return None
        with_state = self._since_state.get(queue, STRETCH) >= STRETCH
        self._since_state[queue] = 1 if with_state else self._since_state[queue] + 1
        record = record_of(made, with_state=with_state)
        if quiet:
            self._quiet[queue] = record
        else:
            self._quiet.pop(queue, None)
        return record


def is_quiet(made: Made) -> bool:
    """Whether there is no work, no burst worker, no launch and nothing to do."""
    terms, idle = (
        made.decision.terms,
        made.decision.action is Action.HOLD and made.decision.binding is Binding.NONE,
    )
    return idle and not (terms.backlog or terms.hint or terms.used or terms.workers or made.snapshot.launches)


def record_of(made: Made, *, with_state: bool) -> DecisionRecord:
    decision = made.decision
    return DecisionRecord(
        at=made.snapshot.taken_at,
        queue=made.snapshot.queue,
        epoch=made.epoch,
        policy=made.policy,
        snapshot=made.snapshot,
        action=decision.action,
        binding=decision.binding,
        terms=decision.terms,
        sentence=explain(made.policy, made.snapshot, decision),
        launches=decision.launches,
        retire=decision.retire,
        cancel=decision.cancel,
        predicted_drain_s=decision.predicted_drain_s,
        drained_s=decision.drained_s,
        foreseen_s=decision.foreseen_s,
        state=made.state if with_state else None,
        dry_run=made.policy.dry_run,
        spent_hour=made.spent_hour,
        spent_day=made.spent_day,
        format=FORMAT,
    )
