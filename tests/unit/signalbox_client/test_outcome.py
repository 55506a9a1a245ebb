"""`signalbox result` and `open`, the list of runs, and messages that name the argument."""

import asyncio
import io
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from rich.console import Console

from signalbox_client import AsyncSignalbox
from signalbox_client.cli import name_arguments
from signalbox_client.commands.arguments.command_parser import parse_arguments
from signalbox_client.commands.command_context import CommandContext
from signalbox_client.commands.outcome import open_run, result, stop_notice
from signalbox_client.commands.runs import format_duration, run_row, runs
from signalbox_client.models import InboxEntry, RunItem
from signalbox_core.errors import Conflict, InvalidInput
from signalbox_core.subjects import Subject

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PROBLEMS = {
    "failed": ("run_failed", "run failed ended without a result (failed in step fetch): not HTML"),
    "open": ("not_finished", "run open is running and has no result yet; follow its stream"),
}


def gateway(request: httpx2.Request) -> httpx2.Response:
    path = request.url.path
    if path == "/v1/runs":
        listed = {"run_id": "open", "pipeline": "echo", "status": "running", "started_at": AT.isoformat()}
        return httpx2.Response(200, json={"runs": [listed], "next_cursor": None})
    if path == "/v1/approvals":
        asked = {"run_id": "open", "approval_id": "a", "title": "Which?", "pipeline": "echo"}
        return httpx2.Response(
            200, json={"approvals": [{**asked, "requested_at": AT.isoformat()}], "total": 1}
        )
    run_id = path.split("/")[3]
    if not path.endswith("/result"):
        return httpx2.Response(200, json={"run_id": run_id, "pipeline": "echo", "status": "completed"})
    if run_id not in PROBLEMS:
        return httpx2.Response(200, json={"text": "hello"})
    code, detail = PROBLEMS[run_id]
    problem = {"status": 409, "title": "Conflict", "code": code, "detail": detail}
    return httpx2.Response(409, json=problem, headers={"content-type": "application/problem+json"})


def context(*, as_json: bool = False) -> CommandContext:
    client = AsyncSignalbox("http://a.example/", "k", transport=httpx2.MockTransport(gateway), backoff_s=())
    console = Console(file=io.StringIO(), width=200)
    return CommandContext(client=client, console=console, as_json=as_json)


def printed(of: CommandContext) -> str:
    assert isinstance(of.console.file, io.StringIO)
    return of.console.file.getvalue()


async def test_the_result_is_printed_as_json() -> None:
    to = context(as_json=True)
    assert await result(to, parse_arguments(["result", "done"])) == 0
    assert printed(to) == '{"text":"hello"}\n'


async def test_a_run_without_a_result_gives_its_reason_and_exit_code_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert await result(context(), parse_arguments(["result", "failed"])) == 1
    assert "(failed in step fetch): not HTML" in capsys.readouterr().err


async def test_a_run_that_has_not_ended_is_refused_with_the_flag_that_waits() -> None:
    with pytest.raises(Conflict, match="--wait"):
        await result(context(), parse_arguments(["result", "open"]))


async def test_the_address_of_a_run_is_printed() -> None:
    to = context()
    assert await open_run(to, parse_arguments(["open", "run 1", "--no-browser"])) == 0
    assert printed(to) == "http://a.example/#/runs/run%201\n"


async def test_the_list_of_runs_shows_who_decides_next() -> None:
    to = context()
    assert await runs(to, parse_arguments(["runs"])) == 0
    assert "Which?" in printed(to)


def test_a_row_names_the_starter_and_how_long_the_run_took() -> None:
    item = RunItem(
        run_id="r",
        pipeline="echo",
        status="completed",
        started_at=AT,
        ended_at=AT + timedelta(seconds=75),
        starter=Subject(subject="key:lan", name="Lan"),
    )
    asked = [
        InboxEntry(run_id="r", approval_id=name, title=name, pipeline="echo", requested_at=AT)
        for name in "ab"
    ]
    row = run_row(item, asked, AT)
    assert (row[4], row[5], row[7]) == ("2 questions", "Lan", "1 min 15 s")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        pytest.param(-3, "0.0 s", id="a clock behind the server's"),
        pytest.param(1.44, "1.4 s", id="seconds"),
        pytest.param(59.96, "1 min 00 s", id="rounded to a minute"),
        pytest.param(3_659, "1 h 00 min", id="hours"),
        pytest.param(187_200, "2 d 4 h", id="days"),
    ],
)
def test_a_duration_has_two_units(seconds: float, text: str) -> None:
    assert format_duration(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("words", "error", "shown"),
    [
        pytest.param(
            ("runs",), InvalidInput("limit: must be at most 200", field="limit"), "--limit: must", id="a flag"
        ),
        pytest.param(
            ("decide", "r", "a"),
            InvalidInput(
                "answer.decisions[0].action: must be one of approve, edit", field="answer.decisions"
            ),
            "--answer.decisions[0].action: must",
            id="a member of a value",
        ),
        pytest.param(
            ("delegate", "r", "a", "b"), InvalidInput("to: is invalid", field="to"), "TO: is", id="TO"
        ),
        pytest.param(
            ("runs",), InvalidInput("colour: is unknown", field="colour"), "colour: is", id="another field"
        ),
    ],
)
def test_a_refusal_names_the_argument(words: tuple[str, ...], error: InvalidInput, shown: str) -> None:
    named = name_arguments(error, parse_arguments(words).parser)
    assert named.detail.startswith(shown)
    assert isinstance(named, InvalidInput)


@pytest.mark.parametrize(
    ("unfinished", "shown"),
    [
        pytest.param(["r1"], "run r1 continues. To return: signalbox watch r1", id="one"),
        pytest.param(["r1", "r2"], "2 runs continue. To return: signalbox watch r1 r2", id="two"),
        pytest.param([], "", id="all have ended"),
    ],
)
async def test_ctrl_c_states_which_runs_continue(
    capsys: pytest.CaptureFixture[str], unfinished: list[str], shown: str
) -> None:
    entered = asyncio.Event()

    async def follow() -> None:
        with stop_notice(lambda: unfinished, "signalbox watch"):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(follow())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    error = capsys.readouterr().err
    assert shown in error
    assert bool(error) == bool(unfinished)
