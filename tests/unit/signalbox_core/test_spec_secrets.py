"""Only a contract's input may hold secrets."""

from collections.abc import Mapping

import pytest
from msgspec import Struct

from signalbox_core.pipeline import Approval, DomainEvent, PipelineSpec, Secret, Step


class Plain(Struct, frozen=True, kw_only=True):
    text: str = ""


class Login(Struct, frozen=True, kw_only=True):
    password: Secret


class Account(Struct, frozen=True, kw_only=True):
    logins: Mapping[str, tuple[Login | None, ...]] = {}


def spec(
    *,
    given: type[Struct] = Plain,
    result: type[Struct] = Plain,
    answer: type[Struct] = Plain,
    event: type[Struct] = Plain,
) -> PipelineSpec[Struct, Struct]:
    return PipelineSpec(
        name="bank",
        title="Bank",
        input=given,
        result=result,
        workflow="bank.workflow:Bank",
        steps=(Step("enter", "Enter"),),
        approvals=(Approval(name="code", title="Which code?", answer=answer),),
        events=(DomainEvent("account.read", event, "An account was read."),),
    )


@pytest.mark.parametrize("holder", [Login, Account], ids=["at the top", "deep inside"])
@pytest.mark.parametrize(
    ("place", "named"),
    [("result", "the result"), ("answer", "the answer of code"), ("event", "the event account.read")],
)
def test_only_the_input_may_hold_a_secret(place: str, named: str, holder: type[Struct]) -> None:
    with pytest.raises(ValueError, match=f"pipeline bank: {named} holds a Secret; only an input may"):
        spec(**{place: holder})


@pytest.mark.parametrize("holder", [Login, Account])
def test_an_input_may_hold_a_secret(holder: type[Struct]) -> None:
    assert spec(given=holder).input is holder
