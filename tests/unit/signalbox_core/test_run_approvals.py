"""Exactly one outcome of an approval wins."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
import pytest
from msgspec import Meta, Struct
from temporalio.exceptions import ApplicationError

from signalbox_core.errors import InvalidInput
from signalbox_core.pipeline import Approval, PipelineSpec, Step
from signalbox_core.pipeline.contract.messages import Decision, DecisionRecord
from signalbox_core.pipeline.workflow.approvals import Approvals, Open, digest_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Answer(Struct, frozen=True, kw_only=True):
    words: tuple[Annotated[str, Meta(max_length=5)], ...]


WORDS = Approval(name="words", title="Words", answer=Answer)
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


def refused(approvals: Approvals, wrong: Decision) -> tuple[str | None, str | None]:
    with pytest.raises(ApplicationError) as raised:
        approvals.judge(wrong)
    assert raised.value.non_retryable
    return raised.value.type, raised.value.details[0].field


@pytest.fixture
def approvals() -> Approvals:
    return Approvals(SPEC)


def test_ids_count_the_questions_of_a_name(approvals: Approvals) -> None:
    ids = []
    for _ in range(3):
        ids.append(approvals.next_id("words"))
        approvals.open(ids[-1], Open(approval=WORDS, digest="x"))

    assert ids == ["words", "words-2", "words-3"]


def test_the_first_decision_decides_and_its_repetition_does_not(approvals: Approvals) -> None:
    approvals.open("words", Open(approval=WORDS, digest="x"))

    first, decides = approvals.accept(decision("hi"), NOW)
    again, decides_again = approvals.accept(decision("hi"), NOW)

    assert (decides, decides_again) == (True, False)
    assert again is first
    approvals.judge(decision("hi"))


def test_a_second_decision_is_refused_with_the_first_decider(approvals: Approvals) -> None:
    approvals.open("words", Open(approval=WORDS, digest="x"))
    approvals.accept(decision("hi"), NOW)

    with pytest.raises(ApplicationError, match="already decided by lan at 2026-01-01T00:00:00"):
        approvals.judge(decision("ho", decision_id="d2"))


def test_an_expired_question_accepts_no_decision(approvals: Approvals) -> None:
    approvals.open("words", Open(approval=WORDS, digest="x", expired=True))

    assert refused(approvals, decision("hi"))[0] == "approval_expired"


def test_a_wrong_answer_names_its_place(approvals: Approvals) -> None:
    approvals.open("words", Open(approval=WORDS, digest="x"))

    assert refused(approvals, decision("hi", "much too long")) == ("invalid_answer", "answer.words[1]")
    assert refused(approvals, decision(1)) == ("invalid_answer", "answer.words[0]")


def test_the_pipelines_rule_names_a_place_in_the_answer(approvals: Approvals) -> None:
    def rule(answer: Answer) -> None:
        raise InvalidInput("no such word", field="words[0]")

    approvals.open("words", Open(approval=WORDS, digest="x", check=rule))

    assert refused(approvals, decision("hi")) == ("invalid_answer", "answer.words[0]")


def test_a_decision_with_another_digest_is_stale(approvals: Approvals) -> None:
    approvals.open("words", Open(approval=WORDS, digest="x"))

    assert refused(approvals, decision("hi", digest="y")) == ("stale_digest", "digest")
    approvals.judge(decision("hi", digest="x"))
    approvals.judge(decision("hi"))


def test_an_early_decision_waits_for_its_question_and_is_judged_like_any(approvals: Approvals) -> None:
    early = decision("hi")
    approvals.judge(early)

    record, decides = approvals.accept(early, NOW)

    assert isinstance(record, DecisionRecord)
    assert not decides
    assert refused(approvals, decision("ho", decision_id="d2"))[0] == "already_decided"
    assert refused(approvals, decision(1, approval_id="words-2"))[0] == "unknown_approval"
    assert approvals.take_early("words") == early
    assert approvals.take_early("words") is None


def test_an_early_wrong_answer_is_refused_at_once(approvals: Approvals) -> None:
    assert refused(approvals, decision(1))[0] == "invalid_answer"


def test_an_approval_id_used_twice_is_a_pipeline_bug(approvals: Approvals) -> None:
    approvals.open("words", Open(approval=WORDS, digest="x"))

    with pytest.raises(ApplicationError, match="asked twice"):
        approvals.open("words", Open(approval=WORDS, digest="x"))


def test_the_digest_covers_what_is_seen_and_no_order_of_keys() -> None:
    seen = digest_of({"title": "T"}, [{"a": 1, "b": 2}], None)

    assert seen == digest_of({"title": "T"}, [{"b": 2, "a": 1}], None)
    assert (
        len(
            {
                seen,
                digest_of({"title": "U"}, [{"a": 1, "b": 2}], None),
                digest_of({"title": "T"}, [{"a": 1, "b": 2}], 0),
            }
        )
        == 3
    )
