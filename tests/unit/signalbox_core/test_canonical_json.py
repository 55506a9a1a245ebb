"""Canonical JSON, differences and edits."""

import pytest

from signalbox_core.canonical_json import canonical_json, edited_members, first_difference

PROPOSED = {"decisions": [{"variant": "v1", "headline": "Tea"}, {"variant": "v2", "headline": "Coffee"}]}


def test_members_are_sorted_at_every_depth() -> None:
    assert canonical_json({"b": [{"d": 1, "c": 2}], "a": None}) == b'{"a":null,"b":[{"c":2,"d":1}]}'


@pytest.mark.parametrize(
    ("expected", "found", "place"),
    [
        pytest.param({"a": 1}, {"a": 1}, None, id="equal"),
        pytest.param({"a": {"b/c": [1, 2]}}, {"a": {"b/c": [1, 3]}}, "/a/b~1c/1", id="a nested item"),
        pytest.param({"a": 1}, {"a": 1, "b": None}, "/b", id="one more member"),
        pytest.param([1], [1, 2], "/1", id="one more item"),
        pytest.param(1, True, "", id="another type"),
    ],
)
def test_the_first_difference_is_named_by_its_pointer(
    expected: object, found: object, place: str | None
) -> None:
    assert first_difference(expected, found) == place


@pytest.mark.parametrize(
    ("answer", "edited"),
    [
        pytest.param([{"variant": "v2", "action": "approve"}, {"variant": "v1"}], (), id="as proposed"),
        pytest.param(
            [{"variant": "v2", "headline": "Mocha"}, {"variant": "v1", "headline": None}],
            ("/decisions/0/headline",),
            id="another headline, in another order",
        ),
        pytest.param([{"variant": "v3"}], ("/decisions/0",), id="an item that was not proposed"),
    ],
)
def test_an_edited_member_is_named_by_its_pointer_in_the_answer(
    answer: object, edited: tuple[str, ...]
) -> None:
    assert edited_members(PROPOSED, {"decisions": answer}) == edited


def test_lists_of_plain_values_are_compared_by_place() -> None:
    assert edited_members({"tags": ["a", "b"]}, {"tags": ["a", "c", "d"]}) == ("/tags/1", "/tags/2")
