"""Choosing ports."""

import pytest

from signalbox_core.errors import InvalidInput
from signalbox_devstack.stack.ports import DEFAULTS, read_ports


def test_the_usual_ports_are_the_default() -> None:
    assert read_ports("default") == DEFAULTS


def test_auto_leaves_every_port_to_be_found() -> None:
    assert set(read_ports("auto").values()) == {0}


def test_an_exception_overrules_auto() -> None:
    ports = read_ports("auto,gateway=9000")
    assert ports["gateway"] == 9000
    assert ports["redis"] == 0


@pytest.mark.parametrize(
    "text", ["autos", "gateway", "gateway=", "gateway=x", "gateway=70000", "nginx=80", "gateway=-1"]
)
def test_what_is_no_port_is_refused_with_the_names_that_exist(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"--ports: .* names are: gateway"):
        read_ports(text)
