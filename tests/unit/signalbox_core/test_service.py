"""How a service process begins and ends."""

import gc
import logging
import socket
from collections.abc import Iterator
from typing import Literal

import msgspec
import pytest

from signalbox_core.errors import InvalidInput, SignalboxError, Unavailable
from signalbox_core.process.service import COLLECTOR_THRESHOLDS, listen, run_service


@pytest.fixture(autouse=True)
def _process_as_it_was() -> Iterator[None]:
    root, thresholds = logging.getLogger(), gc.get_threshold()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    gc.set_threshold(*thresholds)
    gc.unfreeze()


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    host: str = "127.0.0.1"
    port: int = 0
    log_level: Literal["INFO"] = "INFO"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        pytest.param(InvalidInput("set X"), 2, id="a mistake"),
        pytest.param(Unavailable("Redis is unavailable"), 1, id="an outage"),
        pytest.param(
            ExceptionGroup("", [ExceptionGroup("", [Unavailable("Redis is unavailable")])]),
            1,
            id="from a task group",
        ),
    ],
)
def test_an_error_on_purpose_is_one_line_and_a_status(
    error: Exception, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    async def serve(settings: Settings) -> None:
        raise error

    assert run_service("test", Settings, serve, prefix="SIGNALBOX_TEST") == status
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("signalbox-test: ")


def test_a_service_collects_less_often_and_leaves_its_imports_out() -> None:
    found: list[tuple[object, bool]] = []

    async def serve(settings: Settings) -> None:
        found.append((gc.get_threshold(), gc.get_freeze_count() > 10_000))

    assert run_service("test", Settings, serve, prefix="SIGNALBOX_TEST") == 0
    assert found == [(COLLECTOR_THRESHOLDS, True)]


def test_a_bug_is_raised_unchanged() -> None:
    async def serve(settings: Settings) -> None:
        raise ExceptionGroup("", [SignalboxError("known"), ZeroDivisionError()])

    with pytest.raises(ExceptionGroup):
        run_service("test", Settings, serve, prefix="SIGNALBOX_TEST")


def test_a_wrong_variable_ends_the_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def serve(settings: Settings) -> None:
        raise AssertionError("must not serve")

    monkeypatch.setenv("SIGNALBOX_TEST_PROT", "1")
    assert run_service("test", Settings, serve, prefix="SIGNALBOX_TEST") == 2
    assert "SIGNALBOX_TEST_PROT" in capsys.readouterr().err


def test_a_port_in_use_names_the_variables_to_change() -> None:
    variables = "SIGNALBOX_TEST_HOST and SIGNALBOX_TEST_PORT"
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(InvalidInput, match=variables):
        listen(Settings(port=taken.getsockname()[1]), prefix="SIGNALBOX_TEST")
    with listen(Settings(), prefix="SIGNALBOX_TEST") as free:
        assert free.getsockname()[1] > 0
