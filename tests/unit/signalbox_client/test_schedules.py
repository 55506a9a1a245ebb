"""`signalbox schedules`: what it sends and prints."""

import io
import json
from pathlib import Path

import httpx2
import pytest
from rich.console import Console

from signalbox_client import AsyncSignalbox
from signalbox_client.commands.arguments.command_parser import parse_arguments
from signalbox_client.commands.command_context import CommandContext
from signalbox_core.errors import InvalidInput

SCHEDULE = {
    "schedule_id": "nightly",
    "pipeline": "ads",
    "title": "Ads",
    "cron": ["0 6 * * *"],
    "time_zone": "Europe/Berlin",
    "overlap": "skip",
    "created_by": "lan",
    "next_at": ["2026-12-01T05:00:00Z"],
    "runs": [{"run_id": "nightly~1", "scheduled_at": "2026-11-30T05:00:00Z", "status": "failed"}],
    "last_error": {"code": "no_page", "message": "the page is empty"},
    "input": {"url": "https://shop.example"},
}


class ScheduleGateway:
    """One schedule; records what it receives."""

    def __init__(self) -> None:
        self.received: list[tuple[str, str, object]] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        body = json.loads(request.content) if request.content else None
        self.received.append((request.method, path, body))
        if request.method == "DELETE":
            return httpx2.Response(204)
        if path.endswith("/trigger"):
            return httpx2.Response(202, json={"schedule_id": "nightly", "run_id": "nightly~2"})
        if path.endswith("/backfill"):
            return httpx2.Response(202, json={"schedule_id": "nightly", "times": 3})
        is_list = (request.method, path) == ("GET", "/v1/schedules")
        return httpx2.Response(200, json={"schedules": [SCHEDULE]} if is_list else SCHEDULE)


async def call(gateway: ScheduleGateway, *arguments: str) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    options = parse_arguments(["schedules", *arguments])
    async with AsyncSignalbox(
        "http://gateway.test", "key", transport=httpx2.MockTransport(gateway), backoff_s=()
    ) as client:
        context = CommandContext(client=client, console=console, as_json=options.json)
        assert await options.command(context, options) == 0
    return console.export_text()


async def test_schedules_are_listed_with_their_next_time() -> None:
    printed = await call(ScheduleGateway())

    assert "0 6 * * * Europe/Berlin" in printed
    assert "failed" in printed


async def test_a_schedule_is_created_from_a_file(tmp_path: Path) -> None:
    file, gateway = tmp_path / "input.json", ScheduleGateway()
    file.write_text('{"url": "https://shop.example"}')

    printed = await call(
        gateway,
        *("create", "nightly", "--pipeline", "ads", "--input", str(file)),
        *("--cron", "0 6 * * *", "--time-zone", "Europe/Berlin", "--overlap", "buffer_one"),
    )

    assert gateway.received == [
        (
            "POST",
            "/v1/schedules",
            {
                "schedule_id": "nightly",
                "pipeline": "ads",
                "input": {"url": "https://shop.example"},
                "cron": ["0 6 * * *"],
                "time_zone": "Europe/Berlin",
                "overlap": "buffer_one",
            },
        )
    ]
    assert "last error: the page is empty" in printed


@pytest.mark.parametrize(
    ("arguments", "method", "path", "body"),
    [
        (["pause", "nightly", "--note", "x"], "PATCH", "", {"paused": True, "note": "x"}),
        (["resume", "nightly"], "PATCH", "", {"paused": False, "note": ""}),
        (["update", "nightly", "--every", "3600"], "PATCH", "", {"every_s": 3600}),
        (["trigger", "nightly", "--overlap", "allow_all"], "POST", "/trigger", {"overlap": "allow_all"}),
        (["delete", "nightly"], "DELETE", "", None),
        (["show", "nightly"], "GET", "", None),
        (
            ["backfill", "nightly", "--from", "2026-11-01T00:00:00Z", "--to", "2026-11-02T00:00:00Z"],
            "POST",
            "/backfill",
            {"from": "2026-11-01T00:00:00Z", "to": "2026-11-02T00:00:00Z"},
        ),
    ],
)
async def test_an_action_sends_one_request(
    arguments: list[str], method: str, path: str, body: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    gateway = ScheduleGateway()

    await call(gateway, *arguments)

    assert gateway.received == [(method, f"/v1/schedules/nightly{path}", body)]


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        (["show"], "SCHEDULE"),
        (["create", "nightly", "--pipeline", "ads"], "--input"),
        (["backfill", "nightly", "--to", "2026-11-02T00:00:00Z"], "--from"),
        (["update", "nightly"], "name what to change"),
        (["backfill", "nightly", "--from", "soon", "--to", "later"], "is not a date and time"),
    ],
)
async def test_a_missing_argument_is_named(arguments: list[str], missing: str) -> None:
    with pytest.raises(InvalidInput, match=missing):
        await call(ScheduleGateway(), *arguments)
