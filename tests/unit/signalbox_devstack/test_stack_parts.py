"""Dependencies between parts and the start order derived from them."""

import pytest

from signalbox_devstack.stack.parts.part import HttpOk, Part, start_order, with_dependencies


def part(name: str, *after: str) -> Part:
    return Part(name=name, argv=("true",), probe=HttpOk(1), address="", depends_on=after)


PARTS = (part("redis"), part("pubsub"), part("receiver", "redis", "pubsub"), part("worker", "receiver"))


def names(groups: list[list[Part]]) -> list[list[str]]:
    return [[item.name for item in group] for group in groups]


def test_parts_without_dependencies_start_first_and_in_parallel() -> None:
    assert names(start_order(PARTS)) == [["redis", "pubsub"], ["receiver"], ["worker"]]


def test_a_dependency_that_is_not_started_is_ignored() -> None:
    assert names(start_order([part("worker", "temporal")])) == [["worker"]]


def test_a_circular_dependency_is_rejected() -> None:
    with pytest.raises(ValueError, match="circular dependency between the parts a, b"):
        start_order([part("a", "b"), part("b", "a")])


@pytest.mark.parametrize(
    ("selected", "expected"),
    [
        pytest.param(("redis",), ["redis"], id="alone"),
        pytest.param(("receiver",), ["redis", "pubsub", "receiver"], id="direct dependencies"),
        pytest.param(("worker",), ["redis", "pubsub", "receiver", "worker"], id="transitive dependencies"),
        pytest.param(("receiver", "redis"), ["redis", "pubsub", "receiver"], id="no duplicates"),
    ],
)
def test_a_selected_part_brings_its_dependencies(selected: tuple[str, ...], expected: list[str]) -> None:
    assert [item.name for item in with_dependencies(selected, PARTS)] == expected
