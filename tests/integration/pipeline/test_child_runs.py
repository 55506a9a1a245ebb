"""Calling another pipeline: what the child inherits, what the parent shows, and how a cancel propagates."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import Priority, SearchAttributePair, TypedSearchAttributes

from signalbox_core.events.catalogue import RunStarted
from signalbox_core.events.children import MAX_CHILDREN
from signalbox_core.events.states import ChildState
from signalbox_core.ids import run_key
from signalbox_core.pipeline.contract.stated_patches import LEAN_QUESTIONS
from signalbox_core.subjects import Subject
from signalbox_core.temporal import names
from signalbox_core.testing.pipeline import PipelineUnderTest, RunUnderTest, pipeline_under_test, replay
from signalbox_core.topology import provision_temporal
from support.assertions.eventually import eventually
from support.calls.activities import price, total
from support.calls.contract import PURCHASE, QUOTE, PurchaseInput, PurchaseResult

STARTER = Subject(subject="key:lan", name="Lan")


@pytest.fixture
async def purchases(client: Client) -> AsyncIterator[PipelineUnderTest]:
    async with pipeline_under_test(
        PURCHASE, activities=[price, total], client=client, calls=(QUOTE,)
    ) as pipeline:
        yield pipeline


async def test_a_called_pipeline_returns_its_typed_result_and_is_listed_by_its_parent(
    purchases: PipelineUnderTest,
) -> None:
    run = await purchases.start(PurchaseInput(items=("ink", "pens")))

    result = await run.result()

    assert result == PurchaseResult(cents=700, tenants=("acme", "acme"))
    children = (await run.snapshot()).children
    assert [(child.pipeline, child.title, child.step, child.status) for child in children] == [
        ("quote", "Quote", "quotes", "completed")
    ] * 2
    assert all(child.run_id.startswith(f"{run.run_id}.quote-") for child in children)
    assert len({child.run_id for child in children}) == 2
    assert run.event_names().count("child.started") == run.event_names().count("child.ended") == 2


async def test_a_child_inherits_tenant_starter_priority_and_search_attributes(
    client: Client, purchases: PipelineUnderTest
) -> None:
    await provision_temporal(client)
    handle: WorkflowHandle[Any, Any] = await client.start_workflow(
        PURCHASE.name,
        PurchaseInput(items=("ink",)),
        id=run_key("acme", f"purchase-{uuid.uuid4().hex[:8]}"),
        task_queue=purchases.task_queue,
        memo={
            names.MEMO_TENANT: "acme",
            names.MEMO_STARTED_BY: "Lan",
            names.MEMO_STARTER: STARTER,
            names.MEMO_PATCHES: (LEAN_QUESTIONS,),
        },
        search_attributes=TypedSearchAttributes(
            [
                SearchAttributePair(names.SEARCH_TENANT, "acme"),
                SearchAttributePair(names.SEARCH_PIPELINE, PURCHASE.name),
            ]
        ),
        priority=Priority(priority_key=2, fairness_key=names.fairness_key("acme")),
    )
    await handle.result()
    run = RunUnderTest(handle, purchases.emitter)

    child = await child_of(run, client)

    described = await child.handle.describe()
    assert described.id == run_key("acme", child.run_id)
    assert described.parent_id == handle.id
    assert await described.memo_value(names.MEMO_TENANT) == "acme"
    assert await described.memo_value(names.MEMO_PATCHES) == [LEAN_QUESTIONS]
    priority = described.raw_description.workflow_execution_info.priority
    assert (priority.priority_key, priority.fairness_key) == (2, "acme")
    assert described.typed_search_attributes.get(names.SEARCH_TENANT) == "acme"
    assert described.typed_search_attributes.get(names.SEARCH_PIPELINE) == "quote"
    snapshot = await child.snapshot()
    assert (snapshot.tenant, snapshot.parent, snapshot.started_by, snapshot.starter) == (
        "acme", run.run_id, "Lan", STARTER,
    )  # fmt: skip
    started = next(event for event in purchases.emitter.milestones if event.runid == child.run_id)
    assert msgspec.json.decode(started.data, type=RunStarted).parent == run.run_id


async def test_the_failure_of_a_child_fails_its_parent_with_the_childs_code(
    purchases: PipelineUnderTest,
) -> None:
    run = await purchases.start(PurchaseInput(items=("unknown",)))

    with pytest.raises(WorkflowFailureError):
        await run.result()

    snapshot = await run.snapshot()
    assert [child.status for child in snapshot.children] == ["failed"]
    assert snapshot.error is not None
    assert (snapshot.error.code, snapshot.error.step) == ("not_found", "quotes")
    assert snapshot.error.message == "there is no item unknown"


async def test_starts_at_once_stay_within_the_limit_of_children(purchases: PipelineUnderTest) -> None:
    items = ("ink", "pens", "cups")
    run = await purchases.start(PurchaseInput(items=items, hold=True, earlier_children=MAX_CHILDREN - 1))

    with pytest.raises(WorkflowFailureError):
        await run.result()

    snapshot = await run.snapshot()
    assert len(snapshot.children) <= MAX_CHILDREN
    assert snapshot.error is not None
    assert snapshot.error.code == "too_many_children"
    await replay(PURCHASE, await run.handle.fetch_history())


async def test_an_input_that_the_called_contract_refuses_starts_no_child(
    purchases: PipelineUnderTest,
) -> None:
    run = await purchases.start(PurchaseInput(items=(), malformed=True))

    with pytest.raises(WorkflowFailureError):
        await run.result()

    snapshot = await run.snapshot()
    assert snapshot.children == ()
    assert snapshot.error is not None
    assert snapshot.error.code == "invalid_input"
    assert "this is not a valid QuoteInput for quote" in snapshot.error.message


async def test_a_run_id_that_the_tenant_has_used_is_refused(purchases: PipelineUnderTest) -> None:
    taken = f"quote-{uuid.uuid4().hex[:8]}"
    await (await purchases.start(PurchaseInput(items=("ink",), quote_run_id=taken))).result()

    again = await purchases.start(PurchaseInput(items=("ink",), quote_run_id=taken))
    with pytest.raises(WorkflowFailureError):
        await again.result()

    error = (await again.snapshot()).error
    assert error is not None
    assert error.code == "run_id_taken"
    elsewhere = await purchases.start(PurchaseInput(items=("ink",), quote_run_id=taken), tenant="other")
    assert (await elsewhere.result()).tenants == ("other",)


async def test_a_run_without_a_tenant_starts_no_child(client: Client, purchases: PipelineUnderTest) -> None:
    handle: WorkflowHandle[Any, Any] = await client.start_workflow(
        PURCHASE.name,
        PurchaseInput(items=("ink",)),
        id=f"purchase-{uuid.uuid4().hex[:8]}",
        task_queue=purchases.task_queue,
    )

    with pytest.raises(WorkflowFailureError, match="Workflow execution failed") as raised:
        await handle.result()

    assert "without a tenant" in str(raised.value.cause)
    history = (await handle.fetch_history()).to_json()
    assert "START_CHILD_WORKFLOW" not in history


async def test_a_cancel_of_the_parent_cancels_the_child_and_gives_it_the_reason(
    client: Client, purchases: PipelineUnderTest
) -> None:
    run = await purchases.start(PurchaseInput(items=("ink",), hold=True))
    child = await child_of(run, client)

    await run.cancel("too dear")
    with pytest.raises(WorkflowFailureError):
        await run.result()

    assert [item.status for item in (await run.snapshot()).children] == ["cancelled"]
    assert (await child.snapshot()).status == "cancelled"
    await eventually(lambda: "run.cancelled" in child.event_names())
    data = next(item.data for item in child.events() if item.name == "run.cancelled")
    assert "too dear" in bytes(data).decode()
    assert run.run_id in bytes(data).decode()


async def test_a_child_that_is_cancelled_alone_fails_its_parent(
    client: Client, purchases: PipelineUnderTest
) -> None:
    run = await purchases.start(PurchaseInput(items=("ink",), hold=True))
    child = await child_of(run, client)

    await child.cancel("not this one")
    with pytest.raises(WorkflowFailureError):
        await run.result()

    snapshot = await run.snapshot()
    assert (snapshot.status, snapshot.children[0].status) == ("failed", "cancelled")
    assert snapshot.error is not None
    assert snapshot.error.code == "child_cancelled"


async def test_a_child_in_the_background_is_cancelled_when_its_parent_ends(
    client: Client, purchases: PipelineUnderTest
) -> None:
    run = await purchases.start(PurchaseInput(items=("ink",), hold=True, background=True))
    assert await run.result() == PurchaseResult(cents=0)

    child = await child_of(run, client)
    with pytest.raises(WorkflowFailureError):
        await child.result()

    assert (await child.snapshot()).status == "cancelled"
    assert (await run.snapshot()).children[0].status == "running"


async def test_a_parent_that_is_evicted_all_the_time_records_each_child_once(client: Client) -> None:
    async with pipeline_under_test(
        PURCHASE, activities=[price, total], client=client, calls=(QUOTE,), max_cached_workflows=1
    ) as pipeline:
        run = await pipeline.start(PurchaseInput(items=("ink", "pens", "paper")))
        await run.result()

    names_of_events = [event.name for event in run.events()]
    assert names_of_events.count("child.started") == names_of_events.count("child.ended") == 3
    assert [event.sequence for event in run.events()] == list(range(1, len(run.events()) + 1))


async def child_of(run: RunUnderTest, client: Client) -> RunUnderTest:
    """Wait for the run's first child."""

    async def started() -> tuple[ChildState, ...]:
        return (await run.snapshot()).children

    child = (await eventually(started))[0]
    handle: WorkflowHandle[Any, Any] = client.get_workflow_handle(run_key("acme", child.run_id))
    return RunUnderTest(handle, run.emitter)
