"""Plays a generated order of inputs on each question of a run, and compares every reply with the rules."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from random import Random
from typing import Final

import msgspec
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from signalbox_core.events import CloudEvent
from signalbox_core.pipeline.contract import messages
from signalbox_core.pipeline.contract.messages import (
    Assignment,
    AssignmentAction,
    AssignmentRecord,
    Decision,
    DecisionRecord,
)
from signalbox_core.pipeline.workflow.approval_lifecycle import OPEN, ApprovalInput, ApprovalPhase
from signalbox_core.subjects import Subject
from signalbox_core.temporal.updates import send_update
from signalbox_core.testing.emitter import FakeEmitter
from signalbox_core.testing.pipeline import RunUnderTest
from support.assertions.eventually import eventually
from support.polls.expected import VOTERS, ExpectedPoll

SLOTS: Final = 8
"""Temporal accepts ten updates of one run at a time."""
WITHIN_S: Final = 120
INPUTS: Final = (
    *("answer",) * 8,
    *("object",) * 2,
    *("repeat",) * 4,
    *("other voter",) * 2,
    *("stale",) * 2,
    *("agent", "race", "withdraw", "ask again"),
    *("claim",) * 3,
    *("release",) * 2,
    *("delegate",) * 2,
)
DELEGATES: Final = ("key:an", "key:lan", "key:minh", "group:marketing", "group:legal", "group:board")


class BrokenEmitter(FakeEmitter):
    """While `is_broken`, questions stay unrecorded, because their activity fails."""

    def __init__(self) -> None:
        super().__init__()
        self.is_broken = False

    async def deliver(self, events: Sequence[CloudEvent]) -> None:
        if self.is_broken:
            raise RuntimeError("the receiver's reply cannot be read")
        await super().deliver(events)


def subject_of(voter: str) -> Subject:
    return Subject(subject=f"key:{voter}", kind="human", groups=VOTERS[voter])


class PollDriver:
    """The inputs of one run.

    Attributes:
        now_s: the run's virtual time.
        is_edited: whether the worker has the later version of the contract.
        is_cancelled: whether the run was cancelled in the end.
    """

    def __init__(self, run: RunUnderTest, polls: Sequence[ExpectedPoll], random: Random) -> None:
        self.run = run
        self.polls = polls
        self.now_s = 0.0
        self.is_edited = False
        self.is_cancelled = False
        self._random = random
        self._digests: dict[str, str] = {}

    async def play(self, rounds: int) -> None:
        """Send each question so many inputs, one after the other; the questions side by side."""
        slots = asyncio.Semaphore(SLOTS)

        async def play_one(expected: ExpectedPoll, random: Random) -> None:
            for _ in range(rounds):
                async with slots:
                    await self._send(expected, random.choice(INPUTS), random)

        async with asyncio.TaskGroup() as tasks:
            for expected in self.polls:
                tasks.create_task(play_one(expected, Random(self._random.random())))

    async def signal_votes(self) -> None:
        """Answer by signal, as the gateway does when no worker responds; the replies are lost."""
        for expected in self.polls:
            for _ in range(self._random.randrange(3)):
                voter, word = self._pick_vote(self._random)
                decision = self.decision(expected, uuid.uuid4().hex, voter, word)
                await self.run.handle.signal(messages.SIGNAL_DECIDE, decision)
                reply = expected.vote(decision.decision_id, voter, word, is_edited=True)
                expected.trace.append(f"{voter} {word} by signal: {reply}")
                if reply not in ("decided", "counted"):
                    expected.refused.append((decision.decision_id, reply))

    async def defer_votes(self, count: int) -> Callable[[], Awaitable[None]]:
        """Vote on, or claim, questions that are being recorded; return what awaits and checks the replies."""
        waiting: list[tuple[ExpectedPoll, str, str, asyncio.Task[str]]] = []
        for expected in self._random.sample(list(self.polls), count):
            action = self._random.choice(("vote", "claim"))
            decision_id = uuid.uuid4().hex
            if action == "vote":
                expected.look_up(ApprovalInput.DECIDE)
                reply = self.vote(self.decision(expected, decision_id, "lan", "yes"))
            else:
                expected.look_up(ApprovalInput.ASSIGN)
                reply = self.assign(expected, "claim", "lan", None)
            expected.trace.append(f"lan: {action} while the question is recorded")
            waiting.append((expected, action, decision_id, asyncio.create_task(reply)))
        await eventually(partial(self._has_accepted, count), within_s=WITHIN_S)

        async def check() -> None:
            for expected, action, decision_id, task in waiting:
                reply = await task
                if expected.phase is ApprovalPhase.CANCELLED:
                    wanted = "conflict"
                elif action == "vote":
                    wanted = expected.vote(decision_id, "lan", "yes", is_edited=self.is_edited)
                else:
                    wanted = expected.assign("claim", "lan", "", self.now_s)
                self._compare(expected, action, wanted, reply)

        return check

    async def _has_accepted(self, count: int) -> bool:
        accepted = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED
        types = [event.event_type async for event in self.run.handle.fetch_history_events()]
        return types.count(accepted) == count

    async def _send(self, expected: ExpectedPoll, name: str, random: Random) -> None:
        if name in ("claim", "release", "delegate"):
            voter, to = random.choice(list(VOTERS)), random.choice(DELEGATES)
            reply = await self.assign(expected, name, voter, to if name == "delegate" else None)
            wanted = expected.assign(name, voter, to, self.now_s)
            self._compare(expected, f"{voter}: {name} {to}", wanted, reply)
        elif name == "withdraw":
            await self.withdraw(expected)
        elif name == "ask again":
            await self.ask_again(expected)
        elif name == "race":
            await self._race(expected)
        else:
            await self._vote(expected, name, random)

    async def _vote(self, expected: ExpectedPoll, name: str, random: Random) -> None:
        voter, word = self._pick_vote(random)
        decision_id, wanted = uuid.uuid4().hex, None
        if name == "object":
            word = "object"
        elif name in ("repeat", "other voter") and expected.replies:
            decision_id = random.choice(list(expected.replies))
            word = expected.words[decision_id]
            own = expected.voters[decision_id]
            voter = own if name == "repeat" else random.choice([item for item in VOTERS if item != own])
        elif name == "agent":
            wanted = "not_allowed_by_policy"
        decision = self.decision(expected, decision_id, voter, word)
        is_stale = name == "stale" and decision.digest is not None
        if is_stale:
            decision = msgspec.structs.replace(decision, digest="0" * 64)
        if name == "agent":
            agent = Subject(subject="key:bot", kind="agent", groups=("marketing", "legal"))
            decision = msgspec.structs.replace(decision, decider=agent)
        reply = await self.vote(decision)
        if wanted is None:
            wanted = expected.vote(decision_id, voter, word, is_edited=self.is_edited, is_stale=is_stale)
        self._compare(expected, f"{voter}: {name} {word} {decision_id[:4]}", wanted, reply)

    async def _race(self, expected: ExpectedPoll) -> None:
        """Two answers at the same time: one wins, and the other one's sender gets to know."""
        if expected.phase is not ApprovalPhase.PENDING or not expected.policy.is_default:
            return
        sent = [(uuid.uuid4().hex, voter) for voter in ("lan", "minh")]
        replies = await asyncio.gather(
            *(self.vote(self.decision(expected, item, voter, "yes")) for item, voter in sent)
        )
        if replies[0] != "decided":
            sent, replies = sent[::-1], replies[::-1]
        for (decision_id, voter), reply in zip(sent, replies, strict=True):
            wanted = expected.vote(decision_id, voter, "yes", is_edited=self.is_edited)
            self._compare(expected, f"{voter}: race", wanted, reply)

    async def withdraw(self, expected: ExpectedPoll) -> None:
        if expected.phase not in OPEN:
            return
        await self.run.handle.signal("withdraw", expected.poll.approval_id)
        await eventually(partial(self._is_shown, expected, "withdrawn"), within_s=WITHIN_S)
        expected.end(ApprovalInput.WITHDRAW)
        expected.trace.append("withdrawn")

    async def ask_again(self, expected: ExpectedPoll) -> None:
        if expected.phase in (ApprovalPhase.UNASKED, ApprovalPhase.EARLY):
            return
        await self.run.handle.signal("ask_again", expected.poll)
        expected.look_up(ApprovalInput.ASK)
        expected.asked_twice = True
        expected.trace.append("asked again")

    async def _is_shown(self, expected: ExpectedPoll, status: str) -> bool:
        shown = {item.approval_id: item.status for item in (await self.run.snapshot()).approvals}
        return shown.get(expected.poll.approval_id) == status

    async def vote(self, decision: Decision) -> str:
        try:
            record = await send_update(
                self.run.handle,
                messages.UPDATE_DECIDE,
                decision,
                update_id=uuid.uuid4().hex,
                result_type=DecisionRecord,
            )
        except WorkflowUpdateFailedError as error:
            return _code_of(error)
        assert record.decision_id == decision.decision_id
        return record.result or "decided"

    async def assign(
        self, expected: ExpectedPoll, action: AssignmentAction, voter: str, to: str | None
    ) -> str:
        assignment = Assignment(
            approval_id=expected.poll.approval_id,
            request_id=uuid.uuid4().hex,
            action=action,
            by=subject_of(voter),
            to=to,
        )
        try:
            await send_update(
                self.run.handle,
                messages.UPDATE_ASSIGN,
                assignment,
                update_id=assignment.request_id,
                result_type=AssignmentRecord,
            )
        except WorkflowUpdateFailedError as error:
            return _code_of(error)
        return "assigned"

    def decision(self, expected: ExpectedPoll, decision_id: str, voter: str, word: str) -> Decision:
        is_objection = word == "object"
        answer = b"null" if is_objection else msgspec.json.encode({"word": word})
        return Decision(
            approval_id=expected.poll.approval_id,
            decision_id=decision_id,
            answer=msgspec.Raw(answer),
            decided_by=voter,
            decider=subject_of(voter),
            digest=self._digest_of(expected),
            objection=is_objection,
            note="misleading" if is_objection else None,
        )

    def _digest_of(self, expected: ExpectedPoll) -> str | None:
        if expected.phase in (ApprovalPhase.UNASKED, ApprovalPhase.EARLY):
            return None
        return self._digests[expected.poll.approval_id]

    async def learn_digests(self) -> None:
        """Read the digests of all questions that have been asked."""
        self._digests = {item.approval_id: item.digest for item in (await self.run.snapshot()).approvals}

    @staticmethod
    def _pick_vote(random: Random) -> tuple[str, str]:
        return random.choice(list(VOTERS)), random.choice(("yes", "yes", "no", "taboo"))

    @staticmethod
    def _compare(expected: ExpectedPoll, sent: str, wanted: str, reply: str) -> None:
        expected.trace.append(f"{sent}: {reply}")
        assert reply == wanted, (wanted, expected.poll, expected.trace)


def _code_of(error: WorkflowUpdateFailedError) -> str:
    assert isinstance(error.cause, ApplicationError), error.cause
    return str(error.cause.type)
