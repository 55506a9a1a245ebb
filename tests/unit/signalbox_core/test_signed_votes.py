"""A policy that requires a signature: every vote is signed with a passkey, or refused by the run itself."""

import hashlib
from datetime import UTC, datetime

import msgspec
import pytest
from msgspec.structs import replace
from temporalio.exceptions import ApplicationError

from signalbox_core.events.approval_data import ApprovalDecided, ApprovalRequested, ApprovalVetoed
from signalbox_core.events.policy import Policy, Quorum, check_narrowed, describe_policy
from signalbox_core.pipeline import Approval, PipelineSpec, Step
from signalbox_core.pipeline.contract.ladder import hand_over
from signalbox_core.pipeline.contract.messages import Decision
from signalbox_core.pipeline.workflow.approvals import ApprovalRegistry
from signalbox_core.pipeline.workflow.asked_question import AskedQuestion
from signalbox_core.pipeline.workflow.ballot.refused_vote import REASONS
from signalbox_core.pipeline.workflow.ballot.signed_vote import statement_of
from signalbox_core.pipeline.workflow.ballot.vote_events import vote_events
from signalbox_core.subjects import Subject, SubjectKind
from support.fakes.authenticator import Authenticator

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SIGNED = Policy(quorum=(Quorum(2),), veto=("legal",), require_signature=True)


class Word(msgspec.Struct, frozen=True, kw_only=True):
    word: str


PUBLISH = Approval(name="publish", title="Publish?", answer=Word, policy=SIGNED, early=True)
SPEC = PipelineSpec(
    name="talk",
    title="Talk",
    input=Word,
    result=Word,
    workflow="talk.workflow:Talk",
    steps=(Step("a", "A"),),
    approvals=(PUBLISH,),
)


class Run:
    """A run that asks one question."""

    def __init__(self, policy: Policy = SIGNED) -> None:
        requested = ApprovalRequested(
            approval_id="publish",
            name="publish",
            title="Publish?",
            answer_schema=msgspec.Raw(b"{}"),
            options=msgspec.Raw(b"null"),
            evidence=msgspec.Raw(b"null"),
            digest="digest-1",
            policy=policy,
        )
        self.question = AskedQuestion(approval=PUBLISH, requested=requested, tenant="acme", run_id="order-1")
        self.registry = ApprovalRegistry(SPEC)
        self.passkeys = {name: Authenticator(name) for name in ("lan", "minh")}

    def ask(self) -> None:
        self.registry.open("publish", self.question)
        self.registry.confirm(self.question.requested, NOW, accepts_early=False)

    def signed(self, decision: Decision, by: str | None = None) -> Decision:
        name = by or decision.decided_by
        return replace(
            decision, signature=self.passkeys[name].sign_statement(statement_of(self.question, decision))
        )

    def refusal(self, decision: Decision) -> str | None:
        with pytest.raises(ApplicationError) as refused:
            self.registry.validate(decision)
        assert refused.value.non_retryable
        assert refused.value.type in REASONS, "a code that replay does not find in the history"
        return refused.value.type

    def vote(self, decision: Decision) -> None:
        self.registry.validate(decision)
        self.registry.accept(decision, NOW)


def vote_of(
    name: str, *, objection: bool = False, kind: SubjectKind = "human", subject: str | None = None
) -> Decision:
    return Decision(
        approval_id="publish",
        decision_id=f"{name}-1",
        answer=msgspec.Raw(b"null" if objection else b'{"word":"yes"}'),
        decided_by=name,
        digest="digest-1",
        note="misleading" if objection else None,
        decider=Subject(
            subject=subject or f"key:{name}", name=name, kind=kind, groups=("legal",) if objection else ()
        ),
        objection=objection,
    )


@pytest.fixture
def run() -> Run:
    asked = Run()
    asked.ask()
    return asked


def test_signed_votes_decide_and_the_event_has_the_signatures(run: Run) -> None:
    lan, minh = run.signed(vote_of("lan")), run.signed(vote_of("minh"))
    run.vote(lan)
    run.vote(minh)
    name, decided = list(vote_events(run.question, minh))[-1]
    assert name == "approval.decided"
    assert isinstance(decided, ApprovalDecided)
    assert decided.signatures == (lan.signature, minh.signature)


def test_a_replaced_vote_leaves_no_signature_in_the_outcome(run: Run) -> None:
    first = replace(vote_of("lan"), decision_id="lan-0", answer=msgspec.Raw(b'{"word":"no"}'))
    run.vote(run.signed(first))
    lan, minh = run.signed(vote_of("lan")), run.signed(vote_of("minh"))
    run.vote(lan)
    run.vote(minh)
    _, decided = list(vote_events(run.question, minh))[-1]
    assert isinstance(decided, ApprovalDecided)
    assert decided.signatures == (lan.signature, minh.signature)


def test_a_signed_objection_ends_the_question(run: Run) -> None:
    objection = run.signed(vote_of("lan", objection=True))
    run.vote(objection)
    name, vetoed = list(vote_events(run.question, objection))[-1]
    assert name == "approval.vetoed"
    assert isinstance(vetoed, ApprovalVetoed)
    assert vetoed.signatures == (objection.signature,)


@pytest.mark.parametrize(
    "unsigned",
    [
        pytest.param(vote_of("lan"), id="a person"),
        pytest.param(vote_of("lan", objection=True), id="an objection"),
        pytest.param(vote_of("lan", kind="service"), id="a service"),
        pytest.param(vote_of("lan", subject="mailto:lan@example.com"), id="a link"),
        pytest.param(replace(vote_of("lan"), decider=None), id="a message without a subject"),
    ],
)
def test_an_unsigned_vote_is_refused(run: Run, unsigned: Decision) -> None:
    expected = "not_allowed_by_policy" if unsigned.decider is None else "signature_required"
    assert run.refusal(unsigned) == expected
    assert run.question.votes == {}


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"answer": msgspec.Raw(b'{"word":"no"}')}, id="answer"),
        pytest.param({"decision_id": "lan-2"}, id="decision id"),
        pytest.param({"note": "added"}, id="note"),
        pytest.param({"decider": Subject(subject="key:minh")}, id="subject"),
    ],
)
def test_a_signature_of_another_decision_is_refused(run: Run, changed: dict[str, object]) -> None:
    signed = run.signed(vote_of("lan"))
    assert run.refusal(replace(signed, **changed)) == "signature_mismatch"


def test_a_signature_of_the_same_question_in_another_run_is_refused(run: Run) -> None:
    other = Run()
    other.question.run_id = "order-2"
    other.ask()
    assert run.refusal(other.signed(vote_of("lan"))) == "signature_mismatch"


def test_a_person_who_was_not_verified_is_refused(run: Run) -> None:
    run.passkeys["lan"].verifies_user = False
    assert run.refusal(run.signed(vote_of("lan"))) == "user_not_verified"


def test_a_repeated_decision_needs_no_second_signature(run: Run) -> None:
    run.vote(run.signed(vote_of("lan")))
    run.registry.validate(vote_of("lan"))
    record, is_vote = run.registry.accept(vote_of("lan"), NOW)
    assert (record.decision_id, is_vote) == ("lan-1", False)


def test_a_decision_before_its_question_cannot_be_signed() -> None:
    run = Run()
    run.vote(vote_of("lan"))
    run.registry.open("publish", run.question)
    with pytest.raises(ApplicationError) as refused:
        run.registry.validate_early(vote_of("lan"))
    assert refused.value.type == "signature_required"


def test_a_signature_that_is_not_required_is_verified_all_the_same() -> None:
    run = Run(Policy())
    run.ask()
    signed = run.signed(vote_of("lan"))
    assert run.refusal(replace(signed, decision_id="other")) == "signature_mismatch"
    run.vote(signed)
    _, decided = list(vote_events(run.question, signed))[-1]
    assert isinstance(decided, ApprovalDecided)
    assert decided.signatures == (signed.signature,)


def test_handing_over_keeps_the_rule() -> None:
    assert hand_over(SIGNED, "group:heads").require_signature is True
    assert hand_over(SIGNED, "key:lan").require_signature is True


def test_votes_from_before_a_question_was_handed_to_a_subject_make_no_outcome(run: Run) -> None:
    lan, minh = run.signed(vote_of("lan")), run.signed(vote_of("minh"))
    run.vote(lan)
    run.question.handed_policy = hand_over(SIGNED, "key:minh")

    run.vote(minh)

    _, decided = list(vote_events(run.question, minh))[-1]
    assert isinstance(decided, ApprovalDecided)
    assert [vote.decision_id for vote in decided.votes or ()] == [minh.decision_id]
    assert decided.signatures == (minh.signature,)


def test_a_question_cannot_drop_the_rule_of_its_contract() -> None:
    with pytest.raises(ValueError, match="require_signature"):
        check_narrowed(SIGNED, replace(SIGNED, require_signature=False), None)
    check_narrowed(Policy(), Policy(require_signature=True), None)


def test_policies_without_the_rule_keep_their_json_and_digest() -> None:
    policy = Policy(quorum=(Quorum(2, "marketing"),), require_signature=False)
    recorded = b'{"exclude_starter":false,"people":[],"quorum":[{"group":"marketing","needed":2}],"veto":[]}'
    assert policy.digest == hashlib.sha256(recorded).hexdigest()
    assert Policy(require_signature=False).is_default
    assert not Policy(require_signature=True).is_default
    assert msgspec.json.decode(recorded, type=Policy) == policy


def test_a_contract_with_links_cannot_require_signatures() -> None:
    with pytest.raises(ValueError, match="links=True"):
        replace(SPEC, approvals=(replace(PUBLISH, links=True),))


def test_the_rule_is_described() -> None:
    assert (
        describe_policy(Policy(require_signature=True))
        == "one approver decides; every decision is signed with a passkey"
    )
