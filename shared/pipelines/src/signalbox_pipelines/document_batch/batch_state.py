"""The state of a batch: the status of every document, and the outcomes not stored yet. Pure; no Temporal."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from signalbox_pipelines.document_batch.contract import DocumentOutcome
from signalbox_pipelines.document_batch.messages import BatchPlan

NOT_STARTED: Final = "."
RUNNING: Final = "r"
WAITING: Final = "w"
OK: Final = "c"
FAILED: Final = "f"
"""One letter per document, in the order of the input; the `items` of the step in the snapshot."""

_LETTERS: Final = {"ok": OK, "failed": FAILED, "waiting": WAITING}


class SavedBatchState(Struct, frozen=True, kw_only=True):
    """The state that one execution passes to the next (continue-as-new)."""

    plan: BatchPlan
    next_chunk: int
    files: int
    states: str
    waiting: tuple[DocumentOutcome, ...]
    unwritten: tuple[DocumentOutcome, ...]


class BatchState:
    """The state of a running batch. Mutable; owned by one workflow instance."""

    def __init__(self, saved: SavedBatchState) -> None:
        self.plan = saved.plan
        self.next_chunk = saved.next_chunk
        self.files = saved.files
        self.waiting = {outcome.index: outcome for outcome in saved.waiting}
        self._states = list(saved.states)
        self._unrecorded = list(saved.unwritten)

    @classmethod
    def begin(cls, plan: BatchPlan) -> "BatchState":
        """The state of a batch that starts."""
        return cls(
            SavedBatchState(
                plan=plan, next_chunk=0, files=0, states=NOT_STARTED * plan.total, waiting=(), unwritten=()
            )
        )

    def save(self) -> SavedBatchState:
        return SavedBatchState(
            plan=self.plan,
            next_chunk=self.next_chunk,
            files=self.files,
            states=self.states,
            waiting=tuple(self.waiting.values()),
            unwritten=tuple(self._unrecorded),
        )

    @property
    def states(self) -> str:
        return "".join(self._states)

    @property
    def has_more(self) -> bool:
        return self.next_chunk < self.plan.chunks

    @property
    def ended(self) -> int:
        """How many documents are ok or failed."""
        return self._states.count(OK) + self._states.count(FAILED)

    def start(self, index: int) -> None:
        self._states[index] = RUNNING

    def is_open(self, index: int) -> bool:
        """Whether the document runs or waits. Its end may be reported twice, by signal and by result."""
        return self._states[index] in (RUNNING, WAITING)

    def apply(self, outcome: DocumentOutcome) -> None:
        """Record that a document waits or has ended; ignored when it has ended already."""
        if not self.is_open(outcome.index):
            return
        self._states[outcome.index] = _LETTERS[outcome.status]
        if outcome.status == "waiting":
            self.waiting[outcome.index] = outcome
            return
        self.waiting.pop(outcome.index, None)
        self._unrecorded.append(outcome)

    def drain_unrecorded(self) -> tuple[DocumentOutcome, ...]:
        """Return the outcomes to store now, each of them once."""
        drained = tuple(self._unrecorded)
        self._unrecorded.clear()
        return drained

    def summary(self) -> str:
        """Describe the progress: `412 of 1,000: 398 ok, 3 failed, 11 waiting for a person`."""
        counts = [
            (self._states.count(OK), "ok"),
            (self._states.count(FAILED), "failed"),
            (len(self.waiting), "waiting for a person"),
        ]
        details = ", ".join(f"{count:,} {word}" for count, word in counts if count)
        return f"{self.ended:,} of {self.plan.total:,}{': ' if details else ''}{details}"


def chunk_ranges(total: int, size: int) -> Sequence[range]:
    """Split positions 0 … total - 1 into consecutive ranges of at most `size`."""
    return [range(start, min(start + size, total)) for start in range(0, total, size)]
