"""Escalation ladders in a contract: what is refused, and which deadline a ladder sets."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec import Struct

from signalbox_core.pipeline.spec import (
    Approval,
    Default,
    Delegate,
    Escalate,
    Expire,
    PipelineSpec,
    Remind,
    Step,
)


class LadderAnswerOfTest(Struct, frozen=True):
    yes: bool


def hours(number: int) -> timedelta:
    return timedelta(hours=number)


def spec_with(*ladder: Any, deadline: timedelta = timedelta(days=7)) -> PipelineSpec:
    approval = Approval(
        name="ok", title="OK?", answer=LadderAnswerOfTest, deadline=deadline, ladder=tuple(ladder)
    )
    return PipelineSpec(
        name="ladders",
        title="Ladders",
        input=LadderAnswerOfTest,
        result=LadderAnswerOfTest,
        steps=(Step("ask", "Ask"),),
        approvals=(approval,),
        workflow="x.workflow:X",
    )


@pytest.mark.parametrize(
    ("ladder", "problem"),
    [
        pytest.param((Remind(after=hours(2)), Remind(after=hours(1))), "a later time", id="order"),
        pytest.param((Remind(after=hours(1)), Remind(after=hours(1))), "a later time", id="same time"),
        pytest.param((Remind(after=timedelta()),), "a later time", id="at once"),
        pytest.param((Expire(after=hours(1)), Remind(after=hours(2))), "only the last rung", id="not last"),
        pytest.param((Remind(after=timedelta(days=8)),), "comes after the deadline", id="after the deadline"),
        pytest.param((Delegate(after=hours(1), to="leads"),), "must be a group", id="no target"),
        pytest.param((Escalate(after=hours(1), to="group:"),), "must be a group", id="empty group"),
        pytest.param((Default("yes", after=hours(1)),), "must be a LadderAnswerOfTest", id="other answer"),
    ],
)
def test_a_ladder_that_cannot_work_is_refused(ladder: tuple[Any, ...], problem: str) -> None:
    with pytest.raises(ValueError, match=f"pipeline ladders: approval 'ok': ladder: .*{problem}"):
        spec_with(*ladder)


@pytest.mark.parametrize("to", ["group:leads", "key:lan", "https://id.test#42", "mailto:lan@acme.test"])
def test_a_rung_names_a_group_or_a_subject(to: str) -> None:
    assert spec_with(Delegate(after=hours(1), to=to)).approvals[0].open_for == timedelta(days=7)


@pytest.mark.parametrize(
    "last",
    [Expire(after=timedelta(days=14)), Default(LadderAnswerOfTest(yes=False), after=timedelta(days=14))],
)
def test_the_end_of_a_ladder_replaces_the_deadline(last: Expire | Default) -> None:
    assert spec_with(Remind(after=timedelta(days=8)), last).approvals[0].open_for == timedelta(days=14)
