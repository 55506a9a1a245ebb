"""The contract of the discount pipeline: its answer has every kind of field that the elements have."""

from datetime import timedelta
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from signalbox_core.pipeline.spec import Approval, PipelineSpec, Step


class DiscountInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    customer: Annotated[str, Meta(title="Customer")]


class DiscountAnswer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    verdict: Annotated[Literal["grant", "refuse"], Meta(title="Verdict")]
    percent: Annotated[int, Meta(title="Percent", ge=0, le=50)] = 10
    notify: Annotated[bool, Meta(title="Notify the customer")] = False
    channels: Annotated[tuple[Literal["shop", "phone"], ...], Meta(title="Channels")] = ()
    note: Annotated[str, Meta(title="Note", max_length=40)] | None = None


class RequiredAnswer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Required members, some of which may be empty; texts that Python matches and measures in its own way."""

    code: Annotated[str, Meta(title="Code", pattern="(?i)^[a-z]+$")]
    cheer: Annotated[str, Meta(title="Cheer", max_length=3)]
    reason: Annotated[Literal["late", "wrong"], Meta(title="Reason")] | None
    names: Annotated[tuple[str, ...], Meta(title="Names")]
    aliases: Annotated[tuple[str, ...], Meta(title="Aliases", min_length=1)] | None
    shops: Annotated[tuple[Literal["north", "south"], ...], Meta(title="Shops")] | None


class DiscountResult(Struct, frozen=True, kw_only=True):
    percent: int


DISCOUNT: Final = Approval(
    name="discount", title="Which discount?", answer=DiscountAnswer, deadline=timedelta(days=1)
)
SPEC: Final = PipelineSpec(
    name="discount",
    title="Discount",
    input=DiscountInput,
    result=DiscountResult,
    steps=(Step("ask", "Ask"), Step("apply", "Apply")),
    approvals=(DISCOUNT,),
    workflow="support.customer.workflow:Discount",
    activities="support.customer.activities",
)
