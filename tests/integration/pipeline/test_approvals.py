"""A run asks a person: exactly one outcome wins, whenever the answer comes."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from signalbox_core.events import approval_data, catalogue
from signalbox_core.pipeline.contract import messages
from signalbox_core.pipeline.contract.messages import Decision
from signalbox_core.subjects import Subject
from signalbox_core.temporal.names import MEMO_TENANT
from signalbox_core.testing.pipeline import pipeline_under_test, replay
from support.assertions.eventually import eventually
from support.sample.contract import SPEC, Pick, SampleInput, SampleResult

ASK = SampleInput(items=3, ask=True)


def decision(
    answer: object,
    *,
    by: str = "lan",
    decision_id: str = "d1",
    approval_id: str = "pick",
    digest: str | None = None,
) -> Decision:
    return Decision(
        approval_id=approval_id,
        decision_id=decision_id,
        answer=msgspec.Raw(msgspec.json.encode(answer)),
        decided_by=by,
        digest=digest,
        decider=Subject(subject="key:tester", kind="service"),
    )


def refusal_of(error: pytest.ExceptionInfo[WorkflowUpdateFailedError]) -> Mapping[str, object]:
    cause = error.value.cause
    assert isinstance(cause, ApplicationError)
    details: Mapping[str, object] = cause.details[0]
    assert cause.type == details["code"]
    return details


async def test_a_decision_after_the_question_is_the_answer(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        run = await pipeline.start(ASK)

        record = await run.decide("pick", Pick(number=1), by="lan")

        assert await run.result() == SampleResult(made=[0, 1, 2], picked=1)
        assert (record.decided_by, bytes(record.answer)) == ("lan", b'{"number":1,"note":null}')
        assert run.event_names()[-3:] == ["approval.requested", "approval.decided", "run.completed"]


async def test_a_decision_before_the_question_is_the_answer(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        handle = await client.start_workflow(
            "sample",
            ASK,
            id=f"early-{pipeline.task_queue}",
            task_queue=pipeline.task_queue,
            memo={MEMO_TENANT: "acme"},
            start_signal="decide",
            start_signal_args=[decision(Pick(number=2))],
            result_type=SampleResult,
        )

        assert await handle.result() == SampleResult(made=[0, 1, 2], picked=2)
        last = ["approval.requested", "approval.decided", "run.completed"]
        await eventually(lambda: [event.name for event in pipeline.emitter.milestones][-3:] == last)


async def test_an_update_before_the_question_is_accepted_too(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        run = await pipeline.start(ASK)
        await run.pause()

        record = await run.send(decision(Pick(number=0)))
        await run.resume()

        assert record.decided_by == "lan"
        assert await run.result() == SampleResult(made=[0, 1, 2], picked=0)


async def test_of_two_deciders_one_wins_and_the_other_learns_who(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        run = await pipeline.start(ASK)
        await run.approval("pick")

        outcomes = await asyncio.gather(
            *(
                run.send(decision(Pick(number=n), by=by, decision_id=by))
                for n, by in enumerate(("lan", "minh", "huong"))
            ),
            return_exceptions=True,
        )

        (won,) = [item for item in outcomes if not isinstance(item, BaseException)]
        lost = [item for item in outcomes if isinstance(item, BaseException)]
        result = await run.result()
        assert result.picked == msgspec.json.decode(won.answer, type=Pick).number
        assert run.event_names().count("approval.decided") == 1
        assert len(lost) == 2


async def test_a_second_decision_is_refused_and_names_the_first(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        run = await pipeline.start(ASK)
        await run.pause()
        first = await run.send(decision(Pick(number=0), by="lan", decision_id="d1"))

        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await run.send(decision(Pick(number=1), by="minh", decision_id="d2"))

        details = refusal_of(refused)
        assert details["code"] == "already_decided"
        assert details["facts"] == {
            "decided_by": "lan",
            "decided_at": first.decided_at.isoformat().replace("+00:00", "Z"),
            "decision_id": "d1",
        }
        await run.resume()


async def test_the_same_decision_again_gives_the_first_record(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        run = await pipeline.start(ASK)
        await run.pause()
        first = await run.send(decision(Pick(number=0)))

        again = await run.handle.execute_update(
            "decide", decision(Pick(number=0)), id="another-update", result_type=messages.DecisionRecord
        )

        assert again == first
        await run.resume()
        assert (await run.result()).picked == 0


@pytest.mark.parametrize(
    ("sent", "code", "field"),
    [
        pytest.param(decision({"number": "x"}), "invalid_answer", "answer.number", id="wrong type"),
        pytest.param(decision({}), "invalid_answer", "answer", id="missing member"),
        pytest.param(
            decision({"number": 99}), "invalid_answer", "answer.number", id="against the pipeline's rule"
        ),
        pytest.param(
            decision({"number": 1}, digest="0" * 64), "stale_digest", "digest", id="not what is asked now"
        ),
        pytest.param(
            decision({"number": 1}, approval_id="other"),
            "unknown_approval",
            "approval_id",
            id="no such approval",
        ),
        pytest.param(
            decision({"number": 1}, approval_id="pick-3"),
            "unknown_approval",
            "approval_id",
            id="a round that is not next",
        ),
    ],
)
async def test_a_wrong_decision_is_refused_and_the_question_stays_open(
    client: Client, sample_activities: list[Callable[..., Any]], sent: Decision, code: str, field: str
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        run = await pipeline.start(ASK)
        await run.approval("pick")

        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await run.send(sent)

        assert (refusal_of(refused)["code"], refusal_of(refused)["field"]) == (code, field)
        assert (await run.approval("pick")).status == "pending"
        await run.decide("pick", Pick(number=1))
        assert (await run.result()).picked == 1
        history = await run.handle.fetch_history()
        assert [
            event.HasField("workflow_execution_update_accepted_event_attributes") for event in history.events
        ].count(True) == 1


async def test_a_wrong_decision_by_signal_is_dropped(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        run = await pipeline.start(ASK)
        await run.approval("pick")

        await run.handle.signal("decide", decision({"number": 99}))
        await run.handle.signal("decide", decision({"number": 2}, decision_id="d2"))

        assert (await run.result()).picked == 2


async def test_without_a_decision_the_run_fails_at_the_deadline(
    sample_activities: list[Callable[..., Any]],
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, skip_time=True) as pipeline:
        run = await pipeline.start(ASK)

        with pytest.raises(WorkflowFailureError):
            await run.result()

        await eventually(lambda: run.event_names()[-1:] == ["run.failed"])
        assert run.event_names()[-4:] == [
            "approval.requested",
            "approval.reminded",
            "approval.expired",
            "run.failed",
        ]
        failure = msgspec.json.decode(run.events()[-1].data, type=catalogue.RunFailed).error
        assert failure.code == "approval_expired"
        requested, reminded, expired = run.events()[-4:-1]
        assert round((reminded.time - requested.time).total_seconds() / 3600) == 36
        assert msgspec.json.decode(expired.data) == {"approval_id": "pick", "outcome": "expired"}
        assert round((expired.time - requested.time).total_seconds() / 3600) == 72


async def test_an_agent_never_decides(client: Client, sample_activities: list[Callable[..., Any]]) -> None:
    agent, person = Subject(subject="key:bot", kind="agent"), Subject(subject="key:lan", groups=("legal",))
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        run = await pipeline.start(ASK)
        digest = (await run.approval("pick")).digest
        by_agent = replace(decision(Pick(number=0), by="bot"), decider=agent)
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await run.send(by_agent)
        await run.handle.signal(messages.SIGNAL_DECIDE, replace(by_agent, decision_id="d2"))
        by_person = decision(Pick(number=1), decision_id="d3", digest=digest)
        record = await run.send(replace(by_person, decider=person))
        result = await run.result()
        (decided,) = [event for event in run.events() if event.name == "approval.decided"]
        state = (await run.snapshot()).approvals[0]
        await replay(SPEC, await run.handle.fetch_history())

    details = refusal_of(refused)
    assert (details["code"], "key:bot" in str(details["message"])) == ("not_allowed_by_policy", True)
    assert (result.picked, record.decider) == (1, person)
    assert msgspec.json.decode(decided.data, type=approval_data.ApprovalDecided).decider == person
    assert (state.decided_by, state.decider) == ("lan", person)


async def test_a_decision_by_link_needs_a_contract_that_permits_links(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    by_link = replace(decision(Pick(number=0), by="lan"), decider=Subject(subject="mailto:lan@acme.test"))
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        run = await pipeline.start(ASK)
        await run.approval("pick")
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await run.send(by_link)
        await run.decide("pick", Pick(number=2), by="an")
        assert (await run.result()).picked == 2

    details = refusal_of(refused)
    assert (details["code"], "links=True" in str(details["message"])) == ("not_allowed_by_policy", True)


async def test_an_early_decision_of_an_agent_is_refused(
    client: Client, sample_activities: list[Callable[..., Any]]
) -> None:
    agent = Subject(subject="key:bot", kind="agent")
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        async with pipeline.without_worker():
            run = await pipeline.start(ASK)
            early = replace(decision(Pick(number=0), by="bot"), decider=agent)
            await run.handle.signal(messages.SIGNAL_DECIDE, early)
        await run.decide("pick", Pick(number=2), by="lan")
        assert (await run.result()).picked == 2


@pytest.mark.parametrize("decider", [Subject(subject="key:lan"), None], ids=["a person", "an unknown sender"])
async def test_a_person_decides_with_the_digest_of_what_was_shown(
    client: Client, sample_activities: list[Callable[..., Any]], decider: Subject | None
) -> None:
    async with pipeline_under_test(SPEC, activities=sample_activities, client=client) as pipeline:
        run = await pipeline.start(ASK)
        digest = (await run.approval("pick")).digest
        blind = replace(decision(Pick(number=0)), decider=decider)
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await run.send(blind)
        await run.handle.signal(messages.SIGNAL_DECIDE, replace(blind, decision_id="d2"))
        informed = decision(Pick(number=2), decision_id="d3", digest=digest)
        await run.send(replace(informed, decider=decider))
        assert (await run.result()).picked == 2
        await replay(SPEC, await run.handle.fetch_history())

    details = refusal_of(refused)
    assert (details["code"], details["field"]) == ("digest_required", "digest")
    assert "send the `digest` of approval pick" in str(details["message"])
