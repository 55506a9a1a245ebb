import asyncio
import io
import json
import logging

import msgspec
import pytest

from signalbox_core.errors import InvalidInput
from signalbox_core.logs import JsonFormatter, add_log_fields, log_fields
from signalbox_core.process.service import run_fields
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


def json_logger(stream: io.StringIO) -> logging.Logger:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter("worker", run_fields))
    log = logging.Logger("signalbox.test")
    log.addHandler(handler)
    return log


async def test_the_fields_of_a_request_are_on_all_of_its_lines_and_on_no_others() -> None:
    stream = io.StringIO()
    log = json_logger(stream)

    async def handle(request_id: str, tenant: str) -> None:
        with log_fields(request_id=request_id):
            log.info("received")
            add_log_fields(tenant=tenant)
            await asyncio.gather(asyncio.to_thread(log.info, "in a thread"), asyncio.sleep(0))
            log.info("answered", extra={"tenant": f"{tenant}/own"})
        log.info("outside")

    await asyncio.gather(handle("a", "acme"), handle("b", "other"))

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    found = {(line["message"], line.get("request_id"), line.get("tenant")) for line in lines}
    assert found == {
        ("received", "a", None),
        ("received", "b", None),
        ("in a thread", "a", "acme"),
        ("in a thread", "b", "other"),
        ("answered", "a", "acme/own"),
        ("answered", "b", "other/own"),
        ("outside", None, None),
    }


@pytest.mark.parametrize(
    ("workflow_id", "expected"),
    [
        pytest.param("acme%20inc:run-1", {"run_id": "run-1", "tenant": "acme inc"}, id="run key"),
        pytest.param("run-1", {"run_id": "run-1"}, id="run of an earlier release"),
    ],
)
@pytest.mark.parametrize("kind", ["temporal_workflow", "temporal_activity"])
def test_lines_of_workflows_and_activities_name_the_run(
    kind: str, workflow_id: str, expected: dict[str, str]
) -> None:
    stream = io.StringIO()

    json_logger(stream).info("working", extra={kind: {"workflow_id": workflow_id}})

    line = json.loads(stream.getvalue())
    assert {name: line[name] for name in ("run_id", "tenant") if name in line} == expected


def test_a_log_record_is_one_json_line_with_its_facts() -> None:
    stream = io.StringIO()
    log = json_logger(stream)
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
