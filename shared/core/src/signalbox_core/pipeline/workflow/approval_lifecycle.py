"""The life cycle of an approval as one table: state and input to the next state and an effect. Pure.

`ApprovalRegistry` applies it; tools/approval_diagram.py draws it in docs/approval-lifecycle.md.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from msgspec import Struct


class ApprovalPhase(StrEnum):
    """The state of one approval inside the workflow."""

    UNASKED = "unasked"
    EARLY = "early"
    """A decision has arrived before the question."""
    ASKING = "asking"
    """The question is asked and is being recorded in the history, for milliseconds. Shown as `pending`."""
    PENDING = "pending"
    CARRIED = "carried"
    """Carried over to the run's next execution, and not asked again there yet. Shown as `pending`."""
    DECIDED = "decided"
    VETOED = "vetoed"
    """An objection with the right of veto ended the question."""
    EXPIRED = "expired"
    DEFAULTED = "defaulted"
    """The deadline passed and the run continues with its default answer.

    The snapshot has the status `expired` and the outcome `defaulted`.
    """
    WITHDRAWN = "withdrawn"
    """The run no longer asks: its `ask` was cancelled, or it continued as new without the question."""
    CANCELLED = "cancelled"
    """The run ended while the approval was open."""


class ApprovalInput(StrEnum):
    """What can happen to an approval."""

    ASK = "ask"
    DECIDE = "decide"
    """A vote that fills the quorum of its answer; with the default policy, any answer."""
    VOTE = "vote"
    """A vote that fills no quorum, or an objection without the right of veto."""
    VETO = "veto"
    REPEAT = "repeat"
    """A decision with an id that is on record."""
    OTHER = "other decision"
    """A decision with another id than the one on record."""
    RECORDED = "recorded"
    RECORDED_EARLY = "recorded, early decision accepted"
    DEADLINE = "deadline"
    DEADLINE_WITH_DEFAULT = "deadline with default"
    ASSIGN = "claim, release or delegate"
    CARRY = "carry over"
    """The run continues as new with the question."""
    ASK_AGAIN = "ask again"
    """The run's next execution asks a question that was carried over."""
    WITHDRAW = "withdraw"
    CANCEL = "cancel run"


class ApprovalEffect(StrEnum):
    """What the run does on a transition."""

    REQUEST = "record approval.requested"
    REQUEST_AND_VALIDATE = "record approval.requested and the verdict on the early decision"
    DEFER = "wait until the question is recorded"
    DEFER_CARRIED = "wait until the question is asked again"
    HOLD = "hold the decision until the question is asked"
    RECORD = "record approval.decided"
    COUNT = "record approval.voted"
    VETO = "record approval.vetoed"
    ASSIGN = "record approval.claimed, approval.released or approval.delegated"
    RETURN = "return the decision on record"
    EXPIRE = "record approval.expired and fail the run"
    TAKE_DEFAULT = "record approval.expired and use the default answer"
    CARRY = "pass the question to the run's next execution"
    RESUME = "continue with its votes, claim, deadline and ladder"
    WITHDRAW = "record approval.withdrawn"
    END = "close it with the run"
    NOTHING = "nothing"
    REFUSE_UNASKED = "refuse: unknown_approval"
    REFUSE_DECIDED = "refuse: already_decided"
    REFUSE_VETOED = "refuse: vetoed"
    REFUSE_EXPIRED = "refuse: approval_expired"
    REFUSE_WITHDRAWN = "refuse: withdrawn"
    REFUSE_ENDED = "refuse: conflict"
    BUG = "fail the run: approval id asked twice"
    IMPOSSIBLE = "cannot happen"


class Transition(Struct, frozen=True):
    """One cell of the table."""

    phase: ApprovalPhase
    effect: ApprovalEffect


_P, _I, _E = ApprovalPhase, ApprovalInput, ApprovalEffect

OPEN: Final = frozenset({_P.ASKING, _P.PENDING, _P.CARRIED})
"""The question is asked and has no outcome."""
CLOSED: Final = frozenset({_P.DECIDED, _P.VETOED, _P.EXPIRED, _P.DEFAULTED, _P.WITHDRAWN, _P.CANCELLED})
"""The outcomes: no input leads from one of these to another state."""

_REFUSALS: Final[Mapping[ApprovalPhase, ApprovalEffect]] = {
    _P.VETOED: _E.REFUSE_VETOED,
    _P.EXPIRED: _E.REFUSE_EXPIRED,
    _P.DEFAULTED: _E.REFUSE_EXPIRED,
    _P.WITHDRAWN: _E.REFUSE_WITHDRAWN,
    _P.CANCELLED: _E.REFUSE_ENDED,
}

_OPEN_CELLS: Final[Mapping[tuple[ApprovalPhase, ApprovalInput], Transition]] = {
    (_P.UNASKED, _I.ASK): Transition(_P.ASKING, _E.REQUEST),
    (_P.UNASKED, _I.DECIDE): Transition(_P.EARLY, _E.HOLD),
    (_P.UNASKED, _I.ASSIGN): Transition(_P.UNASKED, _E.REFUSE_UNASKED),
    (_P.UNASKED, _I.CANCEL): Transition(_P.UNASKED, _E.NOTHING),
    (_P.EARLY, _I.ASK): Transition(_P.ASKING, _E.REQUEST_AND_VALIDATE),
    (_P.EARLY, _I.REPEAT): Transition(_P.EARLY, _E.RETURN),
    (_P.EARLY, _I.OTHER): Transition(_P.EARLY, _E.REFUSE_DECIDED),
    (_P.EARLY, _I.ASSIGN): Transition(_P.EARLY, _E.REFUSE_UNASKED),
    (_P.EARLY, _I.CANCEL): Transition(_P.EARLY, _E.NOTHING),
    (_P.ASKING, _I.ASK): Transition(_P.ASKING, _E.BUG),
    (_P.ASKING, _I.DECIDE): Transition(_P.ASKING, _E.DEFER),
    (_P.ASKING, _I.ASSIGN): Transition(_P.ASKING, _E.DEFER),
    (_P.ASKING, _I.RECORDED): Transition(_P.PENDING, _E.NOTHING),
    (_P.ASKING, _I.RECORDED_EARLY): Transition(_P.DECIDED, _E.RECORD),
    (_P.ASKING, _I.DEADLINE): Transition(_P.EXPIRED, _E.EXPIRE),
    (_P.ASKING, _I.DEADLINE_WITH_DEFAULT): Transition(_P.DEFAULTED, _E.TAKE_DEFAULT),
    (_P.ASKING, _I.WITHDRAW): Transition(_P.WITHDRAWN, _E.WITHDRAW),
    (_P.ASKING, _I.CANCEL): Transition(_P.CANCELLED, _E.END),
    (_P.PENDING, _I.ASK): Transition(_P.PENDING, _E.BUG),
    (_P.PENDING, _I.DECIDE): Transition(_P.DECIDED, _E.RECORD),
    (_P.PENDING, _I.VOTE): Transition(_P.PENDING, _E.COUNT),
    (_P.PENDING, _I.VETO): Transition(_P.VETOED, _E.VETO),
    (_P.PENDING, _I.ASSIGN): Transition(_P.PENDING, _E.ASSIGN),
    (_P.PENDING, _I.REPEAT): Transition(_P.PENDING, _E.RETURN),
    (_P.PENDING, _I.DEADLINE): Transition(_P.EXPIRED, _E.EXPIRE),
    (_P.PENDING, _I.DEADLINE_WITH_DEFAULT): Transition(_P.DEFAULTED, _E.TAKE_DEFAULT),
    (_P.PENDING, _I.CARRY): Transition(_P.CARRIED, _E.CARRY),
    (_P.PENDING, _I.WITHDRAW): Transition(_P.WITHDRAWN, _E.WITHDRAW),
    (_P.PENDING, _I.CANCEL): Transition(_P.CANCELLED, _E.END),
    (_P.CARRIED, _I.ASK): Transition(_P.CARRIED, _E.BUG),
    (_P.CARRIED, _I.DECIDE): Transition(_P.CARRIED, _E.DEFER_CARRIED),
    (_P.CARRIED, _I.REPEAT): Transition(_P.CARRIED, _E.RETURN),
    (_P.CARRIED, _I.ASSIGN): Transition(_P.CARRIED, _E.DEFER_CARRIED),
    (_P.CARRIED, _I.ASK_AGAIN): Transition(_P.PENDING, _E.RESUME),
    (_P.CARRIED, _I.WITHDRAW): Transition(_P.WITHDRAWN, _E.WITHDRAW),
    (_P.CARRIED, _I.CANCEL): Transition(_P.CANCELLED, _E.END),
    (_P.DECIDED, _I.ASSIGN): Transition(_P.DECIDED, _E.REFUSE_DECIDED),
    (_P.DECIDED, _I.OTHER): Transition(_P.DECIDED, _E.REFUSE_DECIDED),
}


_IGNORED_AFTER_THE_OUTCOME: Final = frozenset(
    {
        _I.RECORDED,
        _I.RECORDED_EARLY,
        _I.DEADLINE,
        _I.DEADLINE_WITH_DEFAULT,
        _I.CARRY,
        _I.ASK_AGAIN,
        _I.WITHDRAW,
        _I.CANCEL,
    }
)


def _closed_cell(phase: ApprovalPhase, given: ApprovalInput) -> Transition:
    if given is _I.ASK:
        return Transition(phase, _E.BUG)
    if given is _I.REPEAT:
        return Transition(phase, _E.RETURN)
    if given in (_I.DECIDE, _I.ASSIGN) and phase in _REFUSALS:
        return Transition(phase, _REFUSALS[phase])
    if given in _IGNORED_AFTER_THE_OUTCOME:
        return Transition(phase, _E.NOTHING)
    return Transition(phase, _E.IMPOSSIBLE)


def _cell(phase: ApprovalPhase, given: ApprovalInput) -> Transition:
    found = _OPEN_CELLS.get((phase, given))
    if found is not None:
        return found
    return _closed_cell(phase, given) if phase in CLOSED else Transition(phase, _E.IMPOSSIBLE)


TABLE: Final[Mapping[tuple[ApprovalPhase, ApprovalInput], Transition]] = {
    (phase, given): _cell(phase, given) for phase in ApprovalPhase for given in ApprovalInput
}
"""Every state with every input."""
