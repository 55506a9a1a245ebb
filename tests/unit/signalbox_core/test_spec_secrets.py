"""A contract may take secrets and never shows one."""

from collections.abc import Mapping

import pytest
from msgspec import Struct

from signalbox_core.pipeline import Approval, DomainEvent, PipelineSpec, Secret, Step


class Open(Struct, frozen=True, kw_only=True):
    text: str = ""


class Login(Struct, frozen=True, kw_only=True):
    password: Secret


class Account(Struct, frozen=True, kw_only=True):
    logins: Mapping[str, tuple[Login | None, ...]] = {}


def spec(
    *,
    given: type[Struct] = Open,
    result: type[Struct] = Open,
    answer: type[Struct] = Open,
    event: type[Struct] = Open,
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
    ("place", "told"),
    [("result", "the result"), ("answer", "the answer of code"), ("event", "the event account.read")],
)
def test_what_is_shown_holds_no_secret(place: str, told: str, holder: type[Struct]) -> None:
    with pytest.raises(ValueError, match=f"pipeline bank: {told} holds a Secret; only an input may"):
        spec(**{place: holder})


@pytest.mark.parametrize("holder", [Login, Account])
def test_an_input_may_hold_one(holder: type[Struct]) -> None:
    assert spec(given=holder).input is holder
