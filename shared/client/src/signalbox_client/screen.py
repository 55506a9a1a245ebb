"""What a person sees: progress bars and colours on a terminal, plain lines elsewhere, JSON lines for programs."""

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

from signalbox_client.stream_follower import StreamEvent, Update
from signalbox_core.events import Snapshot
from signalbox_core.events.snapshot import StepState

COLOURS: Final[Mapping[str, str]] = {
    "queued": "yellow",
    "running": "cyan",
    "paused": "yellow",
    "pending": "dim",
    "completed": "green",
    "decided": "green",
    "failed": "red",
    "cancelled": "magenta",
    "terminated": "red",
    "timed_out": "red",
    "expired": "red",
}
_SHOWN_CHARS: Final = 400
_MARKS: Final[Mapping[str, str]] = {
    "completed": "✔",
    "failed": "✘",
    "cancelled": "◼",
    "pending": "·",
    "running": "▸",
}


class Screen(Protocol):
    """Shows runs while they go on. Use as a context manager."""

    def __enter__(self) -> "Screen": ...
    def __exit__(self, *_: object) -> None: ...
    def show(self, update: Update) -> None: ...
    def aside(self) -> AbstractContextManager[object]:
        """Inside the block the terminal is free for questions."""
        ...


class JsonLines:
    """Every frame as one line: `{"run_id", "status", "event"}`; `event` is null for a snapshot."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __enter__(self) -> "JsonLines":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def aside(self) -> AbstractContextManager[object]:
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
    """A line for each event, progress only when a step's whole tens of percent change."""

    def __init__(self, console: Console, *, names_runs: bool) -> None:
        self._console = console
        self._names_runs = names_runs
        self._tens: dict[str, int] = {}

    def __enter__(self) -> "PlainLines":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def aside(self) -> AbstractContextManager[object]:
        return nullcontext()

    def show(self, update: Update) -> None:
        line = (
            f"{update.snapshot.run_id} is {update.snapshot.status}"
            if update.event is None
            else self._line(update, update.event)
        )
        if line:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _line(self, update: Update, event: StreamEvent) -> str | None:
        step = next((step for step in update.snapshot.steps if step.name == event.stepid), None)
        if event.name == "step.progress":
            if step is None or step.percent is None or self._tens.get(step.name) == int(step.percent) // 10:
                return None
            self._tens[step.name] = int(step.percent) // 10
            return f"{self._start(event)} {step.title}: {step.percent:.0f} % {step.message or ''}".rstrip()
        return f"{self._start(event)} {event.name} {describe(event)}".rstrip()

    def _start(self, event: StreamEvent) -> str:
        clock = event.time.astimezone().strftime("%H:%M:%S")
        return f"{clock} {event.runid}" if self._names_runs else clock


class LiveBars:
    """A bar for each step of each run, redrawn in place."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=12, transient=False)
        self._runs: dict[str, Snapshot] = {}

    def __enter__(self) -> "LiveBars":
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.__exit__(None, None, None)

    @contextmanager
    def aside(self) -> Iterator[None]:
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


def screen_for(console: Console, *, as_json: bool, run_count: int = 1) -> Screen:
    if as_json:
        return JsonLines(console)
    return LiveBars(console) if console.is_terminal else PlainLines(console, names_runs=run_count > 1)


def run_panel(snapshot: Snapshot) -> RenderableType:
    """One run: a head line, then a line for each step, then what it waits for."""
    lines: list[RenderableType] = [_head(snapshot), _steps(snapshot.steps)]
    lines += [
        Text(f"    {_end_of(step.text)}", style="italic")
        for step in snapshot.steps
        if step.status == "running" and step.text
    ]
    for approval in snapshot.approvals:
        if approval.status == "pending":
            command = f"signalbox decide {snapshot.run_id} {approval.approval_id}"
            lines.append(
                Text.from_markup(f"  [yellow]?[/] {escape(approval.title)}  [dim]{escape(command)}[/]")
            )
    if snapshot.error:
        where = f"{snapshot.error.field}: " if snapshot.error.field else ""
        lines.append(Text(f"  {where}{snapshot.error.message}", style="red"))
    return Group(*lines)


def _end_of(text: str) -> str:
    """What is being written, as far as it fits a terminal: its end."""
    words = " ".join(text.split())
    return words if len(words) <= _SHOWN_CHARS else f"… {words[-_SHOWN_CHARS:]}"


def describe(event: StreamEvent) -> str:
    """The few words of an event that a person wants."""
    about = msgspec.json.decode(event.data, type=_About)
    if about.error:
        return about.error.message
    return " ".join(
        filter(None, (about.title or about.step or about.name or about.approval_id, about.by_whom))
    )


class _Error(msgspec.Struct, frozen=True):
    message: str = ""


class _About(msgspec.Struct, frozen=True):
    title: str | None = None
    step: str | None = None
    name: str | None = None
    approval_id: str | None = None
    decided_by: str | None = None
    error: _Error | None = None

    @property
    def by_whom(self) -> str | None:
        return f"by {self.decided_by}" if self.decided_by else None


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Cells are plain text; those that are a status get its colour."""
    drawn = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(cell, style=COLOURS.get(cell, "")) for cell in row))
    return drawn


def print_json(console: Console, value: object) -> None:
    console.print(msgspec.json.encode(value).decode(), markup=False, highlight=False, soft_wrap=True)


def moment(at: datetime | None) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S") if at else ""


def _head(snapshot: Snapshot) -> Text:
    colour = COLOURS.get(snapshot.status, "")
    took = (
        f"  {(snapshot.ended_at - snapshot.started_at).total_seconds():.1f} s"
        if snapshot.ended_at and snapshot.started_at
        else ""
    )
    return Text.assemble(
        (snapshot.title or snapshot.pipeline, "bold"),
        "  ",
        (snapshot.run_id, "dim"),
        "  ",
        (snapshot.status, colour),
        took,
    )


def _steps(steps: Sequence[StepState]) -> Table:
    drawn = Table.grid(padding=(0, 1))
    drawn.add_column(width=2, justify="right")
    drawn.add_column(min_width=18)
    drawn.add_column(width=26)
    drawn.add_column(overflow="ellipsis", no_wrap=True)
    for step in steps:
        colour = COLOURS[step.status]
        mark = (
            Spinner("dots", style=colour)
            if step.status == "running"
            else Text(_MARKS[step.status], style=colour)
        )
        drawn.add_row(mark, Text(step.title, style=colour), _bar(step), Text(step.message or "", style="dim"))
    return drawn


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
