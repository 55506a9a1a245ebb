"""The contracts of `purchase` and of `quote`, which it calls."""

from typing import Annotated

from msgspec import Meta, Struct

from signalbox_core.pipeline import PipelineSpec, Step


class QuoteInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    item: Annotated[str, Meta(title="Item", min_length=1)]
    hold: bool = False


class Quote(Struct, frozen=True, kw_only=True):
    cents: int
    tenant: str


class PurchaseInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a purchase does.

    Attributes:
        earlier_children: with how many runs it begins, as if it had started them before.
    """

    items: tuple[str, ...]
    hold: bool = False
    background: bool = False
    quote_run_id: str | None = None
    malformed: bool = False
    earlier_children: int = 0


class PurchaseResult(Struct, frozen=True, kw_only=True):
    cents: int
    tenants: tuple[str, ...] = ()


QUOTE = PipelineSpec(
    name="quote",
    title="Quote",
    input=QuoteInput,
    result=Quote,
    steps=(Step("price", "Price"),),
    workflow="support.calls.workflow:QuoteWorkflow",
    activities="support.calls.activities",
)
PURCHASE = PipelineSpec(
    name="purchase",
    title="Purchase",
    input=PurchaseInput,
    result=PurchaseResult,
    steps=(Step("quotes", "Quotes"), Step("total", "Total")),
    workflow="support.calls.workflow:PurchaseWorkflow",
    activities="support.calls.activities",
)
