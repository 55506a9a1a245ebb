"""The import's book: which part is next, what of it is still to do, how large a batch may be. Owned by the workflow; pure."""

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from signalbox_pipelines.invoice_import.messages import BatchDone, Fault, Listed, Part, PartFiles, PartRecord
from signalbox_pipelines.invoice_import.months import month_title
from signalbox_pipelines.invoice_import.results import ItemFailure, MonthLine

FIRST_BATCH: Final = 8
SMALLEST_BATCH: Final = 3
LARGEST_BATCH: Final = 15
MOST_LANES: Final = 3
"""Batches of one import under way at once: while one is handed over, the others keep the portal's pace."""
MAX_TRIES: Final = 4
MAX_BARREN_TRIES: Final = 12
"""Of one invoice; when no call at all is answered it is hardly the invoice's fault."""
PATIENCE: Final = timedelta(hours=2)
"""So long may the portal answer nothing at all before the run gives up."""
_WORDS: Final = {"purchase": "purchases", "sold": "sales"}


class Kept(Struct, frozen=True, kw_only=True):
    """The book as one execution hands it to the next."""

    secret_ref: str
    lines: tuple[MonthLine, ...]
    files: tuple[PartFiles, ...]
    part: int
    listed: int
    total: int
    todo: tuple[int, ...]
    tries: dict[int, int]
    tables: int
    sign_ins: int
    captchas: int


class Ledger:
    """Mutable."""

    def __init__(self, parts: Sequence[Part], kept: Kept) -> None:
        self.parts = parts
        self.secret_ref = kept.secret_ref
        self.lines = list(kept.lines)
        self.files = list(kept.files)
        self.part = kept.part
        self.listed = kept.listed
        self.total = kept.total
        self.todo = deque(kept.todo)
        self.tries = dict(kept.tries)
        self.tables = kept.tables
        self.sign_ins = kept.sign_ins
        self.captchas = kept.captchas
        self.batch_size = FIRST_BATCH
        self.lanes = MOST_LANES
        self.barren_since: datetime | None = None
        self._unwritten = PartRecord()
        self._seen = 0
        self._under_way = 0

    @classmethod
    def of(cls, parts: Sequence[Part], secret_ref: str) -> "Ledger":
        """The book of an import that begins."""
        kept = Kept(
            secret_ref=secret_ref,
            lines=(),
            files=tuple(PartFiles(part=part, records=0) for part in parts),
            part=0,
            listed=0,
            total=0,
            todo=(),
            tries={},
            tables=0,
            sign_ins=0,
            captchas=0,
        )
        return cls(parts, kept)

    def keep(self) -> Kept:
        return Kept(
            secret_ref=self.secret_ref,
            lines=tuple(self.lines),
            files=tuple(self.files),
            part=self.part,
            listed=self.listed,
            total=self.total,
            todo=tuple(self.todo),
            tries=self.tries,
            tables=self.tables,
            sign_ins=self.sign_ins,
            captchas=self.captchas,
        )

    # Lists

    def note_listed(self, part: Part, listed: Listed) -> None:
        for found in listed.found or ():
            self.lines.append(
                MonthLine(
                    month=part.month,
                    direction=part.direction,
                    family=found.family,
                    rows=found.rows,
                    missing=found.missing,
                    note=found.note,
                )
            )
        self.listed += 1
        self._seen = 0

    def note_list_halt(self, seen: int, now: datetime) -> None:
        """A list that came no further than last time counts towards the end of patience."""
        if seen > self._seen:
            self.barren_since = None
        elif self.barren_since is None:
            self.barren_since = now
        self._seen = seen

    @property
    def rows(self) -> int:
        return sum(line.rows or 0 for line in self.lines)

    def rows_of(self, part: Part) -> int:
        return sum(line.rows or 0 for line in self._lines_of(part))

    # Batches

    @property
    def current(self) -> Part:
        return self.parts[self.part]

    def open_part(self) -> None:
        """Begin with the part's invoices; one that an earlier execution began goes on."""
        if self.total == 0:
            self.total = self.rows_of(self.current)
            self.todo = deque(range(self.total))

    def close_part(self) -> None:
        self.part += 1
        self.total = 0
        self.tries = {}

    def take(self) -> tuple[int, ...]:
        """The places of the next batch; empty when nothing is left to schedule."""
        return tuple(self.todo.popleft() for _ in range(min(self.batch_size, len(self.todo))))

    def note(self, places: tuple[int, ...], batch: BatchDone, now: datetime) -> None:
        """Write a batch into the book; what of it is not done is to do again."""
        self._count(batch)
        given_up = self._judge(batch)
        finished = {*batch.done, *(fault.place for fault in given_up)}
        faulted = {fault.place for fault in batch.faults}
        left = [place for place in places if place not in finished]
        # First those whose turn did not come; one that failed lets others go first.
        self.todo.extendleft(reversed([place for place in left if place not in faulted]))
        self.todo.extend(place for place in left if place in faulted)
        self._adapt(batch, now)

    def _count(self, batch: BatchDone) -> None:
        failed = {(failure.key, failure.family) for failure in batch.failures}
        for number, line in enumerate(self.lines):
            counts = batch.counts.get(line.family) if self._is_current(line) else None
            if counts is not None:
                self.lines[number] = replace(
                    line,
                    details=line.details + counts.details,
                    xml=line.xml + counts.xml,
                    no_original=line.no_original + counts.no_original,
                    mismatches=line.mismatches + counts.mismatches,
                    failed=line.failed + sum(family == line.family for _, family in failed),
                )
        self._write(
            PartRecord(no_original=batch.no_original, failures=batch.failures, mismatches=batch.mismatches)
        )

    def _judge(self, batch: BatchDone) -> list[Fault]:
        """The faults whose invoices have been tried often enough."""
        given_up: list[Fault] = []
        for fault in batch.faults:
            tries = self.tries[fault.place] = self.tries.get(fault.place, 0) + 1
            if tries >= (MAX_TRIES if batch.answered else MAX_BARREN_TRIES):
                given_up.append(fault)
        if given_up:
            self._give_up(given_up)
        return given_up

    def _give_up(self, faults: Iterable[Fault]) -> None:
        part = self.current
        failures = tuple(
            ItemFailure(
                key=fault.key,
                month=part.month,
                direction=part.direction,
                family=fault.family,
                part=fault.part,
                code=fault.code,
                message=fault.message,
            )
            for fault in faults
        )
        for failure in failures:
            for number, line in enumerate(self.lines):
                if self._is_current(line) and line.family == failure.family:
                    self.lines[number] = replace(line, failed=line.failed + 1)
        self._write(PartRecord(failures=failures))

    def _adapt(self, batch: BatchDone, now: datetime) -> None:
        """Larger batches while all goes well, smaller and fewer ones when the portal has trouble."""
        if batch.answered or batch.done:
            self.barren_since = None
        elif self.barren_since is None and (batch.faults or batch.halt is not None):
            self.barren_since = now
        if batch.faults or batch.halt is not None:
            self.batch_size = max(SMALLEST_BATCH, self.batch_size // 2)
            self.lanes = 1
        else:
            self.batch_size = min(LARGEST_BATCH, self.batch_size + 1)
            self.lanes = min(MOST_LANES, self.lanes + 1)

    def is_hopeless(self, now: datetime) -> bool:
        return self.barren_since is not None and now - self.barren_since > PATIENCE

    # Records

    def take_record(self) -> tuple[int, PartRecord] | None:
        """What is to be written down of the current part, with its number; each is given out once."""
        if self._unwritten == PartRecord():
            return None
        record, self._unwritten = self._unwritten, PartRecord()
        files = self.files[self.part]
        self.files[self.part] = replace(files, records=files.records + 1)
        return files.records, record

    def _write(self, more: PartRecord) -> None:
        known = self._unwritten
        self._unwritten = PartRecord(
            no_original=known.no_original + more.no_original,
            failures=known.failures + more.failures,
            mismatches=known.mismatches + more.mismatches,
        )

    # Words

    @property
    def done(self) -> int:
        """Invoices that are whole, over all parts."""
        return self.before + self.done_here

    @property
    def before(self) -> int:
        return sum(self.rows_of(part) for part in self.parts[: self.part])

    @property
    def done_here(self) -> int:
        """Of the current part."""
        return max(0, self.total - len(self.todo) - self._under_way)

    def note_under_way(self, places: int) -> None:
        """So many of the part are with activities now."""
        self._under_way = places

    def sentence(self, extra: str = "") -> str:
        """`August 2026 purchases: 150 of 412; the portal is busy, the next try is in 14 s`."""
        told = f"{title_of(self.current)}: {self.done_here:,} of {self.total:,}"
        return f"{told}; {extra}" if extra else told

    @property
    def letters(self) -> str:
        """One letter a part: `.` to do, `r` under way, `c` done, `f` done with failures."""
        return "".join(self._letter(number) for number in range(len(self.parts)))

    def _letter(self, number: int) -> str:
        if number >= self.part:
            return "r" if number == self.part else "."
        has_failed = any(line.failed or line.missing for line in self._lines_of(self.parts[number]))
        return "f" if has_failed else "c"

    def _lines_of(self, part: Part) -> list[MonthLine]:
        return [line for line in self.lines if (line.month, line.direction) == (part.month, part.direction)]

    def _is_current(self, line: MonthLine) -> bool:
        return (line.month, line.direction) == (self.current.month, self.current.direction)


def title_of(part: Part) -> str:
    return f"{month_title(part.first)} {_WORDS[part.direction]}"
