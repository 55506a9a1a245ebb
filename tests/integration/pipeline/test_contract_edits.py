"""An edit of the contract leaves runs with open and with decided questions running."""

import asyncio
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Struct
from msgspec.structs import replace as replace_decision
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from signalbox_core.events import CloudEvent
from signalbox_core.ids import run_key
from signalbox_core.pipeline.contract import messages
from signalbox_core.pipeline.contract.messages import Decision
from signalbox_core.pipeline.contract.stated_patches import LEAN_QUESTIONS
from signalbox_core.subjects import Subject
from signalbox_core.temporal.names import MEMO_PATCHES, MEMO_STARTED_BY, MEMO_TENANT
from signalbox_core.testing.pipeline import (
    FakeEmitter,
    PipelineUnderTest,
    RunUnderTest,
    pipeline_under_test,
    replay,
)
from support.assertions.eventually import eventually
from support.fakes.edited_pipeline import CONTRACT, Deploy, choice, deployments
from support.whole.chain.activities import nothing

FIRST = 'FIRST = Approval(name="first",'
LONG = "x" * 17_000
EDITS = [
    pytest.param('"""The choice."""', '"""The choice, in other words."""', id="docstring"),
    pytest.param('title="First?"', 'title="Which one first?"', id="title"),
    pytest.param('Meta(title="Number", ge=0)', 'Meta(title="The number", ge=0)', id="meta title"),
    pytest.param('Meta(title="Number", ge=0)', 'Meta(title="Number", ge=0, le=1)', id="meta constraint"),
    pytest.param('ge=0)]\n', 'ge=0)]\n    note: str | None = None\n', id="optional field"),
    pytest.param("answer.number > 5", "answer.number > 1", id="stricter check"),
    pytest.param("class Offer(Struct, frozen=True, kw_only=True):\n    number: int\n",
                 "class Offer(Struct, frozen=True, kw_only=True):\n    number: int\n    label: str = ''\n",
                 id="option field"),
    pytest.param("First?\", answer=Choice, deadline=timedelta(days=3)",
                 "First?\", answer=Choice, deadline=timedelta(seconds=1)", id="deadline"),
    pytest.param(FIRST, FIRST + " links=True,", id="links"),
    pytest.param(FIRST, FIRST + " policy=Policy(quorum=(Quorum(2),)),", id="policy"),
]  # fmt: skip


class StuckEmitter(FakeEmitter):
    """A receiver that takes the connection and does not answer."""

    async def deliver(self, events: Sequence[CloudEvent]) -> None:  # noqa: ARG002 - part of the protocol
        await asyncio.Event().wait()


@pytest.fixture
def deploy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deploy]:
    with deployments(tmp_path, monkeypatch) as deploy:
        yield deploy


async def decide(run: RunUnderTest, approval_id: str, number: int) -> None:
    """Decide with the digest that the receiver got with `approval.requested`, as the console does."""
    await run.approval(approval_id)
    await run.send(choice(approval_id, number, await seen_digest(run, approval_id)))


async def is_recorded(run: RunUnderTest) -> bool:
    """Whether the run has taken up the record of its latest question."""
    types = [event.event_type async for event in run.handle.fetch_history_events()]
    return types[-1] == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED and types[-4:-3] == [
        EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED
    ]


async def seen_digest(run: RunUnderTest, approval_id: str) -> str:
    return (await run.approval(approval_id)).digest


@pytest.mark.parametrize(("before", "after"), EDITS)
@pytest.mark.parametrize("state", ["asking", "open", "decided"])
async def test_an_edited_contract_leaves_the_run_going(
    client: Client, deploy: Deploy, before: str, after: str, state: str
) -> None:
    edited = CONTRACT.replace(before, after)
    assert edited != CONTRACT
    old = deploy(CONTRACT)
    # While the receiver does not answer, the question is not recorded; it is, two seconds later.
    emitter = StuckEmitter() if state == "asking" else FakeEmitter()
    async with pipeline_under_test(old, activities=[], client=client, emitter=emitter) as pipeline:
        run = await pipeline.start(old.input())
        asked = await run.approval("first")
        if state != "asking":
            await eventually(lambda: is_recorded(run))
        if state == "decided":
            await run.send(choice("first", 2, asked.digest))
            await run.approval("second")

    new = deploy(edited)
    async with pipeline_under_test(new, activities=[], client=client, task_queue=pipeline.task_queue):
        await replay(new, await run.handle.fetch_history())
        if state != "decided":
            await run.send(choice("first", 1, asked.digest))
        shown = await run.approval("first", within_s=30)
        assert (shown.digest, shown.title, shown.answer_schema, shown.options, shown.deadline_at) == (
            asked.digest, asked.title, asked.answer_schema, asked.options, asked.deadline_at
        )  # fmt: skip
        await decide(run, "second", 0)

        result = await run.result()
        assert result.numbers == [2 if state == "decided" else 1, 0]
        await replay(new, await run.handle.fetch_history())
    await replay(deploy(CONTRACT), await run.handle.fetch_history())


@pytest.mark.parametrize("titles", [("Edited", LONG), (LONG, "Edited")], ids=["longer", "shorter"])
@pytest.mark.parametrize("place", ['title="Edited"', '"Choose"'], ids=["pipeline", "step"])
async def test_an_edited_title_does_not_change_how_events_are_delivered(
    client: Client, deploy: Deploy, place: str, titles: tuple[str, str]
) -> None:
    before, after = (CONTRACT.replace(place, place[: place.index('"')] + f'"{title}"') for title in titles)
    old = deploy(before)
    async with pipeline_under_test(old, activities=[nothing], client=client) as pipeline:
        run = await pipeline.start(old.input(size=0))
        await run.approval("first")
        history = await run.handle.fetch_history()

    await replay(deploy(after), history)


@pytest.mark.parametrize(("before", "after"), EDITS)
async def test_a_decision_by_signal_is_not_validated_again(
    client: Client, deploy: Deploy, before: str, after: str
) -> None:
    old = deploy(CONTRACT.replace('name="first"', 'name="first", early=True'))
    async with pipeline_under_test(old, activities=[], client=client) as pipeline:
        async with pipeline.without_worker():
            run = await pipeline.start(old.input())
            await run.handle.signal(messages.SIGNAL_DECIDE, choice("second", 0))
            await run.handle.signal(messages.SIGNAL_DECIDE, choice("first", 2))
        await run.approval("second")
        await run.handle.signal(messages.SIGNAL_DECIDE, choice("second", 9))

        await run.handle.signal(messages.SIGNAL_DECIDE, choice("second", 2))
        result = await run.result()

    assert result.numbers == [2, 2]
    new = deploy(CONTRACT.replace(before, after).replace("early=True", "early=False"))
    await replay(new, await run.handle.fetch_history())


async def test_a_new_required_field_is_named_with_the_reason(client: Client, deploy: Deploy) -> None:
    old = deploy(CONTRACT)
    async with pipeline_under_test(old, activities=[], client=client) as pipeline:
        run = await pipeline.start(old.input())
        asked = await run.approval("first")
        await eventually(lambda: is_recorded(run))

    new = deploy(CONTRACT.replace("ge=0)]\n", "ge=0)]\n    reason: str\n"))
    async with pipeline_under_test(new, activities=[], client=client, task_queue=pipeline.task_queue):
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await run.send(choice("first", 1, asked.digest))

        problem: Any = refused.value.cause
        assert problem.type == "invalid_answer"
        assert "`reason`" in problem.message
        assert "the pipeline has changed since it asked this question" in problem.message
        assert (await run.approval("first", within_s=30)).status == "pending"
        await run.cancel()


async def test_an_open_question_keeps_the_policy_with_which_it_was_asked(
    client: Client, deploy: Deploy
) -> None:
    policy = 'policy=Policy(quorum=(Quorum(2, "marketing"),), people=("key:an", "key:lan"))'
    old = deploy(CONTRACT.replace(FIRST, f"{FIRST} {policy},"))
    async with pipeline_under_test(old, activities=[], client=client) as pipeline:
        run = await pipeline.start(old.input())
        asked = await run.approval("first")
        await eventually(lambda: is_recorded(run))
        counted = await run.send(vote_of("an", "marketing", asked.digest))

    new = deploy(CONTRACT.replace(FIRST, f"{FIRST} {OTHER},"))
    async with pipeline_under_test(new, activities=[], client=client, task_queue=pipeline.task_queue):
        await replay(new, await run.handle.fetch_history())
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await run.send(vote_of("minh", "legal", asked.digest))
        decided = await run.send(vote_of("lan", "marketing", asked.digest))
        await decide(run, "second", 0)

        assert (await run.result()).numbers == [1, 0]
        await replay(new, await run.handle.fetch_history())
    assert (counted.result, decided.result) == ("counted", "decided")
    assert isinstance(refused.value.cause, ApplicationError)
    assert refused.value.cause.type == "not_allowed_by_policy"


OTHER = 'policy=Policy(quorum=(Quorum(1, "legal"),), veto=("marketing",))'


def vote_of(voter: str, group: str, digest: str) -> Decision:
    return replace_decision(
        choice("first", 1, digest),
        decision_id=voter,
        decider=Subject(subject=f"key:{voter}", groups=(group,)),
    )


def by_link(digest: str) -> Decision:
    recipient = Subject(subject="mailto:lan@acme.test", name="lan@acme.test")
    vote = choice("first", 1, digest)
    return replace_decision(vote, decision_id="by-link", decider=recipient, decided_by="lan@acme.test")


@pytest.mark.parametrize("state", ["asking", "open"])
@pytest.mark.parametrize("permits", [True, False], ids=["links on, then off", "links off, then on"])
async def test_an_open_question_is_decided_by_link_as_when_it_was_asked(
    client: Client, deploy: Deploy, permits: bool, state: str
) -> None:
    before, after = (CONTRACT.replace(FIRST, f"{FIRST} links={links},") for links in (permits, not permits))
    old = deploy(before)
    emitter = StuckEmitter() if state == "asking" else FakeEmitter()
    async with pipeline_under_test(old, activities=[], client=client, emitter=emitter) as pipeline:
        run = await pipeline.start(old.input())
        asked = await run.approval("first")
        if state == "open":
            await eventually(lambda: is_recorded(run))

    new = deploy(after)
    async with pipeline_under_test(new, activities=[], client=client, task_queue=pipeline.task_queue):
        await replay(new, await run.handle.fetch_history())
        if permits:
            await run.send(by_link(asked.digest))
        else:
            with pytest.raises(WorkflowUpdateFailedError) as refused:
                await run.send(by_link(asked.digest))
            assert isinstance(refused.value.cause, ApplicationError)
            assert refused.value.cause.type == "not_allowed_by_policy"
            await run.send(choice("first", 1, asked.digest))
        await decide(run, "second", 0)
        assert (await run.result()).numbers == [1, 0]
    for spec in (new, deploy(before)):
        await replay(spec, await run.handle.fetch_history())


@pytest.mark.parametrize("permits", [True, False], ids=["links on", "links off"])
async def test_a_run_of_an_earlier_version_follows_the_deployed_contract(
    client: Client, deploy: Deploy, permits: bool
) -> None:
    """Its start does not state that questions record links."""
    old = deploy(CONTRACT.replace(FIRST, f"{FIRST} links={not permits},"))
    async with pipeline_under_test(old, activities=[], client=client) as pipeline:
        run = await start_as_earlier(pipeline, old.input())
        asked = await run.approval("first")
        await eventually(lambda: is_recorded(run))
    requested = next(item for item in pipeline.emitter.milestones if item.name == "approval.requested")
    assert "links" not in msgspec.json.decode(requested.data)

    new = deploy(CONTRACT.replace(FIRST, f"{FIRST} links={permits},"))
    async with pipeline_under_test(new, activities=[], client=client, task_queue=pipeline.task_queue):
        if permits:
            await run.send(by_link(asked.digest))
        else:
            with pytest.raises(WorkflowUpdateFailedError):
                await run.send(by_link(asked.digest))
            await run.send(choice("first", 1, asked.digest))
        await decide(run, "second", 0)
        assert (await run.result())["numbers"] == [1, 0]
    await replay(new, await run.handle.fetch_history())


async def start_as_earlier(pipeline: PipelineUnderTest, value: Struct) -> RunUnderTest:
    handle: WorkflowHandle[Any, Any] = await pipeline.client.start_workflow(
        "edited",
        value,
        id=run_key("acme", f"edited-{uuid.uuid4().hex[:12]}"),
        task_queue=pipeline.task_queue,
        memo={MEMO_TENANT: "acme", MEMO_STARTED_BY: "tester", MEMO_PATCHES: (LEAN_QUESTIONS,)},
    )
    return RunUnderTest(handle, pipeline.emitter, converter=pipeline.client.data_converter)
