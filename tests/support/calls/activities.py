"""The work of `quote` and `purchase`."""

from temporalio import activity

from signalbox_core.errors import NotFound
from signalbox_core.pipeline.activity.tenant import current_tenant
from support.calls.contract import Quote


@activity.defn(name="quote.price")
async def price(item: str) -> Quote:
    """Price an item. Idempotent: pure."""
    if item == "unknown":
        raise NotFound(f"there is no item {item}", field="input.item")
    return Quote(cents=100 * len(item), tenant=current_tenant())


@activity.defn(name="purchase.total")
async def total(cents: tuple[int, ...]) -> int:
    """Add up. Idempotent: pure."""
    return sum(cents)
