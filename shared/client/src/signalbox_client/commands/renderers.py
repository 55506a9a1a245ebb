"""Output of runs: live progress bars on a terminal, plain lines elsewhere, JSON lines with --json."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from typing import Final, Protocol

import msgspec
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from signalbox_client.commands.event_text import describe, describe_failure
from signalbox_client.models import RunItem
from signalbox_client.stream_follower import StreamEvent, Update
from signalbox_core.events import Snapshot
from signalbox_core.events.snapshot import StepState

COLOURS: Final[Mapping[str, str]] = {
    "queued": "yellow",
    "running": "cyan",
    "blocked": "red",
    "paused": "yellow",
    "pending": "dim",
    "completed": "green",
    "decided": "green",
    "failed": "red",
    "cancelled": "magenta",
    "terminated": "red",
    "timed_out": "red",
    "expired": "red",
    "withdrawn": "magenta",
}
_TAIL_CHARS: Final = 400
_MARKS: Final[Mapping[str, str]] = {
    "completed": "✔",
    "failed": "✘",
    "cancelled": "◼",
    "pending": "·",
    "running": "▸",
}


class Renderer(Protocol):
    """Shows the updates of one or more runs. Use as a context manager."""

    def __enter__(self) -> "Renderer": ...
    def __exit__(self, *_: object) -> None: ...
    def show(self, update: Update) -> None: ...
    def suspended(self) -> AbstractContextManager[object]:
        """Stop drawing inside the block, so that the terminal can be used for prompts."""
        ...


class JsonLines:
    """One JSON object per frame: `run_id`, `status`, `sequence`, `event` (null for a snapshot)."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __enter__(self) -> "JsonLines":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def suspended(self) -> AbstractContextManager[object]:
        return nullcontext()

    def show(self, update: Update) -> None:
        snapshot = update.snapshot
        line = {
            "run_id": snapshot.run_id,
            "status": snapshot.status,
            "sequence": snapshot.sequence,
            "event": update.event,
        }
        print_json(self._console, line)


class PlainLines:
    """One line per event; progress only at each new ten percent of a step."""

    def __init__(self, console: Console, *, shows_run_ids: bool) -> None:
        self._console = console
        self._shows_run_ids = shows_run_ids
        self._last_tenth: dict[tuple[str, str], int] = {}

    def __enter__(self) -> "PlainLines":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def suspended(self) -> AbstractContextManager[object]:
        return nullcontext()

    def show(self, update: Update) -> None:
        line = (
            _describe_snapshot(update.snapshot) if update.event is None else self._line(update, update.event)
        )
        if line:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _line(self, update: Update, event: StreamEvent) -> str | None:
        step = next((step for step in update.snapshot.steps if step.name == event.stepid), None)
        if event.name == "step.progress":
            if step is None or step.percent is None:
                return None
            tenth, place = int(step.percent) // 10, (event.runid, step.name)
            if self._last_tenth.get(place) == tenth:
                return None
            self._last_tenth[place] = tenth
            return f"{self._prefix(event)} {step.title}: {step.percent:.0f} % {step.message or ''}".rstrip()
        return f"{self._prefix(event)} {event.name} {describe(event)}".rstrip()

    def _prefix(self, event: StreamEvent) -> str:
        clock = event.time.astimezone().strftime("%H:%M:%S")
        return f"{clock} {event.runid}" if self._shows_run_ids else clock


def _describe_snapshot(snapshot: Snapshot) -> str:
    """The run's status, and the reason if it failed or cannot continue."""
    line = f"{snapshot.run_id} is {shown_status(snapshot)}"
    if snapshot.error is not None:
        return f"{line}: {describe_failure(snapshot.error)}"
    held = snapshot.blocked or snapshot.queued
    return f"{line}: {held.reason}" if held is not None else line


class LiveBars:
    """A progress bar for each step of each run, redrawn in place."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=12, transient=False)
        self._runs: dict[str, Snapshot] = {}

    def __enter__(self) -> "LiveBars":
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.__exit__(None, None, None)

    @contextmanager
    def suspended(self) -> Iterator[None]:
        self._live.stop()
        try:
            yield
        finally:
            self._live.start()

    def show(self, update: Update) -> None:
        self._runs[update.snapshot.run_id] = update.snapshot
        self._live.update(
            Group(*(run_panel(snapshot) for snapshot in self._runs.values())), refresh=update.has_ended
        )


def choose_renderer(console: Console, *, as_json: bool, run_count: int = 1) -> Renderer:
    if as_json:
        return JsonLines(console)
    return LiveBars(console) if console.is_terminal else PlainLines(console, shows_run_ids=run_count > 1)


def run_panel(snapshot: Snapshot) -> RenderableType:
    """One run: a heading, a line per step, the text being written, pending approvals, the error."""
    lines: list[RenderableType] = [_heading(snapshot), _steps(snapshot.steps)]
    lines += [
        Text(f"    {_tail(step.text)}", style="italic")
        for step in snapshot.steps
        if step.status == "running" and step.text
    ]
    for approval in snapshot.approvals:
        if approval.status == "pending":
            command = f"signalbox decide {snapshot.run_id} {approval.approval_id}"
            lines.append(
                Text.from_markup(f"  [yellow]?[/] {escape(approval.title)}  [dim]{escape(command)}[/]")
            )
    if (held := snapshot.blocked or snapshot.queued) is not None:
        lines.append(Text(f"  {held.reason}", style=COLOURS[shown_status(snapshot)]))
    if snapshot.error:
        where = f"{snapshot.error.field}: " if snapshot.error.field else ""
        lines.append(Text(f"  {where}{snapshot.error.message}", style="red"))
    return Group(*lines)


def shown_status(run: Snapshot | RunItem) -> str:
    """The status for people: an open run that cannot continue is `blocked` or `queued`."""
    if run.blocked is not None:
        return "blocked"
    return "queued" if run.queued is not None else run.status


def _tail(text: str) -> str:
    """The end of a text, short enough for a terminal."""
    line = " ".join(text.split())
    return line if len(line) <= _TAIL_CHARS else f"… {line[-_TAIL_CHARS:]}"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table of plain text; a cell that is a status gets the status's colour."""
    grid = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        grid.add_row(*(Text(cell, style=COLOURS.get(cell, "")) for cell in row))
    return grid


def print_json(console: Console, value: object) -> None:
    console.print(msgspec.json.encode(value).decode(), markup=False, highlight=False, soft_wrap=True)


def format_time(at: datetime | None) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S") if at else ""


def _heading(snapshot: Snapshot) -> Text:
    status = shown_status(snapshot)
    duration = (
        f"  {(snapshot.ended_at - snapshot.started_at).total_seconds():.1f} s"
        if snapshot.ended_at and snapshot.started_at
        else ""
    )
    return Text.assemble(
        (snapshot.title or snapshot.pipeline, "bold"),
        "  ",
        (snapshot.run_id, "dim"),
        "  ",
        (status, COLOURS.get(status, "")),
        duration,
    )


def _steps(steps: Sequence[StepState]) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=2, justify="right")
    grid.add_column(min_width=18)
    grid.add_column(width=26)
    grid.add_column(overflow="ellipsis", no_wrap=True)
    for step in steps:
        colour = COLOURS[step.status]
        mark = (
            Spinner("dots", style=colour)
            if step.status == "running"
            else Text(_MARKS[step.status], style=colour)
        )
        grid.add_row(mark, Text(step.title, style=colour), _bar(step), Text(step.message or "", style="dim"))
    return grid


def _bar(step: StepState) -> RenderableType:
    if step.status == "pending":
        return Text("")
    pulses = step.status == "running" and step.percent is None
    complete = "green" if step.status == "completed" else "red" if step.status == "failed" else "cyan"
    return ProgressBar(
        total=100,
        completed=step.percent or 0,
        width=26,
        pulse=pulses,
        complete_style=complete,
        finished_style=complete,
    )
