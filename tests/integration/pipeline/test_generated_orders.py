"""Generated orders of inputs on real runs: each question has one outcome, and every sender gets to know it.

SIGNALBOX_ORDERS sets how many questions are played, SIGNALBOX_ORDERS_SEED from which seed. Answers, changed
votes, objections, vetoes, edited contracts, deadlines, cancels, withdrawals, early and repeated decisions,
claims, releases, delegations, votes by signal and worker restarts. Every history is replayed.
"""

import math
import os
import sys
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from random import Random
from typing import Final

import msgspec
import pytest
from temporalio.client import WorkflowFailureError
from temporalio.testing import WorkflowEnvironment
from temporalio.testing._timeskipping import TimeSkippingConfig

from signalbox_core.events.approval_data import ApprovalDecided, ApprovalVoteRefused
from signalbox_core.events.envelope import decode_data
from signalbox_core.pipeline.workflow.approval_lifecycle import (
    CLOSED,
    OPEN,
    TABLE,
    ApprovalEffect,
    ApprovalInput,
    ApprovalPhase,
)
from signalbox_core.temporal import data_converter
from signalbox_core.testing.pipeline import RunUnderTest, pipeline_under_test, temporal_binary
from signalbox_core.testing.temporal_server import SERVER_ARGS
from support.assertions.eventually import eventually
from support.assertions.replays import replay_when_idle
from support.polls.contract import EARLY, EDITED, SPEC, Poll, PollsInput, PollsResult
from support.polls.driver import WITHIN_S, BrokenEmitter, PollDriver, subject_of
from support.polls.expected import STARTER, Cell, ExpectedPoll

ORDERS: Final = int(os.environ.get("SIGNALBOX_ORDERS", "200"))
SEED: Final = os.environ.get("SIGNALBOX_ORDERS_SEED", "1")
POLLS_OF_RUN: Final = 40
COVERING_ORDERS: Final = 2_000
"""So many orders visit every cell of the table that has an effect."""
HOUR_S: Final = 3_600.0
MONTH_S: Final = 30 * 24 * HOUR_S
OUTCOME_EVENTS: Final = {
    ApprovalPhase.DECIDED: "approval.decided",
    ApprovalPhase.VETOED: "approval.vetoed",
    ApprovalPhase.EXPIRED: "approval.expired",
    ApprovalPhase.DEFAULTED: "approval.expired",
    ApprovalPhase.WITHDRAWN: "approval.withdrawn",
}
ENDED_RUN: Final = {(ApprovalPhase.CANCELLED, given) for given in ApprovalInput}
"""A run that has ended takes no more inputs."""
CONTINUED: Final = {cell for cell, found in TABLE.items() if ApprovalPhase.CARRIED in (cell[0], found.phase)}
"""The runs of the orders do not continue as new."""


@pytest.fixture
async def environment() -> AsyncIterator[WorkflowEnvironment]:
    """A server whose clock is skipped on request only."""
    found = await WorkflowEnvironment.start_time_skipping_v2(
        ts_config=TimeSkippingConfig(enabled=False),
        data_converter=data_converter,
        dev_server_existing_path=temporal_binary(),
        dev_server_extra_args=[part for pair in SERVER_ARGS for part in pair],
    )
    async with found:
        yield found


@pytest.mark.timeout(120 + 2 * ORDERS)
async def test_every_generated_order_has_one_outcome_of_which_every_sender_gets_to_know(
    environment: WorkflowEnvironment,
) -> None:
    visited: Counter[Cell] = Counter()
    outcomes: Counter[ApprovalPhase] = Counter()
    played = inputs = 0
    for number in range(math.ceil(ORDERS / POLLS_OF_RUN)):
        play, is_cancelled = KINDS_OF_RUN[number % len(KINDS_OF_RUN)]
        polls = await play(environment, Random(f"{SEED}/{number}"), is_cancelled=is_cancelled)
        played += len(polls)
        for expected in polls:
            visited.update(expected.cells)
            outcomes[expected.phase] += 1
            inputs += len(expected.trace)
    report(visited, outcomes, played, inputs)


async def play_over_time(
    environment: WorkflowEnvironment, random: Random, *, is_cancelled: bool
) -> list[ExpectedPoll]:
    """Early decisions, deadlines, and an edit of the contract between two workers."""
    polls = [ExpectedPoll(poll) for poll in (*asked_later(), *asked_at_once(random, 2 * EARLY))]
    emitter, queue, client = BrokenEmitter(), f"polls-{uuid.uuid4().hex[:8]}", environment.client
    async with pipeline_under_test(
        SPEC, activities=[], client=client, emitter=emitter, task_queue=queue
    ) as pipeline:
        run = await pipeline.start(
            PollsInput(polls=tuple(item.poll for item in polls)), starter=subject_of(STARTER)
        )
        driver = PollDriver(run, polls, random)
        await record_all(driver, [item for item in polls if item.poll.asked_after_s == 0])
        await driver.play(3)
        await skip(environment, driver, 3 * HOUR_S)
        await record_all(driver, [item for item in polls if item.poll.asked_after_s > 0])
        await driver.play(3)
    await driver.signal_votes()
    driver.is_edited = True
    async with pipeline_under_test(EDITED, activities=[], client=client, emitter=emitter, task_queue=queue):
        await driver.play(2)
        await skip(environment, driver, 3 * HOUR_S)
        expiring = [item for item in polls if item.poll.deadline_s < MONTH_S and item.phase in OPEN]
        await eventually(partial(are_expired, run, expiring), within_s=WITHIN_S)
        for expected in expiring:
            expected.end(expected.deadline_input)
        await driver.play(3)
        await finish(driver, is_cancelled=is_cancelled)
        await verify(driver)
    return polls


async def play_while_recording(
    environment: WorkflowEnvironment, random: Random, *, is_cancelled: bool
) -> list[ExpectedPoll]:
    """Votes, claims, withdrawals, deadlines and a cancel while questions are being recorded."""
    polls = [ExpectedPoll(poll) for poll in asked_at_once(random, 0)]
    hasty = [
        ExpectedPoll(Poll(approval_id=f"hasty-{n}", approval="single", deadline_s=1, has_default=n % 2 == 0))
        for n in range(6)
    ]
    emitter = BrokenEmitter()
    emitter.is_broken = True
    async with pipeline_under_test(
        SPEC, activities=[], client=environment.client, emitter=emitter
    ) as pipeline:
        given = PollsInput(polls=tuple(item.poll for item in (*polls, *hasty)))
        run = await pipeline.start(given, starter=subject_of(STARTER))
        driver = PollDriver(run, polls, random)
        await eventually(partial(are_asked, run, len(given.polls)), within_s=WITHIN_S)
        await driver.learn_digests()
        for expected in (*polls, *hasty):
            expected.ask()
        check_deferred = await driver.defer_votes(8)
        for expected in random.sample(polls, 12):
            await driver.withdraw(expected)
        for expected in random.sample(polls, 12):
            await driver.ask_again(expected)
        await eventually(partial(are_expired, run, hasty), within_s=WITHIN_S)
        for expected in hasty:
            expected.end(expected.deadline_input)
        driver.polls = [*polls, *hasty]
        if is_cancelled:
            await finish(driver, is_cancelled=True)
            emitter.is_broken = False
            await check_deferred()
        else:
            emitter.is_broken = False
            await resume_after_recording(driver, check_deferred)
        await verify(driver)
    return [*polls, *hasty]


KINDS_OF_RUN: Final = (
    (play_over_time, False),
    (play_over_time, False),
    (play_over_time, True),
    (play_while_recording, False),
    (play_while_recording, True),
)
"""How a run is played, and whether it is cancelled at the end."""


def asked_later() -> list[Poll]:
    """Questions whose decisions may be early, and others whose may not."""
    return [
        Poll(
            approval_id=f"{name}_{number}",
            approval=f"{name}_{number}",
            deadline_s=MONTH_S,
            asked_after_s=2 * HOUR_S,
        )
        for name in ("early", "late")
        for number in range(EARLY)
    ]


def asked_at_once(random: Random, others: int) -> list[Poll]:
    return [
        Poll(
            approval_id=f"poll-{number}",
            approval=random.choice(("single", "pair", "groups")),
            deadline_s=random.choice((4 * HOUR_S, MONTH_S)),
            has_default=random.random() < 0.5,
        )
        for number in range(POLLS_OF_RUN - others)
    ]


async def record_all(driver: PollDriver, polls: list[ExpectedPoll]) -> None:
    await wait_until_recorded(driver, polls)
    await driver.learn_digests()
    for expected in polls:
        expected.ask()
        expected.record(is_edited=driver.is_edited)


async def wait_until_recorded(driver: PollDriver, polls: list[ExpectedPoll]) -> None:
    wanted = {item.poll.approval_id for item in polls}

    def are_recorded() -> bool:
        return wanted <= {
            msgspec.json.decode(event.data)["approval_id"]
            for event in driver.run.events()
            if event.name == "approval.requested"
        }

    await eventually(are_recorded, within_s=WITHIN_S)


async def resume_after_recording(driver: PollDriver, check_deferred: Callable[[], Awaitable[None]]) -> None:
    for expected in driver.polls:
        expected.record(is_edited=False)
    await check_deferred()
    await wait_until_recorded(driver, driver.polls)
    await driver.play(4)
    await finish(driver, is_cancelled=False)


async def skip(environment: WorkflowEnvironment, driver: PollDriver, seconds: float) -> None:
    assert await environment.fast_forward(driver.run.handle, seconds)
    driver.now_s += seconds


async def are_asked(run: RunUnderTest, count: int) -> bool:
    return len((await run.snapshot()).approvals) == count


async def are_expired(run: RunUnderTest, polls: list[ExpectedPoll]) -> bool:
    shown = {item.approval_id: item.status for item in (await run.snapshot()).approvals}
    return all(shown[item.poll.approval_id] == "expired" for item in polls)


async def finish(driver: PollDriver, *, is_cancelled: bool) -> None:
    driver.is_cancelled = is_cancelled
    if is_cancelled:
        await driver.run.cancel()
    else:
        await driver.run.handle.signal("finish")
    for expected in driver.polls:
        if expected.phase in OPEN:
            expected.end(ApprovalInput.CANCEL if is_cancelled else ApprovalInput.WITHDRAW)


async def verify(driver: PollDriver) -> None:
    """The run's result, its snapshot and its events agree with the reply to every sender; it replays."""
    run = driver.run
    result: PollsResult | None = None
    try:
        result = await run.result()
    except WorkflowFailureError:
        assert driver.is_cancelled
    history, events = await run.handle.fetch_history(), run.events()
    shown = {item.approval_id: item for item in (await run.snapshot()).approvals}
    for expected in driver.polls:
        approval_id, message = expected.poll.approval_id, (expected.poll, expected.trace)
        own = [
            event
            for event in events
            if event.name.startswith("approval.")
            and msgspec.json.decode(event.data)["approval_id"] == approval_id
        ]
        names = [event.name for event in own]
        ended = [name for name in names if name in OUTCOME_EVENTS.values()]
        assert ended == ([OUTCOME_EVENTS[expected.phase]] if expected.phase in OUTCOME_EVENTS else []), (
            message
        )
        assert names.count("approval.voted") == expected.counted, message
        refused = [
            decode_data(event, ApprovalVoteRefused) for event in own if event.name == "approval.vote_refused"
        ]
        assert [(item.decision_id, item.code) for item in refused] == expected.refused, message
        if expected.phase in CLOSED:
            assert shown[approval_id].status == expected.phase.replace("defaulted", "expired"), message
        if expected.winner is not None:
            decided = next(
                decode_data(event, ApprovalDecided) for event in own if event.name == "approval.decided"
            )
            assert decided.decision_id == shown[approval_id].decision_id == expected.winner, message
            assert (decided.outcome == "modified") == (expected.words[expected.winner] != "yes"), message
        if result is not None:
            assert result.outcomes[approval_id] == outcome_of(expected), message
            assert (approval_id in result.asked_twice) == expected.asked_twice, message
    for spec in (SPEC, EDITED):
        await replay_when_idle(spec, history)


def outcome_of(expected: ExpectedPoll) -> str:
    if expected.winner is not None:
        return expected.words[expected.winner]
    return {
        ApprovalPhase.VETOED: "vetoed",
        ApprovalPhase.EXPIRED: "approval_expired",
        ApprovalPhase.DEFAULTED: "default",
        ApprovalPhase.WITHDRAWN: "withdrawn",
    }[expected.phase]


def report(visited: Counter[Cell], outcomes: Counter[ApprovalPhase], played: int, inputs: int) -> None:
    """Print the coverage of the table."""
    idle = (ApprovalEffect.NOTHING, ApprovalEffect.IMPOSSIBLE)
    effective = {cell for cell, found in TABLE.items() if found.effect not in idle}
    effective -= ENDED_RUN | CONTINUED
    missed = sorted(f"{phase} × {given}" for phase, given in effective - set(visited))
    impossible = [cell for cell in visited if TABLE[cell].effect is ApprovalEffect.IMPOSSIBLE]
    sys.stdout.write(
        f"{played} orders, {inputs} inputs; cells with an effect: {len(effective) - len(missed)} of "
        f"{len(effective)}, without: {len(set(visited) - effective)}; outcomes: "
        f"{', '.join(f'{count} {phase}' for phase, count in sorted(outcomes.items()))}\n"
        f"missed: {missed}\n"
    )
    assert impossible == []
    assert missed == [] or played < COVERING_ORDERS
