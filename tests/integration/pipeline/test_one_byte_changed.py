"""One changed byte anywhere between the question and its effect is refused.

1,000 random changes at each of five places, through the real parts: the decision's validator, the activity
interceptor, the delivery activity and an object store on disk.
"""

import hashlib
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from temporalio.api.common.v1 import Payload
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from signalbox_core.canonical_json import sha256_of
from signalbox_core.events import CloudEvent
from signalbox_core.events.approval_data import ApprovalRequested
from signalbox_core.events.effect_digest import with_effect_digest
from signalbox_core.http.fetch import Fetcher
from signalbox_core.objects import open_object_store
from signalbox_core.pipeline.activity.interceptor import ActivityInterceptor
from signalbox_core.pipeline.contract.approved_effect import (
    DecisionReceipt,
    EffectApproval,
    ShownQuestion,
)
from signalbox_core.pipeline.contract.emitter import EventBatch, batch_of
from signalbox_core.pipeline.contract.messages import Decision
from signalbox_core.pipeline.contract.spec import json_schema
from signalbox_core.pipeline.contract.step_header import StepCall, to_payload
from signalbox_core.pipeline.deps import ActivityDeps
from signalbox_core.pipeline.workflow.approvals import ApprovalRegistry
from signalbox_core.pipeline.workflow.asked_question import AskedQuestion
from signalbox_core.pipeline.workflow.delivery import DeliverActivities
from signalbox_core.pipeline.workflow.recorded import QuestionActivities, RecordRequest
from signalbox_core.temporal.names import HEADER_CALL, HEADER_EVENTS
from signalbox_core.testing.emitter import FakeEmitter
from support.letters.activities import LetterActivities
from support.letters.contract import SEND, SPEC, Attachment, ChosenLetters, Letter, chosen_letters

TIMES = 1_000
BODY = b"attachment for lan"
LAN = Letter(
    name="lan",
    text="Dear Lan, the price is 12.50 €.",
    attachment=Attachment(key="letters/lan.txt", sha256=hashlib.sha256(BODY).hexdigest()),
)
MINH = replace(LAN, name="minh", text="Dear Minh")
ANSWER = msgspec.json.encode(ChosenLetters(names=("lan",)))
SHOWN = ShownQuestion(
    options=msgspec.Raw(msgspec.json.encode((LAN, MINH))),
    evidence=msgspec.Raw(b'{"checked":true,"by":[1,2]}'),
)
RECEIPT = DecisionReceipt(
    approval_id="send",
    name="send",
    decision_id="d-1",
    decided_by="lan",
    question_digest="0" * 64,
    shown=SHOWN,
    answer=msgspec.Raw(ANSWER),
)
REFUSED = (ApplicationError, msgspec.DecodeError, UnicodeDecodeError)
"""A refusal by the part under test, or bytes that are not JSON of the type, which Temporal cannot decode."""


class Body(ActivityInboundInterceptor):
    """Runs the activity's function, as the last interceptor does in a worker."""

    def __init__(self) -> None:
        """There is no next interceptor."""

    def init(self, outbound: Any) -> None:
        """Nothing to prepare."""

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        return await input.fn(*input.args)


@pytest.fixture
def letters(tmp_path: Path) -> LetterActivities:
    deps = ActivityDeps(objects=open_object_store(f"file://{tmp_path}"), fetcher=Fetcher(), environ={})
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "lan.txt").write_bytes(BODY)
    return LetterActivities(deps)


def change(body: bytes, chance: random.Random) -> bytes:
    """The bytes with one of them changed."""
    at = chance.randrange(len(body))
    return body[:at] + bytes([body[at] ^ chance.randrange(1, 256)]) + body[at + 1 :]


async def call(function: Callable[..., Any], argument: object, approval: EffectApproval) -> None:
    inbound = ActivityInterceptor(FakeEmitter()).intercept_activity(Body())
    headers = {HEADER_CALL: to_payload(StepCall(tenant="", approval=approval))}
    work = ExecuteActivityInput(fn=function, args=[argument], executor=None, headers=headers)
    await ActivityEnvironment().run(inbound.execute_activity, work)


async def test_unchanged_everything_passes(letters: LetterActivities) -> None:
    approval = RECEIPT.for_argument(LAN, chosen_letters(ChosenLetters(names=("lan",)), SHOWN))

    await call(letters.send, LAN, approval)

    assert letters.outgoing == [(LAN, BODY)]


def test_a_decision_on_a_changed_view_is_refused() -> None:
    schema = json_schema(SEND.answer)
    view = {"title": SEND.title, "answer_schema": schema, "options": (LAN, MINH), "evidence": SHOWN.evidence}
    body, chance = msgspec.json.encode(view), random.Random(1)
    passed = [changed for _ in range(TIMES) if is_accepted(changed := change(body, chance), view)]

    assert is_accepted(body, view)
    assert passed == []


def digest_of_view(view: dict[str, Any]) -> str:
    """What a client computes from the question that it shows."""
    form = {"title": view.get("title"), "answer_schema": view.get("answer_schema")}
    return sha256_of({"question": form, "options": view.get("options"), "evidence": view.get("evidence")})


def is_accepted(shown: bytes, asked: dict[str, Any]) -> bool:
    registry = ApprovalRegistry(SPEC)
    requested = ApprovalRequested(
        approval_id="send",
        name="send",
        title=SEND.title,
        answer_schema=msgspec.Raw(msgspec.json.encode(asked["answer_schema"])),
        options=SHOWN.options,
        evidence=SHOWN.evidence,
        digest=digest_of_view(asked),
    )
    registry.open("send", AskedQuestion(approval=SEND, requested=requested))
    try:
        digest = digest_of_view(msgspec.json.decode(shown, type=dict[str, Any]))
        registry.validate(
            Decision(
                approval_id="send",
                decision_id="d-1",
                answer=msgspec.Raw(ANSWER),
                decided_by="lan",
                digest=digest,
            )
        )
    except REFUSED:
        return False
    return True


async def test_an_effect_of_a_changed_answer_is_refused(letters: LetterActivities) -> None:
    ran: list[ChosenLetters] = []

    async def book(answer: ChosenLetters) -> None:
        ran.append(answer)

    async def book_changed(body: bytes) -> None:
        answer = msgspec.json.decode(body, type=ChosenLetters)
        await call(book, answer, RECEIPT.for_argument(answer, [RECEIPT.answer]))

    chance = random.Random(2)
    for _ in range(TIMES):
        with pytest.raises(REFUSED):
            await book_changed(change(ANSWER, chance))

    assert ran == []
    assert letters.outgoing == []


SENT = with_effect_digest(
    CloudEvent(
        id="e-1",
        source="/signalbox/worker",
        type="dev.signalbox.letter.sent.v1",
        time=datetime(2026, 1, 1, tzinfo=UTC),
        subject="letters-1",
        tenantid="acme",
        runid="letters-1",
        sequence=7,
        stepid="send",
        data=msgspec.Raw(msgspec.json.encode(LAN)),
    )
)
ORDINARY = replace(SENT, id="e-0", sequence=6, effectdigest=None)


async def deliver(emitter: FakeEmitter, batch: bytes) -> None:
    work = DeliverActivities(emitter).deliver
    await ActivityEnvironment().run(work, msgspec.json.decode(batch, type=EventBatch))


async def carry(emitter: FakeEmitter, batch: bytes) -> None:
    """The events travel in the header of another activity."""

    async def other() -> None:
        pass

    inbound = ActivityInterceptor(emitter).intercept_activity(Body())
    headers = {
        HEADER_CALL: to_payload(StepCall(tenant="acme")),
        HEADER_EVENTS: Payload(metadata={"encoding": b"json/plain"}, data=batch),
    }
    work = ExecuteActivityInput(fn=other, args=[], executor=None, headers=headers)
    await ActivityEnvironment().run(inbound.execute_activity, work)


async def record(emitter: FakeEmitter, batch: bytes) -> None:
    """The events are delivered with the recording of a question."""
    decoded = msgspec.json.decode(batch, type=EventBatch)
    request = RecordRequest(events=decoded.events, approved=decoded.approved, deliver=True)
    await ActivityEnvironment().run(QuestionActivities(emitter).record, request)


WAYS = [pytest.param(way, id=way.__name__) for way in (deliver, carry, record)]


@pytest.mark.parametrize("send", WAYS)
async def test_a_changed_event_in_the_outbox_is_not_delivered(
    send: Callable[[FakeEmitter, bytes], Awaitable[None]],
) -> None:
    whole, event = msgspec.json.encode(batch_of([SENT])), msgspec.json.encode(SENT)
    emitter, chance = FakeEmitter(), random.Random(3)
    begin = whole.index(event)

    async def send_changed(changed: bytes) -> None:
        await send(emitter, whole[:begin] + changed + whole[begin + len(event) :])

    for _ in range(TIMES):
        with pytest.raises(REFUSED):
            await send_changed(change(event, chance))
    name = event.index(b'"effectdigest"')
    for at in range(name, name + len(b'"effectdigest"')):
        with pytest.raises(REFUSED):
            await send_changed(event[:at] + bytes([event[at] ^ 1]) + event[at + 1 :])

    assert emitter.milestones == []
    await send_changed(event)
    assert [item.id for item in emitter.milestones] == ["e-1"]


@pytest.mark.parametrize("send", WAYS)
async def test_an_approved_event_of_a_changed_batch_is_delivered_as_approved_or_not_at_all(
    send: Callable[[FakeEmitter, bytes], Awaitable[None]],
) -> None:
    whole, emitter = msgspec.json.encode(batch_of([SENT])), FakeEmitter()
    for at in range(len(whole)):
        with suppress(*REFUSED):
            await send(emitter, whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])

    assert all(event == SENT for event in emitter.milestones)


@pytest.mark.parametrize("send", WAYS)
async def test_batches_of_older_workers_are_delivered(
    send: Callable[[FakeEmitter, bytes], Awaitable[None]],
) -> None:
    emitter = FakeEmitter()
    await send(emitter, msgspec.json.encode({"events": [ORDINARY, SENT]}))

    assert emitter.milestones == [ORDINARY, SENT]


def test_a_batch_without_approved_events_is_encoded_as_by_older_workers() -> None:
    assert msgspec.json.encode(batch_of([ORDINARY])) == msgspec.json.encode({"events": [ORDINARY]})


def test_parts_of_a_batch_keep_its_approved_events() -> None:
    lost = replace(SENT, effectdigest=None)

    assert batch_of([ORDINARY, lost], approved=("e-1", "e-2")).approved == ("e-1",)


async def test_a_changed_argument_is_refused_before_the_activity_runs(letters: LetterActivities) -> None:
    approval = RECEIPT.for_argument(LAN, chosen_letters(ChosenLetters(names=("lan",)), SHOWN))
    body, chance = msgspec.json.encode(LAN), random.Random(4)
    for _ in range(TIMES):
        with pytest.raises(REFUSED):
            await call(letters.send, msgspec.json.decode(change(body, chance), type=Letter), approval)

    assert letters.outgoing == []


async def test_a_changed_file_is_refused_before_its_bytes_are_read(
    letters: LetterActivities, tmp_path: Path
) -> None:
    approval = RECEIPT.for_argument(LAN, chosen_letters(ChosenLetters(names=("lan",)), SHOWN))
    stored, chance = tmp_path / "letters" / "lan.txt", random.Random(5)
    for _ in range(TIMES):
        stored.write_bytes(change(BODY, chance))
        with pytest.raises(ApplicationError, match="has changed since"):
            await call(letters.send, LAN, approval)

    assert letters.outgoing == []
