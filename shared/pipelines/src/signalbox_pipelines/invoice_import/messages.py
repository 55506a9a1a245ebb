"""Messages between the import workflow and its activities. Lists of invoices travel as stored objects."""

from datetime import date, datetime
from typing import Final, Literal
from urllib.parse import quote

from msgspec import Struct

from signalbox_pipelines.invoice_import.months import month_title
from signalbox_pipelines.invoice_import.results import (
    Direction,
    Family,
    ImportedInvoice,
    ImportResult,
    ItemFailure,
    Mismatch,
    MonthLine,
)

HaltReason = Literal["wait", "session_over", "blocked"]
SignInStatus = Literal[
    "signed_in", "wrong_captcha", "wrong_password", "account_locked", "portal_blocked", "busy"
]
_DIRECTION_NAMES: Final[dict[Direction, str]] = {"purchase": "purchases", "sold": "sales"}


class ImportAccount(Struct, frozen=True, kw_only=True):
    """The taxpayer and the run, which every activity needs. Names the password's secret, never holds it.

    Attributes:
        workflow_id: distinguishes runs of the same id in two tenants; empty in the messages of older runs.
    """

    tenant: str
    run_id: str
    tax_code: str
    secret_ref: str
    workflow_id: str = ""

    @property
    def session_owner(self) -> str:
        """What the portal session and the scaling hint of the run are stored under."""
        return self.workflow_id or self.run_id

    @property
    def root(self) -> str:
        """The key prefix of the taxpayer's invoices: `gdt/TENANT/MST`."""
        return f"gdt/{quote(self.tenant, safe='')}/{self.tax_code}"

    @property
    def folder(self) -> str:
        """The key prefix of the run's own lists."""
        return f"{self.root}/runs/{self.run_id}"


class ImportPart(Struct, frozen=True, kw_only=True):
    """A month, or the days of it in the range, in one direction."""

    first: date
    last: date
    direction: Direction

    @property
    def month(self) -> str:
        return f"{self.first:%Y-%m}"

    @property
    def name(self) -> str:
        return f"{self.month}-{self.direction}"

    @property
    def title(self) -> str:
        """`August 2026 purchases`."""
        return f"{month_title(self.first)} {_DIRECTION_NAMES[self.direction]}"


class Halt(Struct, frozen=True, kw_only=True):
    """Why an activity ended before it was done; what it fetched is stored."""

    reason: HaltReason
    message: str
    wait_s: float = 0.0


class LockOwnerRequest(Struct, frozen=True, kw_only=True):
    """`turn_id` is the workflow id of the taxpayer's lock."""

    account: ImportAccount
    turn_id: str


class CaptchaRequest(Struct, frozen=True, kw_only=True):
    account: ImportAccount


class CaptchaPicture(Struct, frozen=True, kw_only=True):
    """`solved` is the reading of a configured solver; None when a person must be asked."""

    key: str
    picture: str
    solved: str | None = None


class SignInRequest(Struct, frozen=True, kw_only=True):
    account: ImportAccount
    captcha_key: str
    text: str


class SignInOutcome(Struct, frozen=True, kw_only=True):
    status: SignInStatus
    message: str = ""
    wait_s: float = 0.0
    expires_at: datetime | None = None


class ListRequest(Struct, frozen=True, kw_only=True):
    """The list `number` (from 0) of `parts`, for the progress."""

    account: ImportAccount
    part: ImportPart
    number: int
    parts: int


class FamilyFound(Struct, frozen=True, kw_only=True):
    family: Family
    rows: int
    missing: int = 0
    note: str | None = None


class ListResult(Struct, frozen=True, kw_only=True):
    """`found` is None until every list of the part has been read; `seen` counts the rows so far."""

    seen: int
    found: tuple[FamilyFound, ...] | None = None
    halt: Halt | None = None


class BatchRequest(Struct, frozen=True, kw_only=True):
    """Some invoices of a part, by their position in its list."""

    account: ImportAccount
    part: ImportPart
    places: tuple[int, ...]
    details: bool
    originals: bool


class Counts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    details: int = 0
    xml: int = 0
    no_original: int = 0
    mismatches: int = 0


class FetchFault(Struct, frozen=True, kw_only=True):
    """A call for one invoice that failed with an error that may pass."""

    place: int
    key: str
    family: Family
    part: Literal["detail", "xml"]
    code: str
    message: str


class BatchDone(Struct, frozen=True, kw_only=True):
    """The result of a batch. Places in neither `done` nor `faults` were not tried, as `halt` explains.

    Attributes:
        done: finished, including those in `failures`.
        no_original: places of invoices without an original.
        answered: calls that the portal answered; when 0, the portal is at fault, not the invoices.
    """

    done: tuple[int, ...]
    counts: dict[Family, Counts]
    no_original: tuple[int, ...] = ()
    failures: tuple[ItemFailure, ...] = ()
    mismatches: tuple[Mismatch, ...] = ()
    imported: tuple[ImportedInvoice, ...] = ()
    faults: tuple[FetchFault, ...] = ()
    answered: int = 0
    halt: Halt | None = None


class PartRecord(Struct, frozen=True, kw_only=True):
    """Exceptions among the invoices of a part, stored as `record-00000.json` … next to its list."""

    no_original: tuple[int, ...] = ()
    failures: tuple[ItemFailure, ...] = ()
    mismatches: tuple[Mismatch, ...] = ()


class RecordPartRequest(Struct, frozen=True, kw_only=True):
    account: ImportAccount
    part: ImportPart
    number: int
    record: PartRecord


class TableRequest(Struct, frozen=True, kw_only=True):
    """`number` counts the tables of a run, since each key is written once."""

    account: ImportAccount
    number: int
    lines: tuple[MonthLine, ...]


class StoredFile(Struct, frozen=True, kw_only=True):
    """A stored file to publish as an artifact."""

    name: str
    title: str
    key: str
    media_type: str
    size_bytes: int


class PartFiles(Struct, frozen=True, kw_only=True):
    part: ImportPart
    records: int


class ImportReportRequest(Struct, frozen=True, kw_only=True):
    account: ImportAccount
    first_day: date
    last_day: date
    originals: bool
    details: bool
    parts: tuple[PartFiles, ...]
    lines: tuple[MonthLine, ...]
    sign_ins: int


class ImportReport(Struct, frozen=True, kw_only=True):
    result: ImportResult
    files: tuple[StoredFile, ...]
    report_key: str


class HintRequest(Struct, frozen=True, kw_only=True):
    """The batches left to schedule; 0 withdraws the hint."""

    account: ImportAccount
    remaining: int
    max_in_flight: int


class CleanUpRequest(Struct, frozen=True, kw_only=True):
    account: ImportAccount
