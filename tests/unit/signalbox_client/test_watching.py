"""`signalbox watch` and `signalbox events`: several runs at once."""

import argparse
import io

import httpx2
import pytest
from rich.console import Console

from signalbox_client import AsyncSignalbox
from signalbox_client.commands.command_context import CommandContext
from signalbox_client.commands.watch import events, watch_runs
from signalbox_core.errors import Forbidden, InvalidInput
from support.assertions.eventually import beside, eventually
from support.fakes.stream_frames import AT, END, RUN_COMPLETED, STEP_COMPLETED, event_frame, snapshot_frame


def gateway(request: httpx2.Request) -> httpx2.Response:
    """Lists one running run, and refuses everything else."""
    if request.url.path == "/v1/runs":
        run = {"run_id": "r1", "pipeline": "echo", "status": "running"}
        return httpx2.Response(200, json={"runs": [run]})
    body = {"title": "No", "status": 403, "code": "forbidden", "detail": "the role viewer is missing"}
    return httpx2.Response(403, json=body, headers={"content-type": "application/problem+json"})


@pytest.fixture
def context() -> CommandContext:
    client = AsyncSignalbox("http://127.0.0.1:1", "k", transport=httpx2.MockTransport(gateway), backoff_s=())
    return CommandContext(client=client, console=Console(file=io.StringIO()), as_json=False)


@pytest.mark.parametrize("runs", [pytest.param([], id="all runs"), pytest.param(["r1", "r2"], id="two runs")])
async def test_an_error_while_following_is_raised_without_a_group(
    context: CommandContext, runs: list[str]
) -> None:
    with pytest.raises(Forbidden, match="the role viewer is missing"):
        await events(context, argparse.Namespace(runs=runs, follow=True))


async def test_too_many_runs_are_refused_with_the_limit(context: CommandContext) -> None:
    with pytest.raises(InvalidInput, match="33 runs are too many: watch at most 32"):
        await watch_runs(context, [f"r{number}" for number in range(33)])


class GatewayOfAShortRun:
    """Lists an old run first, then a run as well that began and ended meanwhile; streams its events."""

    def __init__(self) -> None:
        self.lists = 0

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        runs = [
            {
                "run_id": name,
                "pipeline": "echo",
                "status": "completed",
                "started_at": f"{year}-01-01T00:00:00Z",
            }
            for name, year in (("r1", 2099), ("old", 2020))
        ]
        if request.url.path == "/v1/runs":
            self.lists += 1
            return httpx2.Response(200, json={"runs": runs if self.lists > 1 else runs[1:]})
        if request.url.path == "/v1/runs/r1/stream":
            stream = snapshot_frame("running", 2) + STEP_COMPLETED + RUN_COMPLETED + END
            return httpx2.Response(200, text=stream, headers={"content-type": "text/event-stream"})
        assert request.url.path == "/v1/runs/r1", request.url
        body = {**runs[0], "epoch": "e", "sequence": 4, "steps": [], "tenant": "acme"}
        return httpx2.Response(200, json=body)


async def test_a_run_that_ends_between_two_looks_is_followed_from_its_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("signalbox_client.commands.watch._POLL_INTERVAL_S", 0.01)
    printed = io.StringIO()
    transport = httpx2.MockTransport(GatewayOfAShortRun())
    client = AsyncSignalbox("http://127.0.0.1:1", "k", transport=transport, backoff_s=())
    context = CommandContext(client=client, console=Console(file=printed, width=200), as_json=False)

    async with beside(events(context, argparse.Namespace(runs=[], follow=True))):
        await eventually(lambda: "run.completed" in printed.getvalue(), within_s=30)

    assert "step.completed" in printed.getvalue()


class GatewayOfManyRuns:
    """Lists 150 open runs in pages, then an old one; each has one event, and one run is gone."""

    def __init__(self) -> None:
        self.runs = [
            {"run_id": f"r{number}", "pipeline": "echo", "status": "running", "started_at": AT}
            for number in range(150)
        ]
        self.old = {"run_id": "old", "pipeline": "echo", "status": "completed", "started_at": AT}
        self.opened: set[str] = set()

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/v1/runs":
            begin, size = int(request.url.params.get("cursor", "0")), int(request.url.params["limit"])
            listed = [*self.runs, self.old][begin : begin + size]
            cursor = str(begin + size) if begin + size <= len(self.runs) else None
            return httpx2.Response(200, json={"runs": listed, "next_cursor": cursor})
        run_id = request.url.path.split("/")[3]
        if run_id == "r7":
            body = {"title": "No", "status": 404, "code": "unknown_run", "detail": "no such run"}
            return httpx2.Response(404, json=body, headers={"content-type": "application/problem+json"})
        self.opened.add(run_id)
        if request.url.path.endswith("/stream"):
            return httpx2.Response(
                200, text=snapshot_frame() + STEP_COMPLETED, headers={"content-type": "text/event-stream"}
            )
        return httpx2.Response(200, json={**self.runs[0], "run_id": run_id, "epoch": "e", "sequence": 2})


async def test_all_open_runs_are_followed_however_many_and_one_that_is_gone_ends_nothing() -> None:
    gateway = GatewayOfManyRuns()
    client = AsyncSignalbox("http://127.0.0.1:1", "k", transport=httpx2.MockTransport(gateway), backoff_s=())
    context = CommandContext(client=client, console=Console(file=io.StringIO()), as_json=False)
    expected = {f"r{number}" for number in range(150)} - {"r7"}

    async with beside(events(context, argparse.Namespace(runs=[], follow=True))):
        await eventually(lambda: gateway.opened >= expected, within_s=30)

    assert "old" not in gateway.opened


class GatewayOfAWaitingRun:
    """One run that has no stream until its first stream connection has sent its snapshot."""

    def __init__(self, status: str = "running") -> None:
        self.status = status
        self.cursors: list[str | None] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if not request.url.path.endswith("/stream"):
            place = {"epoch": "e", "sequence": 3} if self.cursors else {"epoch": "", "sequence": 0}
            run = {"run_id": "r1", "pipeline": "echo", "status": self.status, **place}
            return httpx2.Response(200, json={"runs": [run]} if request.url.path == "/v1/runs" else run)
        cursor = request.headers.get("last-event-id")
        self.cursors.append(cursor)
        first = event_frame("run.started", 1, pipeline="echo", title="Echo", steps=[])
        second = event_frame("step.started", 2, step="say", title="Say it", attempt=1)
        kept = first + second + STEP_COMPLETED + RUN_COMPLETED + END
        stream = kept if cursor else snapshot_frame("running", 3)
        return httpx2.Response(200, text=stream, headers={"content-type": "text/event-stream"})


@pytest.mark.parametrize("runs", [pytest.param([], id="all runs"), pytest.param(["r1"], id="one run")])
async def test_a_run_without_a_stream_is_followed_from_its_first_event(runs: list[str]) -> None:
    gateway, printed = GatewayOfAWaitingRun(), io.StringIO()
    client = AsyncSignalbox("http://127.0.0.1:1", "k", transport=httpx2.MockTransport(gateway), backoff_s=())
    context = CommandContext(client=client, console=Console(file=printed, width=200), as_json=False)

    async with beside(events(context, argparse.Namespace(runs=runs, follow=True))):
        await eventually(lambda: "run.completed" in printed.getvalue(), within_s=30)

    assert gateway.cursors == [None, "e:0"]
    assert "run.started" in printed.getvalue()


async def test_a_run_that_ended_without_an_event_misses_none(capsys: pytest.CaptureFixture[str]) -> None:
    transport = httpx2.MockTransport(GatewayOfAWaitingRun("cancelled"))
    client = AsyncSignalbox("http://127.0.0.1:1", "k", transport=transport, backoff_s=())
    context = CommandContext(client=client, console=Console(file=io.StringIO()), as_json=False)
    assert await events(context, argparse.Namespace(runs=["r1"], follow=True)) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("epoch", "sequence"), [pytest.param("e", 20_000, id="trimmed"), pytest.param("", 9, id="expired")]
)
async def test_events_that_are_no_longer_kept_are_said_to_be_missing(
    capsys: pytest.CaptureFixture[str], epoch: str, sequence: int
) -> None:
    """The gateway answers a cursor before what it keeps with a snapshot."""

    def gateway(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/stream"):
            stream = "event: reset\ndata: {}\n\n" + snapshot_frame("completed", sequence) + END
            return httpx2.Response(200, text=stream, headers={"content-type": "text/event-stream"})
        run = {"run_id": "r1", "pipeline": "echo", "status": "completed", "epoch": epoch}
        return httpx2.Response(200, json={**run, "sequence": sequence, "steps": [], "tenant": "acme"})

    client = AsyncSignalbox("http://127.0.0.1:1", "k", transport=httpx2.MockTransport(gateway), backoff_s=())
    context = CommandContext(client=client, console=Console(file=io.StringIO()), as_json=False)
    assert await events(context, argparse.Namespace(runs=["r1"], follow=False)) == 0
    assert capsys.readouterr().err == (
        "signalbox: events of run r1 are no longer kept; see signalbox show r1\n"
    )
