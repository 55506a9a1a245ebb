"""The state of an import: which part is next, what is left of it, how large the batches are.

Owned by the workflow; pure.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from signalbox_pipelines.invoice_import.messages import (
    BatchDone,
    FetchFault,
    ImportPart,
    ListResult,
    PartFiles,
    PartRecord,
)
from signalbox_pipelines.invoice_import.results import ItemFailure, MonthLine

INITIAL_BATCH: Final = 8
MIN_BATCH: Final = 3
MAX_BATCH: Final = 15
MAX_CONCURRENCY: Final = 3
"""Concurrent batches of one import: while one is handed over, the others keep calling."""
MAX_TRIES: Final = 4
"""Attempts per invoice before it counts as failed."""
MAX_UNANSWERED_TRIES: Final = 12
"""The same when the portal answers no call at all, which is hardly the invoice's fault."""
STALL_TIMEOUT: Final = timedelta(hours=2)
"""The run fails when the portal has answered nothing for this long."""


class SavedImportState(Struct, frozen=True, kw_only=True):
    """The state that one execution passes to the next (continue-as-new)."""

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


class ImportState:
    """The state of a running import. Mutable."""

    def __init__(self, parts: Sequence[ImportPart], saved: SavedImportState) -> None:
        self.parts = parts
        self.secret_ref = saved.secret_ref
        self.lines = list(saved.lines)
        self.files = list(saved.files)
        self.part = saved.part
        self.listed = saved.listed
        self.total = saved.total
        self.todo = deque(saved.todo)
        self.tries = dict(saved.tries)
        self.tables = saved.tables
        self.sign_ins = saved.sign_ins
        self.captchas = saved.captchas
        self.batch_size = INITIAL_BATCH
        self.concurrency = MAX_CONCURRENCY
        self.stalled_since: datetime | None = None
        self._unrecorded = PartRecord()
        self._seen = 0
        self._in_flight = 0

    @classmethod
    def begin(cls, parts: Sequence[ImportPart], secret_ref: str) -> "ImportState":
        """The state of an import that starts."""
        saved = SavedImportState(
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
        return cls(parts, saved)

    def save(self) -> SavedImportState:
        return SavedImportState(
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

    def apply_listing(self, part: ImportPart, listed: ListResult) -> None:
        """Add the lines of a part that was listed."""
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

    def record_list_halt(self, seen: int, now: datetime) -> None:
        """Record how far a list was read; without progress the stall timeout runs."""
        if seen > self._seen:
            self.stalled_since = None
        elif self.stalled_since is None:
            self.stalled_since = now
        self._seen = seen

    @property
    def rows(self) -> int:
        return sum(line.rows or 0 for line in self.lines)

    def row_count(self, part: ImportPart) -> int:
        return sum(line.rows or 0 for line in self._lines_for(part))

    # Batches

    @property
    def current(self) -> ImportPart:
        return self.parts[self.part]

    def open_part(self) -> None:
        """Schedule the invoices of the current part, or continue one that an earlier execution opened."""
        if self.total == 0:
            self.total = self.row_count(self.current)
            self.todo = deque(range(self.total))

    def close_part(self) -> None:
        self.part += 1
        self.total = 0
        self.tries = {}

    def next_batch(self) -> tuple[int, ...]:
        """Take the places of the next batch; empty when nothing is left to schedule."""
        return tuple(self.todo.popleft() for _ in range(min(self.batch_size, len(self.todo))))

    def apply_batch(self, places: tuple[int, ...], batch: BatchDone, now: datetime) -> None:
        """Record the result of a batch, and reschedule what is not finished."""
        self._count(batch)
        exhausted = self._count_tries(batch)
        finished = {*batch.done, *(fault.place for fault in exhausted)}
        faulted = {fault.place for fault in batch.faults}
        left = [place for place in places if place not in finished]
        # Invoices that were not tried come first, those that failed come last.
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
        self._add_record(
            PartRecord(no_original=batch.no_original, failures=batch.failures, mismatches=batch.mismatches)
        )

    def _count_tries(self, batch: BatchDone) -> list[FetchFault]:
        """Count the attempts and return the faults of invoices that have none left."""
        exhausted: list[FetchFault] = []
        for fault in batch.faults:
            tries = self.tries[fault.place] = self.tries.get(fault.place, 0) + 1
            if tries >= (MAX_TRIES if batch.answered else MAX_UNANSWERED_TRIES):
                exhausted.append(fault)
        if exhausted:
            self._fail(exhausted)
        return exhausted

    def _fail(self, faults: Iterable[FetchFault]) -> None:
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
        self._add_record(PartRecord(failures=failures))

    def _adapt(self, batch: BatchDone, now: datetime) -> None:
        """Grow the batches after a success; shrink them and their number after a fault or halt."""
        if batch.answered or batch.done:
            self.stalled_since = None
        elif self.stalled_since is None and (batch.faults or batch.halt is not None):
            self.stalled_since = now
        if batch.faults or batch.halt is not None:
            self.batch_size = max(MIN_BATCH, self.batch_size // 2)
            self.concurrency = 1
        else:
            self.batch_size = min(MAX_BATCH, self.batch_size + 1)
            self.concurrency = min(MAX_CONCURRENCY, self.concurrency + 1)

    def has_timed_out(self, now: datetime) -> bool:
        return self.stalled_since is not None and now - self.stalled_since > STALL_TIMEOUT

    # Records

    def drain_record(self) -> tuple[int, PartRecord] | None:
        """Return the record to store for the current part and its number; each is returned once."""
        if self._unrecorded == PartRecord():
            return None
        record, self._unrecorded = self._unrecorded, PartRecord()
        files = self.files[self.part]
        self.files[self.part] = replace(files, records=files.records + 1)
        return files.records, record

    def _add_record(self, more: PartRecord) -> None:
        pending = self._unrecorded
        self._unrecorded = PartRecord(
            no_original=pending.no_original + more.no_original,
            failures=pending.failures + more.failures,
            mismatches=pending.mismatches + more.mismatches,
        )

    # Progress

    @property
    def done(self) -> int:
        """Finished invoices, over all parts."""
        return self.done_before + self.done_in_part

    @property
    def done_before(self) -> int:
        return sum(self.row_count(part) for part in self.parts[: self.part])

    @property
    def done_in_part(self) -> int:
        """Finished invoices of the current part."""
        return max(0, self.total - len(self.todo) - self._in_flight)

    def set_in_flight(self, places: int) -> None:
        """Set how many invoices of the part are being fetched now."""
        self._in_flight = places

    def summary(self, extra: str = "") -> str:
        """Describe the progress: `August 2026 purchases: 150 of 412`, and `extra` after a semicolon."""
        text = f"{self.current.title}: {self.done_in_part:,} of {self.total:,}"
        return f"{text}; {extra}" if extra else text

    @property
    def part_letters(self) -> str:
        """One letter per part: `.` not started, `r` running, `c` done, `f` done with failures."""
        return "".join(self._letter(number) for number in range(len(self.parts)))

    def _letter(self, number: int) -> str:
        if number >= self.part:
            return "r" if number == self.part else "."
        has_failed = any(line.failed or line.missing for line in self._lines_for(self.parts[number]))
        return "f" if has_failed else "c"

    def _lines_for(self, part: ImportPart) -> list[MonthLine]:
        return [line for line in self.lines if (line.month, line.direction) == (part.month, part.direction)]

    def _is_current(self, line: MonthLine) -> bool:
        return (line.month, line.direction) == (self.current.month, self.current.direction)
