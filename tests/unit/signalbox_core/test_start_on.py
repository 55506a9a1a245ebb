"""`StartOn`: which run an event starts, what its input is, and contracts that are refused."""

from typing import Any

import msgspec
import pytest
from msgspec import Struct

from signalbox_core.errors import InvalidInput
from signalbox_core.pipeline import ExternalEvent, PipelineSpec, Secret, StartOn, Step


class OrderPlaced(Struct, frozen=True, kw_only=True):
    number: str


class OrderInput(Struct, frozen=True, kw_only=True):
    order: str


class SecretInput(Struct, frozen=True, kw_only=True):
    password: Secret


class OrderResult(Struct, frozen=True, kw_only=True):
    pass


PLACED = ExternalEvent(name="order.placed", title="an order", data=OrderPlaced)


def order_input(placed: OrderPlaced) -> OrderInput:
    if placed.number == "0":
        raise ValueError("order 0 is a test")
    return OrderInput(order=placed.number)


def contract(**members: Any) -> PipelineSpec:
    return PipelineSpec(
        **{
            "name": "orders",
            "title": "Orders",
            "input": OrderInput,
            "result": OrderResult,
            "workflow": "nowhere:Orders",
            "steps": (Step("pay", "Pay"),),
            **members,
        }
    )


def raise_error(error: Exception) -> OrderInput:
    raise error


@pytest.mark.parametrize("error", [ValueError("no"), KeyError("VN"), IndexError("no"), ArithmeticError("no")])
def test_an_input_that_cannot_be_made_refuses_the_event(error: Exception) -> None:
    start = StartOn(PLACED, input=lambda _: raise_error(error))

    with pytest.raises(InvalidInput, match="no run can start from this event") as refused:
        start.build_input(msgspec.Raw(b'{"number": "1"}'))

    assert (refused.value.field, refused.value.stable_code) == ("data", "invalid_event")


def test_each_event_id_has_its_own_run_whatever_its_key() -> None:
    start = StartOn(PLACED, input=order_input)

    assert start.run_id("orders", "e-1", "a") == start.run_id("orders", "e-1", "b")
    assert start.run_id("orders", "e-1", "a") != start.run_id("orders", "e-2", "a")


def test_each_key_has_one_run_whatever_the_event_id() -> None:
    start = StartOn(PLACED, input=order_input, once_per="key")

    assert start.run_id("orders", "e-1", "a") == start.run_id("orders", "e-2", "a")
    assert start.run_id("orders", "e-1", "a") != start.run_id("orders", "e-1", "b")
    assert start.run_id("orders", "e-1", "a") != StartOn(PLACED, input=order_input).run_id(
        "orders", "a", None
    )


def test_the_input_is_made_of_the_data() -> None:
    start = StartOn(PLACED, input=order_input)

    assert bytes(start.build_input(msgspec.Raw(b'{"number": "7"}'))) == b'{"order":"7"}'


def test_an_event_that_the_contract_refuses_is_invalid() -> None:
    with pytest.raises(InvalidInput, match="order 0 is a test") as caught:
        StartOn(PLACED, input=order_input).build_input(msgspec.Raw(b'{"number": "0"}'))

    assert (caught.value.stable_code, caught.value.field) == ("invalid_event", "data")


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        pytest.param({"external_events": (PLACED,)}, "either starts runs or is waited for", id="waited for"),
        pytest.param({"starts": (StartOn(PLACED, input=order_input),) * 2}, "twice", id="twice"),
        pytest.param({"input": SecretInput}, "holds a Secret", id="secret input"),
    ],
)
def test_a_contract_in_which_an_event_has_no_clear_meaning_is_refused(
    members: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        contract(**{"starts": (StartOn(PLACED, input=order_input),), **members})
