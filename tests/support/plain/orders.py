"""A plain workflow with its activities: sequential and parallel ones, a signal, heartbeats and failures."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

TIMEOUT = timedelta(seconds=30)


@dataclass
class Order:
    customer: str
    items: list[str]


@dataclass
class Receipt:
    customer: str
    parcels: int


@activity.defn
async def reserve_stock(order: Order) -> int:
    for done, _ in enumerate(order.items, start=1):
        activity.heartbeat(done, len(order.items))
    return len(order.items)


@activity.defn(name="packItem")
async def pack_item(item: str) -> str:
    if item == "broken":
        raise ApplicationError("the item is broken", type="BrokenItem", non_retryable=True)
    return f"packed {item}"


@activity.defn
async def wait_for_carrier(order: Order) -> None:
    while True:
        activity.heartbeat({"message": f"parcel of {order.customer}", "percent": 40})
        await asyncio.sleep(0.05)


@workflow.defn
class OrderWorkflow:
    """Reserves, packs in parallel, waits for the address, and returns a receipt."""

    def __init__(self) -> None:
        self._address: str | None = None

    @workflow.signal
    def set_address(self, address: str) -> None:
        self._address = address

    @workflow.run
    async def run(self, order: Order) -> Receipt:
        reserved = await workflow.execute_activity(reserve_stock, order, start_to_close_timeout=TIMEOUT)
        packed = await asyncio.gather(
            *(
                workflow.execute_activity(
                    pack_item,
                    item,
                    start_to_close_timeout=TIMEOUT,
                    retry_policy=RetryPolicy(maximum_attempts=2),
                )
                for item in order.items
            )
        )
        await workflow.wait_condition(lambda: self._address is not None)
        assert reserved == len(packed)
        return Receipt(customer=order.customer, parcels=len(packed))


@workflow.defn
class DeliveryWorkflow:
    """Runs until it is cancelled, then cleans up."""

    @workflow.run
    async def run(self, order: Order) -> None:
        try:
            await workflow.execute_activity(
                wait_for_carrier,
                order,
                start_to_close_timeout=timedelta(hours=1),
                heartbeat_timeout=timedelta(seconds=20),
                cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            )
        finally:
            await asyncio.shield(
                asyncio.create_task(
                    workflow.execute_activity(pack_item, "returned", start_to_close_timeout=TIMEOUT)
                )
            )


@workflow.defn
class BatchWorkflow:
    """Calls one activity in a loop, continues as new, and ends with a child workflow."""

    @workflow.run
    async def run(self, rounds: int) -> int:
        for number in range(30):
            await workflow.execute_local_activity(pack_item, str(number), start_to_close_timeout=TIMEOUT)
        if rounds > 0:
            workflow.continue_as_new(rounds - 1)
        await workflow.execute_child_workflow(
            GreetingWorkflow.run, "child", id=f"{workflow.info().workflow_id}/child"
        )
        return rounds


@workflow.defn
class GreetingWorkflow:
    @workflow.run
    async def run(self, name: str) -> str:
        return f"Hello, {name}!"


@workflow.defn
class ShopWorkflow:
    """Is open until it is closed, or until its code is interrupted."""

    def __init__(self) -> None:
        self._is_closed = False

    @workflow.signal
    def close(self) -> None:
        self._is_closed = True

    @workflow.run
    async def run(self) -> str:
        try:
            await workflow.wait_condition(lambda: self._is_closed)
        except asyncio.CancelledError:
            return "interrupted"
        return "closed"


@workflow.defn
class ReturnWorkflow:
    """Waits to be cancelled, then for the item, and packs that."""

    def __init__(self) -> None:
        self._has_item = False

    @workflow.signal
    def receive_item(self) -> None:
        self._has_item = True

    @workflow.query
    def is_cancelled(self) -> bool:
        return workflow.cancellation_reason() is not None

    @workflow.run
    async def run(self) -> None:
        try:
            await workflow.wait_condition(lambda: False)
        except asyncio.CancelledError:
            await workflow.wait_condition(lambda: self._has_item)
            await workflow.execute_activity(pack_item, "returned", start_to_close_timeout=TIMEOUT)
            raise


WORKFLOWS = (
    OrderWorkflow,
    DeliveryWorkflow,
    BatchWorkflow,
    GreetingWorkflow,
    ShopWorkflow,
    ReturnWorkflow,
)
ACTIVITIES = (reserve_stock, pack_item, wait_for_carrier)
