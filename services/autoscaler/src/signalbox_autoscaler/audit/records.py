"""Decision records: complete enough to be recomputed, few enough to be kept. Pure."""

from datetime import timedelta
from decimal import Decimal
from typing import Final

from msgspec import Struct

from signalbox_autoscaler.audit.explanation import explain
from signalbox_autoscaler.model import (
    FORMAT,
    Binding,
    QueueSnapshot,
    ScalingAction,
    ScalingDecision,
    ScalingDecisionRecord,
    ScalingPolicy,
    SizingState,
)

STATE_EVERY: Final = 60
"""Every sixtieth record contains the state, so that a reader can begin there."""
IDLE_INTERVAL: Final = timedelta(seconds=60)
"""How often an idle queue is recorded."""


class Evaluation(Struct, frozen=True, kw_only=True):
    """A decision with its inputs.

    Attributes:
        state: as passed to `decide`.
        spent_hour, spent_day: from the ledger, read before the decision.
    """

    policy: ScalingPolicy
    state: SizingState
    snapshot: QueueSnapshot
    decision: ScalingDecision
    epoch: int
    spent_hour: Decimal | None = None
    spent_day: Decimal | None = None


class DecisionRecorder:
    """Selects what to record in one term of leadership; a new leader needs a new recorder."""

    def __init__(self) -> None:
        self._since_state: dict[str, int] = {}
        self._last_idle: dict[str, ScalingDecisionRecord] = {}

    def record(self, evaluation: Evaluation) -> ScalingDecisionRecord | None:
        """The record of an evaluation, or None: the queue is idle and was recorded less than a minute ago."""
        queue, at = evaluation.snapshot.queue, evaluation.snapshot.taken_at
        idle = is_idle(evaluation)
        last = self._last_idle.get(queue)
        if idle and last is not None and at - last.at < IDLE_INTERVAL:
            # The next record does not follow from the last one, so it must contain the state.
            self._since_state.pop(queue, None)
            return None
        with_state = self._since_state.get(queue, STATE_EVERY) >= STATE_EVERY
        self._since_state[queue] = 1 if with_state else self._since_state[queue] + 1
        record = build_record(evaluation, with_state=with_state)
        if idle:
            self._last_idle[queue] = record
        else:
            self._last_idle.pop(queue, None)
        return record


def is_idle(evaluation: Evaluation) -> bool:
    """Whether there is no work, no burst worker, no launch and nothing to do."""
    decision, inputs = evaluation.decision, evaluation.decision.terms
    holds = decision.action is ScalingAction.HOLD and decision.binding is Binding.NONE
    return holds and not (inputs.has_work or inputs.used or inputs.workers or evaluation.snapshot.launches)


def build_record(evaluation: Evaluation, *, with_state: bool) -> ScalingDecisionRecord:
    decision = evaluation.decision
    return ScalingDecisionRecord(
        at=evaluation.snapshot.taken_at,
        queue=evaluation.snapshot.queue,
        epoch=evaluation.epoch,
        policy=evaluation.policy,
        snapshot=evaluation.snapshot,
        action=decision.action,
        binding=decision.binding,
        terms=decision.terms,
        sentence=explain(evaluation.policy, evaluation.snapshot, decision),
        launches=decision.launches,
        retire=decision.retire,
        cancel=decision.cancel,
        predicted_drain_s=decision.predicted_drain_s,
        drained_s=decision.drained_s,
        foreseen_s=decision.foreseen_s,
        state=evaluation.state if with_state else None,
        dry_run=evaluation.policy.dry_run,
        spent_hour=evaluation.spent_hour,
        spent_day=evaluation.spent_day,
        format=FORMAT,
    )
