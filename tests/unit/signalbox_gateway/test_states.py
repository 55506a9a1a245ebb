"""A run's state from several sources, and what a projection already decides."""

from datetime import UTC, datetime

import msgspec
import pytest
from temporalio.exceptions import ApplicationError

from signalbox_core.errors import Conflict, InvalidInput, NotFound
from signalbox_core.events import Snapshot, fold
from signalbox_core.pipeline.contract.messages import Decision
from signalbox_gateway.runs.decide import refusal_of
from signalbox_gateway.runs.lookup import resolve_snapshot
from signalbox_gateway.runs.outcomes import recorded_outcome
from signalbox_gateway.runs.run_info import RunInfo
from signalbox_gateway.runs.search.visibility import visibility_query
from signalbox_gateway.runs.views import run_view
from support.fakes.echo_pipeline import SPEC
from support.fakes.events import story

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def run_info(status: str = "running") -> RunInfo:
    ended_at = None if status == "running" else NOW
    return RunInfo(
        run_id="r",
        tenant="acme",
        pipeline="echo",
        status=status,
        started_at=NOW,
        ended_at=ended_at,
        started_by="lan",
    )  # type: ignore[arg-type]


def after(name: str) -> Snapshot:
    """The snapshot of the story, up to and with the event of that name."""
    snapshot = Snapshot(run_id="run-1", tenant="acme")
    for event in story():
        snapshot = fold(snapshot, event)
        if event.name == name:
            return snapshot
    raise AssertionError(name)


def decision(decision_id: str = "d2", answer: bytes = b'{"yes":true}', approval_id: str = "ok") -> Decision:
    return Decision(
        approval_id=approval_id, decision_id=decision_id, answer=msgspec.Raw(answer), decided_by="an"
    )


def test_a_run_without_a_snapshot_shows_the_steps_of_its_contract() -> None:
    snapshot = resolve_snapshot(run_info(), None, SPEC)

    assert (snapshot.status, snapshot.title, snapshot.started_by) == ("running", "Echo", "lan")
    assert [step.status for step in snapshot.steps] == ["pending", "pending"]


def test_temporals_end_status_takes_precedence() -> None:
    workflow_snapshot = after("step.started")

    assert resolve_snapshot(run_info("terminated"), workflow_snapshot, SPEC).status == "terminated"
    assert resolve_snapshot(run_info("running"), workflow_snapshot, SPEC) == workflow_snapshot


def test_a_run_of_an_unknown_pipeline_is_shown() -> None:
    assert resolve_snapshot(run_info(), None, None).title == "echo"


def test_the_view_hides_where_files_are_kept() -> None:
    view = msgspec.json.encode(run_view(after("run.completed"), "e1"))

    assert b"ads/a.png" not in view
    assert b'"/v1/runs/run-1/artifacts/a.png?v=' in view
    assert b'"epoch":"e1"' in view


def test_an_open_question_settles_nothing() -> None:
    assert recorded_outcome(after("approval.requested"), decision()) is None


def test_the_decision_that_won_is_given_again() -> None:
    record = recorded_outcome(after("run.completed"), decision("d1"))

    assert record is not None
    assert (record.decision_id, record.decided_by) == ("d1", "lan")


@pytest.mark.parametrize(
    ("event", "sent", "code"),
    [
        ("approval.decided", decision("d2"), "already_decided"),
        ("approval.decided", decision("d1", b'{"yes":false}'), "decision_id_taken"),
        ("run.completed", decision("d2"), "already_decided"),
        ("run.completed", decision("d2", approval_id="other"), "run_ended"),
    ],
)
def test_what_was_decided_stays_decided(event: str, sent: Decision, code: str) -> None:
    with pytest.raises(Conflict) as caught:
        recorded_outcome(after(event), sent)

    assert caught.value.stable_code == code


def test_a_validators_refusal_keeps_code_field_and_facts() -> None:
    details = {
        "code": "invalid_answer",
        "message": "word is wrong",
        "field": "answer.word",
        "facts": {"known": ["a"], "code": "x"},
    }

    error = refusal_of(ApplicationError("word is wrong", details, type="invalid_answer"))

    assert isinstance(error, InvalidInput)
    assert (error.stable_code, error.field, error.detail, error.facts) == (
        "invalid_answer",
        "answer.word",
        "word is wrong",
        {"known": ["a"]},
    )


@pytest.mark.parametrize(
    ("cause", "kind"),
    [(ApplicationError("no", type="unknown_approval"), NotFound),
     (ApplicationError("no", {"code": 1}, type="already_decided"), Conflict),
     (ApplicationError("odd"), Conflict), (RuntimeError("odd"), Conflict)],
)  # fmt: skip
def test_a_refusal_without_details_is_still_one_of_our_errors(
    cause: BaseException, kind: type[Exception]
) -> None:
    assert isinstance(refusal_of(cause), kind)


def test_values_cannot_widen_the_visibility_query() -> None:
    query = visibility_query(tenant="a' OR 'x' = 'x", pipeline="b\\' OR 1", status="timed_out")

    assert (
        query == "SignalboxTenant = 'a\\' OR \\'x\\' = \\'x' "
        "AND SignalboxPipeline = 'b\\\\\\' OR 1' AND ExecutionStatus = 'TimedOut' "
        "AND ExecutionStatus != 'ContinuedAsNew'"
    )


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("running", "Running"),
        ("completed", "Completed"),
        ("failed", "Failed"),
        ("cancelled", "Canceled"),
        ("terminated", "Terminated"),
    ],
)
def test_each_status_has_a_temporal_name(status: str, word: str) -> None:
    query = visibility_query(tenant="t", pipeline=None, status=status)  # type: ignore[arg-type]
    assert f"ExecutionStatus = '{word}'" in query
