"""The activity of the discount pipeline."""

from temporalio import activity

from support.customer.contract import DiscountAnswer


@activity.defn(name="discount.apply")
async def apply_discount(answer: DiscountAnswer) -> int:
    """Return the granted percentage."""
    return answer.percent if answer.verdict == "grant" else 0
