"""The order of the parts."""

import pytest

from signalbox_devstack.stack.parts import HttpOk, Part, layers, with_needs


def part(name: str, *after: str) -> Part:
    return Part(name=name, argv=("true",), probe=HttpOk(1), address="", after=after)


PARTS = (part("redis"), part("pubsub"), part("receiver", "redis", "pubsub"), part("worker", "receiver"))


def names(groups: list[list[Part]]) -> list[list[str]]:
    return [[item.name for item in group] for group in groups]


def test_parts_without_needs_come_first_and_together() -> None:
    assert names(layers(PARTS)) == [["redis", "pubsub"], ["receiver"], ["worker"]]


def test_a_need_that_is_not_among_the_parts_holds_nothing_up() -> None:
    assert names(layers([part("worker", "temporal")])) == [["worker"]]


def test_parts_that_wait_for_each_other_are_named() -> None:
    with pytest.raises(ValueError, match="a, b wait for each other"):
        layers([part("a", "b"), part("b", "a")])


@pytest.mark.parametrize(
    ("asked", "got"),
    [
        pytest.param(("redis",), ["redis"], id="alone"),
        pytest.param(("receiver",), ["redis", "pubsub", "receiver"], id="with what it needs"),
        pytest.param(("worker",), ["redis", "pubsub", "receiver", "worker"], id="with what its needs need"),
        pytest.param(("receiver", "redis"), ["redis", "pubsub", "receiver"], id="each once"),
    ],
)
def test_asking_for_a_part_brings_what_it_needs(asked: tuple[str, ...], got: list[str]) -> None:
    assert [item.name for item in with_needs(asked, PARTS)] == got
