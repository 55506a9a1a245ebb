"""Each approval has exactly one outcome."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
import pytest
from msgspec import Meta, Struct
from msgspec.structs import replace
from temporalio.exceptions import ApplicationError

from signalbox_core.errors import InvalidInput
from signalbox_core.events.approval_data import ApprovalRequested
from signalbox_core.events.question_digest import QuestionContent
from signalbox_core.pipeline import Approval, PipelineSpec, Step
from signalbox_core.pipeline.contract.messages import Decision, DecisionRecord
from signalbox_core.pipeline.workflow.answers import AnswerCheck, decode_accepted
from signalbox_core.pipeline.workflow.approval_lifecycle import ApprovalInput
from signalbox_core.pipeline.workflow.approvals import ApprovalRegistry
from signalbox_core.pipeline.workflow.asked_question import AskedQuestion
from signalbox_core.pipeline.workflow.questions import round_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Answer(Struct, frozen=True, kw_only=True):
    words: tuple[Annotated[str, Meta(max_length=5)], ...]


WORDS = Approval(name="words", title="Words", answer=Answer, early=True)
SPEC = PipelineSpec(
    name="talk",
    title="Talk",
    input=Answer,
    result=Answer,
    workflow="talk.workflow:Talk",
    steps=(Step("a", "A"),),
    approvals=(WORDS,),
)


def decision(
    *words: object, decision_id: str = "d1", approval_id: str = "words", digest: str | None = None
) -> Decision:
    answer = msgspec.Raw(msgspec.json.encode({"words": words}))
    return Decision(
        approval_id=approval_id, decision_id=decision_id, answer=answer, decided_by="lan", digest=digest
    )


def question(digest: str, check: AnswerCheck | None = None) -> AskedQuestion:
    requested = ApprovalRequested(
        approval_id="words",
        name="words",
        title="Words",
        answer_schema=msgspec.Raw(b"{}"),
        options=msgspec.Raw(b"null"),
        evidence=msgspec.Raw(b"null"),
        digest=digest,
    )
    return AskedQuestion(approval=WORDS, requested=requested, check=check)


def ask(approvals: ApprovalRegistry, approval_id: str, asked: AskedQuestion) -> Decision | None:
    approvals.open(approval_id, asked)
    approvals.confirm(replace(asked.requested, approval_id=approval_id), NOW, accepts_early=False)
    return asked.early.decision if asked.early is not None else None


def rejection(approvals: ApprovalRegistry, invalid: Decision) -> tuple[str | None, str | None]:
    with pytest.raises(ApplicationError) as raised:
        approvals.validate(invalid)
    assert raised.value.non_retryable
    return raised.value.type, raised.value.details[0].field


@pytest.fixture
def approvals() -> ApprovalRegistry:
    return ApprovalRegistry(SPEC)


def test_ids_count_the_questions_of_a_name(approvals: ApprovalRegistry) -> None:
    ids = []
    for _ in range(3):
        ids.append(approvals.next_id("words"))
        ask(approvals, ids[-1], question("x"))

    assert ids == ["words", "words-2", "words-3"]


def test_a_round_begins_when_no_question_of_the_name_is_open(approvals: ApprovalRegistry) -> None:
    assert round_of(approvals, "words") == 1
    ask(approvals, "words", question("x"))
    # Asked beside the first one, so it is not the first one again.
    assert round_of(approvals, "words") == 1
    approvals.accept(decision("hi"), NOW)

    assert round_of(approvals, "words") == 2
    assert round_of(approvals, "others") == 1


def test_the_first_decision_decides_and_a_duplicate_does_not(approvals: ApprovalRegistry) -> None:
    ask(approvals, "words", question("x"))

    first, decides = approvals.accept(decision("hi"), NOW)
    again, decides_again = approvals.accept(decision("hi"), NOW)

    assert (decides, decides_again) == (True, False)
    assert again is first
    approvals.validate(decision("hi"))


def test_a_second_decision_is_refused_with_the_first_decider(approvals: ApprovalRegistry) -> None:
    ask(approvals, "words", question("x"))
    approvals.accept(decision("hi"), NOW)

    with pytest.raises(ApplicationError, match="already decided by lan at 2026-01-01T00:00:00"):
        approvals.validate(decision("ho", decision_id="d2"))


def test_an_expired_question_accepts_no_decision(approvals: ApprovalRegistry) -> None:
    ask(approvals, "words", question("x"))
    approvals.close("words", ApprovalInput.DEADLINE)

    assert rejection(approvals, decision("hi"))[0] == "approval_expired"


def test_an_invalid_answer_names_the_field(approvals: ApprovalRegistry) -> None:
    ask(approvals, "words", question("x"))

    assert rejection(approvals, decision("hi", "much too long")) == ("invalid_answer", "answer.words[1]")
    assert rejection(approvals, decision(1)) == ("invalid_answer", "answer.words[0]")


@pytest.mark.parametrize(
    "member",
    [
        pytest.param(b"1e999", id="a float out of range"),
        pytest.param(b"9" * 5_000, id="an integer out of range"),
        pytest.param(b"[" * 100 + b"]" * 100, id="too deep"),
        pytest.param(b"[" * 50_000 + b"]" * 50_000, id="too deep to be decoded"),
    ],
)
def test_an_answer_that_cannot_be_read_as_a_whole_is_refused(
    approvals: ApprovalRegistry, member: bytes
) -> None:
    """Its type ignores the member, but the events, the ledger and receipts have it."""
    ask(approvals, "words", question("x"))
    answer = msgspec.Raw(b'{"words":["hi"],"more":' + member + b"}")

    assert rejection(approvals, replace(decision("hi"), answer=answer))[0] == "invalid_answer"


def test_an_answer_may_have_members_that_its_type_ignores(approvals: ApprovalRegistry) -> None:
    ask(approvals, "words", question("x"))
    answer = msgspec.Raw(b'{"words":["hi"],"more":' + b"[" * 98 + b"1e308" + b"]" * 98 + b"}")

    approvals.validate(replace(decision("hi"), answer=answer))


def test_the_pipelines_check_names_a_field_of_the_answer(approvals: ApprovalRegistry) -> None:
    def check(answer: Answer) -> None:
        raise InvalidInput("no such word", field="words[0]")

    ask(approvals, "words", question("x", check=check))

    assert rejection(approvals, decision("hi")) == ("invalid_answer", "answer.words[0]")


def test_a_decision_with_another_digest_is_stale(approvals: ApprovalRegistry) -> None:
    ask(approvals, "words", question("x"))

    assert rejection(approvals, decision("hi", digest="y")) == ("stale_digest", "digest")
    approvals.validate(decision("hi", digest="x"))
    approvals.validate(decision("hi"))


def test_an_early_decision_is_validated_and_kept_for_its_question(approvals: ApprovalRegistry) -> None:
    early = decision("hi")
    approvals.validate(early)

    record, decides = approvals.accept(early, NOW)

    assert isinstance(record, DecisionRecord)
    assert not decides
    assert rejection(approvals, decision("ho", decision_id="d2"))[0] == "already_decided"
    assert rejection(approvals, decision(1, approval_id="words-2"))[0] == "unknown_approval"
    assert ask(approvals, "words", question("x")) == early
    assert ask(approvals, "words-2", question("x")) is None


def test_an_early_decision_needs_the_contracts_permission() -> None:
    approvals = ApprovalRegistry(replace(SPEC, approvals=(replace(WORDS, early=False),)))

    assert rejection(approvals, decision("hi")) == ("not_asked_yet", "approval_id")


def test_a_withdrawn_question_accepts_no_decision(approvals: ApprovalRegistry) -> None:
    ask(approvals, "words", question("x"))
    approvals.close("words", ApprovalInput.WITHDRAW)

    assert rejection(approvals, decision("hi"))[0] == "withdrawn"


def test_what_was_accepted_is_accepted_again_on_replay_whatever_the_contract(
    approvals: ApprovalRegistry,
) -> None:
    def check(answer: Answer) -> None:
        raise InvalidInput("no answer is good enough")

    ask(approvals, "words", question("another", check=check))

    record, decides = approvals.accept(decision("much too long", digest="x"), NOW)

    assert decides
    assert decode_accepted(record.answer, Answer) == Answer(words=("much too long",))


def test_an_invalid_early_answer_is_rejected(approvals: ApprovalRegistry) -> None:
    assert rejection(approvals, decision(1))[0] == "invalid_answer"


def test_an_approval_id_used_twice_is_a_pipeline_bug(approvals: ApprovalRegistry) -> None:
    ask(approvals, "words", question("x"))

    with pytest.raises(ApplicationError, match="used twice"):
        ask(approvals, "words", question("x"))


def digest_of(title: str, options: object, evidence: object) -> str:
    return QuestionContent(
        title=title,
        answer_schema=msgspec.Raw(b"{}"),
        options=msgspec.Raw(msgspec.json.encode(options)),
        evidence=msgspec.Raw(msgspec.json.encode(evidence)),
    ).digest


def test_the_digest_covers_what_is_shown_but_not_the_order_of_keys() -> None:
    seen = digest_of("T", [{"a": 1, "b": 2}], None)

    assert seen == digest_of("T", [{"b": 2, "a": 1}], None)
    assert (
        len(
            {
                seen,
                digest_of("U", [{"a": 1, "b": 2}], None),
                digest_of("T", [{"a": 1, "b": 2}], 0),
            }
        )
        == 3
    )
