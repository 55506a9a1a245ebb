"""What the workflow and its activities hand each other; lists of invoices travel as objects in the store."""

from datetime import date, datetime
from typing import Literal
from urllib.parse import quote

from msgspec import Struct

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


class Account(Struct, frozen=True, kw_only=True):
    """Whose books, in which run: what every activity needs. The password is named, never held."""

    tenant: str
    run_id: str
    tax_code: str
    secret_ref: str

    @property
    def root(self) -> str:
        """Where the taxpayer's invoices are: `gdt/TENANT/MST`."""
        return f"gdt/{quote(self.tenant, safe='')}/{self.tax_code}"

    @property
    def folder(self) -> str:
        """Where the run's own lists are."""
        return f"{self.root}/runs/{self.run_id}"


class Part(Struct, frozen=True, kw_only=True):
    """A month (or what of it lies in the range) in one direction."""

    first: date
    last: date
    direction: Direction

    @property
    def month(self) -> str:
        return f"{self.first:%Y-%m}"

    @property
    def name(self) -> str:
        return f"{self.month}-{self.direction}"


class Halt(Struct, frozen=True, kw_only=True):
    """Why an activity gave its slot back before it was done; what it has is kept."""

    reason: HaltReason
    message: str
    wait_s: float = 0.0


class HolderRequest(Struct, frozen=True, kw_only=True):
    """`turn_id` is the workflow that stands for the taxpayer's one import."""

    account: Account
    turn_id: str


class CaptchaRequest(Struct, frozen=True, kw_only=True):
    account: Account


class CaptchaPicture(Struct, frozen=True, kw_only=True):
    """`solved` is a configured solver's reading; None: a person is asked."""

    key: str
    picture: str
    solved: str | None = None


class SignInRequest(Struct, frozen=True, kw_only=True):
    account: Account
    captcha_key: str
    text: str


class SignInOutcome(Struct, frozen=True, kw_only=True):
    status: SignInStatus
    message: str = ""
    wait_s: float = 0.0
    expires_at: datetime | None = None


class ListRequest(Struct, frozen=True, kw_only=True):
    """`number` of `parts`: how far the import's lists are when this one begins."""

    account: Account
    part: Part
    number: int
    parts: int


class FamilyFound(Struct, frozen=True, kw_only=True):
    family: Family
    rows: int
    missing: int = 0
    note: str | None = None


class Listed(Struct, frozen=True, kw_only=True):
    """`found` is None until every list of the part is read; `seen` counts rows so far."""

    seen: int
    found: tuple[FamilyFound, ...] | None = None
    halt: Halt | None = None


class BatchRequest(Struct, frozen=True, kw_only=True):
    """Some invoices of a part, by their place in its list."""

    account: Account
    part: Part
    places: tuple[int, ...]
    details: bool
    originals: bool


class Counts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    details: int = 0
    xml: int = 0
    no_original: int = 0
    mismatches: int = 0


class Fault(Struct, frozen=True, kw_only=True):
    """An invoice whose turn came and whose call failed in a way that may pass."""

    place: int
    key: str
    family: Family
    part: Literal["detail", "xml"]
    code: str
    message: str


class BatchDone(Struct, frozen=True, kw_only=True):
    """What became of a batch. Places in none of the lists were not come to: `halt` says why, and they are asked for again.

    Attributes:
        done: whole, whatever the outcome; `failures` are among them.
        no_original: places of invoices without an original.
        answered: calls that the portal answered; with none of them the portal is to blame, not the invoice.
    """

    done: tuple[int, ...]
    counts: dict[Family, Counts]
    no_original: tuple[int, ...] = ()
    failures: tuple[ItemFailure, ...] = ()
    mismatches: tuple[Mismatch, ...] = ()
    imported: tuple[ImportedInvoice, ...] = ()
    faults: tuple[Fault, ...] = ()
    answered: int = 0
    halt: Halt | None = None


class PartRecord(Struct, frozen=True, kw_only=True):
    """What is not plain about some invoices of a part; kept as `record-00000.json` … beside its list."""

    no_original: tuple[int, ...] = ()
    failures: tuple[ItemFailure, ...] = ()
    mismatches: tuple[Mismatch, ...] = ()


class RecordRequest(Struct, frozen=True, kw_only=True):
    account: Account
    part: Part
    number: int
    record: PartRecord


class TableRequest(Struct, frozen=True, kw_only=True):
    """`number` counts the tables of a run: a key is written once."""

    account: Account
    number: int
    lines: tuple[MonthLine, ...]


class StoredFile(Struct, frozen=True, kw_only=True):
    """An artifact to be announced."""

    name: str
    title: str
    key: str
    media_type: str
    size_bytes: int


class PartFiles(Struct, frozen=True, kw_only=True):
    part: Part
    records: int


class ReportRequest(Struct, frozen=True, kw_only=True):
    account: Account
    first_day: date
    last_day: date
    originals: bool
    details: bool
    parts: tuple[PartFiles, ...]
    lines: tuple[MonthLine, ...]
    sign_ins: int


class Report(Struct, frozen=True, kw_only=True):
    result: ImportResult
    files: tuple[StoredFile, ...]
    report_key: str


class HintRequest(Struct, frozen=True, kw_only=True):
    """Batches still to be scheduled; 0 takes the hint back."""

    account: Account
    remaining: int
    max_in_flight: int


class LeaveRequest(Struct, frozen=True, kw_only=True):
    account: Account
