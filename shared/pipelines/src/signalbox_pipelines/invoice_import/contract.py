"""The contract of invoice_import: the input, the questions that a run may ask, the result."""

from datetime import date, timedelta
from typing import Annotated, Final

from msgspec import Meta, Struct

from signalbox_core.errors import InvalidInput
from signalbox_core.pipeline import Approval, DomainEvent, Find, PipelineSpec, Step
from signalbox_pipelines.invoice_import.auth.questions import CaptchaAnswer, TroubleDecision
from signalbox_pipelines.invoice_import.months import split_months
from signalbox_pipelines.invoice_import.results import (
    Direction,
    ImportCompleted,
    ImportResult,
    InvoicesImported,
    Reference,
)
from signalbox_pipelines.invoice_import.tax_codes import PATTERN, check_tax_code


class ImportInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The input. It names the secret that holds the password, never the password itself."""

    tax_code: Annotated[
        str,
        Meta(
            title="Tax code",
            description="MST: 10 digits, 10-3 for a branch, or 12",
            pattern=PATTERN,
            examples=["9901000019"],
        ),
        Find(),
    ]
    secret_ref: Reference
    first_day: Annotated[
        date, Meta(title="From", description="The first day of issue, in Hanoi time", examples=["2026-08-01"])
    ]
    last_day: Annotated[
        date,
        Meta(title="To", description="The last day, included; 36 months at most", examples=["2026-08-31"]),
    ]
    directions: Annotated[tuple[Direction, ...], Meta(title="Which", min_length=1, max_length=2)] = (
        "purchase",
        "sold",
    )
    details: Annotated[bool, Meta(title="Details", description="The lines of each invoice")] = True
    originals: Annotated[bool, Meta(title="Originals", description="The signed XML of each invoice")] = True

    def __post_init__(self) -> None:
        check_tax_code(self.tax_code)
        split_months(self.first_day, self.last_day)
        if len(set(self.directions)) < len(self.directions):
            raise InvalidInput(
                f"directions names {self.directions[0]} twice; name each once", field="directions"
            )


CAPTCHA: Final = Approval(
    name="captcha",
    title="Type the characters in the picture",
    answer=CaptchaAnswer,
    deadline=timedelta(minutes=3),
)
TROUBLE: Final = Approval(
    name="trouble", title="The portal does not let us in", answer=TroubleDecision, deadline=timedelta(days=7)
)

SPEC: Final = PipelineSpec(
    name="invoice_import",
    title="Invoice import",
    description="Fetches a company's purchase and sales invoices, with their signed originals, "
    "from the tax authority's portal.",
    subject="{tax_code} · {first_day} – {last_day}",
    input=ImportInput,
    result=ImportResult,
    steps=(
        Step("sign_in", "Sign in to the portal"),
        Step("list", "List the invoices"),
        Step("fetch", "Fetch details and originals"),
        Step("report", "Add up and reconcile"),
    ),
    approvals=(CAPTCHA, TROUBLE),
    events=(
        DomainEvent("invoice.imported", InvoicesImported, "Up to 15 invoices of a month were stored."),
        DomainEvent(
            "import.completed",
            ImportCompleted,
            "An import has ended; invoices that could not be fetched are counted and listed.",
        ),
    ),
    workflow="signalbox_pipelines.invoice_import.workflow:InvoiceImport",
    workflows=("signalbox_pipelines.invoice_import.state.import_lock:ImportLock",),
    activities="signalbox_pipelines.invoice_import.activities:InvoiceActivities",
)
