import io
import json
import logging

import msgspec
import pytest

from signalbox_core.errors import InvalidInput
from signalbox_core.logs import JsonFormatter
from signalbox_core.secret import Secret
from signalbox_core.settings import read_settings


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    redis_url: str
    port: int = 8080
    token: Secret | None = None
    names: tuple[str, ...] = ()


ENVIRON = {"REDIS_URL": "redis://localhost", "HOME": "/root"}


def test_variables_become_typed_fields() -> None:
    environ = {**ENVIRON, "SIGNALBOX_X_PORT": "9", "SIGNALBOX_X_TOKEN": "t0p", "SIGNALBOX_X_NAMES": "a, b"}
    settings = read_settings(Settings, prefix="SIGNALBOX_X", environ=environ)
    assert (settings.redis_url, settings.port, settings.names) == ("redis://localhost", 9, ("a", "b"))
    assert settings.token is not None
    assert settings.token.reveal() == "t0p"


def test_a_secret_never_shows_itself() -> None:
    settings = read_settings(Settings, prefix="SIGNALBOX_X", environ={**ENVIRON, "SIGNALBOX_X_TOKEN": "t0p"})
    assert "t0p" not in f"{settings} {settings!r} {settings.token}"


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        pytest.param({}, "REDIS_URL", id="missing"),
        pytest.param({**ENVIRON, "SIGNALBOX_X_PORT": "many"}, "SIGNALBOX_X_PORT", id="wrong type"),
        pytest.param({**ENVIRON, "SIGNALBOX_X_PROT": "1"}, "SIGNALBOX_X_PROT", id="unknown"),
    ],
)
def test_a_wrong_variable_stops_the_start_and_is_named(environ: dict[str, str], variable: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_settings(Settings, prefix="SIGNALBOX_X", environ=environ)
    assert caught.value.field == variable
    assert variable in caught.value.detail


def test_a_log_record_is_one_json_line_with_its_facts() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter("worker"))
    log = logging.Logger("signalbox.test")
    log.addHandler(handler)
    log.info("run started", extra={"run_id": "r1", "tenant": "acme"})
    line = json.loads(stream.getvalue())
    assert (line["message"], line["run_id"], line["tenant"], line["service"], line["level"]) == (
        "run started",
        "r1",
        "acme",
        "worker",
        "info",
    )
    assert stream.getvalue().count("\n") == 1
