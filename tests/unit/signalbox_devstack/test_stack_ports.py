"""Parsing of --ports."""

import pytest

from signalbox_core.errors import InvalidInput
from signalbox_devstack.stack.ports import DEFAULTS, parse_ports


def test_default_gives_the_default_ports() -> None:
    assert parse_ports("default") == DEFAULTS


def test_auto_requests_a_free_port_for_every_part() -> None:
    assert set(parse_ports("auto").values()) == {0}


def test_a_named_port_overrides_auto() -> None:
    ports = parse_ports("auto,gateway=9000")
    assert ports["gateway"] == 9000
    assert ports["redis"] == 0


@pytest.mark.parametrize(
    "text", ["autos", "gateway", "gateway=", "gateway=x", "gateway=70000", "nginx=80", "gateway=-1"]
)
def test_an_invalid_port_is_rejected_with_the_known_names(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"--ports: .* the names are: gateway"):
        parse_ports(text)
