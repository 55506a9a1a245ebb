"""The batch's book: the state of every document, who waits, which outcomes are not yet written down. Pure; no Temporal."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from signalbox_pipelines.document_batch.contract import Outcome
from signalbox_pipelines.document_batch.messages import Plan

NOT_STARTED: Final = "."
RUNNING: Final = "r"
WAITING: Final = "w"
OK: Final = "c"
FAILED: Final = "f"
"""One letter a document, in the order of the list that was given; the step's `items` in the snapshot."""

_LETTERS: Final = {"ok": OK, "failed": FAILED, "waiting": WAITING}


class Kept(Struct, frozen=True, kw_only=True):
    """The book as one execution hands it to the next."""

    plan: Plan
    next_chunk: int
    files: int
    states: str
    waiting: tuple[Outcome, ...]
    unwritten: tuple[Outcome, ...]


class Ledger:
    """Mutable, owned by one workflow instance."""

    def __init__(self, kept: Kept) -> None:
        self.plan = kept.plan
        self.next_chunk = kept.next_chunk
        self.files = kept.files
        self.waiting = {outcome.index: outcome for outcome in kept.waiting}
        self._states = list(kept.states)
        self._unwritten = list(kept.unwritten)

    @classmethod
    def of(cls, plan: Plan) -> "Ledger":
        """The book of a batch that begins."""
        return cls(
            Kept(plan=plan, next_chunk=0, files=0, states=NOT_STARTED * plan.total, waiting=(), unwritten=())
        )

    def keep(self) -> Kept:
        return Kept(
            plan=self.plan,
            next_chunk=self.next_chunk,
            files=self.files,
            states=self.states,
            waiting=tuple(self.waiting.values()),
            unwritten=tuple(self._unwritten),
        )

    @property
    def states(self) -> str:
        return "".join(self._states)

    @property
    def has_more(self) -> bool:
        return self.next_chunk < self.plan.chunks

    @property
    def ended(self) -> int:
        """Documents that are ok or failed."""
        return self._states.count(OK) + self._states.count(FAILED)

    def start(self, index: int) -> None:
        self._states[index] = RUNNING

    def is_open(self, index: int) -> bool:
        """Whether the document has not ended; the second word about one document (signal and result) changes nothing."""
        return self._states[index] in (RUNNING, WAITING)

    def note(self, outcome: Outcome) -> None:
        """Write an outcome into the book: a document waits now, or has ended."""
        if not self.is_open(outcome.index):
            return
        self._states[outcome.index] = _LETTERS[outcome.status]
        if outcome.status == "waiting":
            self.waiting[outcome.index] = outcome
            return
        self.waiting.pop(outcome.index, None)
        self._unwritten.append(outcome)

    def take_unwritten(self) -> tuple[Outcome, ...]:
        """The outcomes to be stored now; each is given out once."""
        taken = tuple(self._unwritten)
        self._unwritten.clear()
        return taken

    def sentence(self) -> str:
        """`412 of 1,000: 398 ok, 3 failed, 11 waiting for a person`."""
        counts = [
            (self._states.count(OK), "ok"),
            (self._states.count(FAILED), "failed"),
            (len(self.waiting), "waiting for a person"),
        ]
        told = ", ".join(f"{count:,} {word}" for count, word in counts if count)
        return f"{self.ended:,} of {self.plan.total:,}{': ' if told else ''}{told}"


def chunked(total: int, size: int) -> Sequence[range]:
    """The positions of each chunk."""
    return [range(start, min(start + size, total)) for start in range(0, total, size)]
