"""The contract of `shipping`."""

from datetime import timedelta
from typing import Annotated, Literal

from msgspec import Meta, Struct

from signalbox_core.pipeline import ExternalEvent, PipelineSpec, StartOn, Step


class ShippingInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a run behaves.

    Attributes:
        patience_s: how long it waits for the payment; by default as the contract says.
        withdraws: how it gives up a wait for the payment that it began first: `at once`; `late`, when the
            carrier comes; or as it `continues` as new. It needs the payment only after `late`.
        by_callback: the carrier gets a one-time URL instead of being waited for; no payment is needed.
    """

    order: Annotated[str, Meta(title="Order", min_length=1)]
    patience_s: float | None = None
    catches: bool = False
    cancels_own_wait: bool = False
    continues_as_new: bool = False
    by_callback: bool = False
    withdraws: Literal["", "at once", "late", "continues"] = ""


class PaymentSettled(Struct, frozen=True, kw_only=True):
    amount: Annotated[int, Meta(title="Amount in cents", ge=1)]
    reference: str = ""


class Dispatched(Struct, frozen=True, kw_only=True):
    parcel: str


class ShippingResult(Struct, frozen=True, kw_only=True):
    amount: int
    parcel: str = ""


class OrderPlaced(Struct, frozen=True, kw_only=True):
    number: str
    is_gift: bool = False


def shipping_input(order: OrderPlaced) -> ShippingInput:
    if order.is_gift:
        raise ValueError("gifts are not shipped")
    return ShippingInput(order=order.number)


PAYMENT = ExternalEvent(name="payment.settled", title="the payment", data=PaymentSettled)
DISPATCHED = ExternalEvent(
    name="parcel.dispatched", title="the carrier", data=Dispatched, timeout=timedelta(days=2)
)
ORDER_PLACED = ExternalEvent(name="order.placed", title="an order", data=OrderPlaced)
ORDER_CONFIRMED = ExternalEvent(name="order.confirmed", title="a confirmed order", data=OrderPlaced)
SPEC = PipelineSpec(
    name="shipping",
    title="Shipping",
    input=ShippingInput,
    result=ShippingResult,
    steps=(Step("pay", "Wait for the payment"), Step("ship", "Hand over to the carrier")),
    external_events=(PAYMENT, DISPATCHED),
    starts=(
        StartOn(ORDER_PLACED, input=shipping_input),
        StartOn(ORDER_CONFIRMED, input=shipping_input, once_per="key"),
    ),
    workflow="support.shipping.workflow:ShippingWorkflow",
    activities="support.shipping.activities:all_activities",
)
