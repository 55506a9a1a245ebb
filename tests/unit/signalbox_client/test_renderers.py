"""Output of runs: plain lines, JSON lines, the drawn panel; and file names of saved artifacts."""

import io
import json
from pathlib import Path

import httpx2
from msgspec.structs import replace
from rich.console import Console

from signalbox_client.commands.renderers import JsonLines, PlainLines, choose_renderer, run_panel
from signalbox_client.commands.runs import safe_path
from signalbox_client.models import Artifact
from signalbox_client.stream_follower import Follower, Update

AT = "2026-01-02T03:04:05Z"
RUN = {
    "run_id": "r1",
    "pipeline": "echo",
    "title": "Echo [test]",
    "status": "running",
    "epoch": "e",
    "sequence": 1,
    "steps": [{"name": "say", "title": "Say it", "status": "running", "attempt": 1, "started_at": AT}],
    "approvals": [
        {
            "approval_id": "word",
            "name": "word",
            "title": "Which word?",
            "status": "pending",
            "requested_at": AT,
        }
    ],
}


def updates(*events: tuple[str, int | None, dict[str, object]]) -> list[Update]:
    follower = Follower("r1")
    frames = [httpx2.ServerSentEvent(event="snapshot", data=json.dumps(RUN))]
    for name, sequence, data in events:
        body = {
            "id": "x",
            "type": f"dev.signalbox.{name}.v1",
            "time": AT,
            "runid": "r1",
            "stepid": "say",
            "sequence": sequence,
            "data": data,
        }
        frames.append(httpx2.ServerSentEvent(data=json.dumps(body), id=f"e:{sequence}"))
    return [update for frame in frames if (update := follower.take(frame))]


def test_the_progress_of_one_run_does_not_hide_that_of_another() -> None:
    on = console()
    lines = PlainLines(on, shows_run_ids=True)
    (first,) = updates(("step.progress", None, {"step": "say", "percent": 30}))[1:]
    assert first.event is not None
    second = replace(first, event=replace(first.event, runid="r2"))
    for update in (first, second, first, second):
        lines.show(update)
    assert [line.split()[1] for line in lines_of(on)] == ["r1", "r2"]


def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def lines_of(on: Console) -> list[str]:
    assert isinstance(on.file, io.StringIO)
    return on.file.getvalue().splitlines()


def progress(percent: float) -> tuple[str, None, dict[str, object]]:
    return ("step.progress", None, {"step": "say", "percent": percent, "message": "half [way]"})


DONE = ("step.completed", 2, {"step": "say", "title": "Say it", "started_at": AT})


def test_without_a_terminal_each_event_is_a_line_and_progress_is_thinned_out() -> None:
    on = console()
    with choose_renderer(on, as_json=False) as renderer:
        for update in updates(progress(51), progress(55), progress(60), DONE):
            renderer.show(update)
    lines = lines_of(on)
    assert lines[0] == "r1 is running"
    assert [line.split(" ", 1)[1] for line in lines[1:]] == [
        "Say it: 51 % half [way]",
        "Say it: 60 % half [way]",
        "step.completed Say it",
    ]


def test_without_a_terminal_a_failure_has_its_step_and_its_reason() -> None:
    on = console()
    failure = {"code": "bad_page", "message": "the page is not HTML", "field": "input.url", "step": "fetch"}
    failed = {"step": "say", "title": "Say it", "started_at": AT, "error": failure}
    with choose_renderer(on, as_json=False) as renderer:
        for update in updates(("step.failed", 2, failed), ("run.failed", 3, {"error": failure})):
            renderer.show(update)
    assert [line.split(" ", 1)[1] for line in lines_of(on)[1:]] == [
        "step.failed Say it: input.url: the page is not HTML",
        "run.failed fetch: input.url: the page is not HTML",
    ]


def test_watching_a_run_that_has_failed_prints_the_reason() -> None:
    on = console()
    failure = {"code": "bad_page", "message": "the page is not HTML", "step": "fetch"}
    frame = httpx2.ServerSentEvent(
        event="snapshot", data=json.dumps({**RUN, "status": "failed", "error": failure})
    )
    update = Follower("r1").take(frame)
    assert update is not None
    PlainLines(on, shows_run_ids=False).show(update)
    assert lines_of(on) == ["r1 is failed: fetch: the page is not HTML"]


def test_lines_of_several_runs_have_the_run_id() -> None:
    on = console()
    renderer = PlainLines(on, shows_run_ids=True)
    for update in updates(DONE):
        renderer.show(update)
    assert lines_of(on)[1].split()[1] == "r1"


def test_json_output_is_one_object_per_line() -> None:
    on = console()
    renderer = JsonLines(on)
    for update in updates(progress(51), DONE):
        renderer.show(update)
    lines = [json.loads(line) for line in lines_of(on)]
    assert [line["status"] for line in lines] == ["running"] * 3
    kinds = [line["event"] and line["event"]["type"] for line in lines]
    assert kinds == [None, "dev.signalbox.step.progress.v1", "dev.signalbox.step.completed.v1"]


def test_a_run_panel_shows_the_pending_approval_and_its_command() -> None:
    on = console()
    on.print(run_panel(updates(DONE)[-1].snapshot))
    text = "\n".join(lines_of(on))
    assert "Echo [test]" in text
    assert "Which word?" in text
    assert "signalbox decide r1 word" in text


def test_a_run_panel_shows_the_end_of_the_text_being_written() -> None:
    on = console()
    written = {"step": "say", "percent": 40, "text": f"{'first ' * 200}last words"}
    on.print(run_panel(updates(("step.progress", None, written))[-1].snapshot))
    text = " ".join(lines_of(on))
    assert "last words" in text
    assert text.count("first") < 100


def test_an_artifacts_path_stays_inside_its_folder() -> None:
    def path(name: str, media_type: str = "image/png") -> Path:
        return safe_path(Artifact(name=name, media_type=media_type, size_bytes=1))

    assert path("../../etc/passwd") == Path("etc/passwd.png")
    assert path("/absolute") == Path("absolute.png")
    assert path("..") == Path("artifact.png")
    assert path("v1/300x250") == Path("v1/300x250.png")
    assert path("report.json", "application/json") == Path("report.json")
    assert path("notes.txt", "text/plain") == Path("notes.txt")
