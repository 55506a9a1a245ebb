"""The edited input of a retry from the start: a JSON merge patch of the recorded one."""

import msgspec
import pytest
from msgspec import Struct

from signalbox_gateway.runs.recorded_start import merge_input


class Order(Struct, frozen=True, kw_only=True, rename={"gift_note": "giftNote"}):
    sizes: tuple[int, ...] | None
    gift_note: str | None
    colours: tuple[str, ...] | None = ("red",)
    address: dict[str, object] = {}


RECORDED = {"sizes": [1], "giftNote": "x", "colours": ["blue"], "address": {"city": "Hue", "zip": "1"}}


@pytest.mark.parametrize(
    ("patch", "changed"),
    [
        pytest.param({}, {}, id="nothing"),
        pytest.param({"sizes": [2]}, {"sizes": [2]}, id="another value"),
        pytest.param({"address": {"zip": None}}, {"address": {"city": "Hue"}}, id="a part of a member"),
        pytest.param(
            {"address": {"geo": {"x": 1}}}, {"address": {"city": "Hue", "zip": "1", "geo": {"x": 1}}}
        ),
        pytest.param({"sizes": None, "giftNote": None}, {"sizes": None, "giftNote": None}, id="required"),
    ],
)
def test_a_patch_changes_what_it_names(patch: dict[str, object], changed: dict[str, object]) -> None:
    merged = merge_input(msgspec.Raw(msgspec.json.encode(RECORDED)), patch, Order)

    assert msgspec.json.decode(merged) == {**RECORDED, **changed}
    msgspec.json.decode(merged, type=Order)


def test_an_optional_member_that_is_null_gets_its_default() -> None:
    merged = merge_input(msgspec.Raw(msgspec.json.encode(RECORDED)), {"colours": None}, Order)

    assert msgspec.json.decode(merged, type=Order).colours == ("red",)


def test_without_a_patch_the_input_is_the_recorded_one() -> None:
    assert merge_input(msgspec.Raw(b'{"n": 1.0}'), None, Order) == b'{"n": 1.0}'
