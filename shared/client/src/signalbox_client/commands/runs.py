"""`signalbox pipelines, types, runs, show, input, artifacts, cancel, pause, resume`."""

import argparse
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath

import msgspec
from msgspec import Struct

from signalbox_client.commands.command_context import CommandContext
from signalbox_client.commands.renderers import format_time, print_json, run_panel, shown_status, table
from signalbox_client.models import Accepted, Artifact, InboxEntry, Run, RunItem
from signalbox_client.typescript import declarations
from signalbox_client.wire.snapshots import snapshot_of
from signalbox_core.errors import InvalidInput
from signalbox_core.events.states import ChildState, EventWaitState


class SavedArtifact(Struct, frozen=True, kw_only=True):
    """One artifact written to disk."""

    name: str
    path: str
    media_type: str
    size_bytes: int


async def pipelines(context: CommandContext, _: argparse.Namespace) -> int:
    found = await context.client.pipelines()
    if context.as_json:
        print_json(context.console, found)
        return 0
    context.console.print(
        table(("name", "title", "description"), [(item.name, item.title, item.description) for item in found])
    )
    return 0


async def types(context: CommandContext, options: argparse.Namespace) -> int:
    """Write the declarations to a file, or print them."""
    text = declarations(await context.client.pipelines())
    if options.to is not None:
        _write_file(Path(options.to), text)
    elif context.as_json:
        print_json(context.console, {"declarations": text})
    else:
        context.print(text.rstrip())
    return 0


async def runs(context: CommandContext, options: argparse.Namespace) -> int:
    page = await context.client.runs(
        options.q, status=options.status, pipeline=options.pipeline, limit=options.limit
    )
    if context.as_json:
        print_json(context.console, page.runs)
        return 0
    if not page.runs:
        context.print("no runs found")
        return 0
    has_open = any(item.ended_at is None for item in page.runs)
    questions = _group_by_run(await context.client.approvals() if has_open else ())
    now = datetime.now(UTC)
    rows = [run_row(item, questions.get(item.run_id, ()), now) for item in page.runs]
    columns = ("run", "subject", "pipeline", "status", "needs decision", "by", "started", "duration")
    context.console.print(table(columns, rows))
    return 0


def run_row(item: RunItem, questions: Sequence[InboxEntry], now: datetime) -> tuple[str, ...]:
    """The cells of a run: its pending questions, who started it, and how long it took or has taken so far."""
    starter = (item.starter.name or item.starter.subject) if item.starter is not None else item.started_by
    return (
        item.run_id,
        item.subject or "",
        item.pipeline,
        shown_status(item),
        questions[0].title if len(questions) == 1 else f"{len(questions)} questions" if questions else "",
        starter or "",
        format_time(item.started_at),
        format_duration((item.ended_at or now) - item.started_at) if item.started_at is not None else "",
    )


def format_duration(duration: timedelta) -> str:
    """Two units at most: `1.4 s`, `2 min 05 s`, `3 h 20 min`, `2 d 4 h`."""
    total_s = max(duration.total_seconds(), 0.0)
    if total_s < 59.95:
        return f"{total_s:.1f} s"
    minutes, seconds = divmod(round(total_s), 60)
    if minutes < 60:
        return f"{minutes} min {seconds:02} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"


def _group_by_run(entries: Sequence[InboxEntry]) -> Mapping[str, Sequence[InboxEntry]]:
    grouped: dict[str, list[InboxEntry]] = {}
    for entry in entries:
        grouped.setdefault(entry.run_id, []).append(entry)
    return grouped


async def show(context: CommandContext, options: argparse.Namespace) -> int:
    run = await context.client.run(options.run)
    if context.as_json:
        print_json(context.console, run)
        return 0
    context.console.print(run_panel(snapshot_of(run)))
    if run.parent is not None:
        context.print(f"  started by run {run.parent}")
    if run.children:
        rows = [(child.run_id, child.pipeline, _status_of_child(run, child)) for child in run.children]
        context.console.print(table(("started run", "pipeline", "status"), rows))
    if run.waits:
        context.console.print(
            table(("waits for", "status", "key", "until"), [_wait_row(item) for item in run.waits])
        )
    if run.artifacts:
        context.console.print(
            table(("file", "type", "bytes"), [_artifact_row(item) for item in run.artifacts])
        )
    return 0


async def show_input(context: CommandContext, options: argparse.Namespace) -> int:
    """Print the input as JSON, in the form that `start NAME --input FILE` reads."""
    found = await context.client.run_input(options.run)
    if context.as_json:
        print_json(context.console, found)
    else:
        context.print(msgspec.json.format(bytes(found.input), indent=2).decode())
    return 0


async def artifacts(context: CommandContext, options: argparse.Namespace) -> int:
    run = await context.client.run(options.run)
    if options.to is None:
        if context.as_json:
            print_json(context.console, run.artifacts)
        else:
            context.console.print(
                table(("file", "type", "bytes"), [_artifact_row(item) for item in run.artifacts])
            )
        return 0
    saved = await save_artifacts(context, run, run.artifacts, Path(options.to))
    if context.as_json:
        print_json(context.console, saved)
    else:
        for item in saved:
            context.print(item.path)
    return 0


def _write_file(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise InvalidInput(
            f"--to {path}: {error.strerror}; choose a file you can write to", field="--to"
        ) from error


async def save_artifacts(
    context: CommandContext, run: Run, chosen: tuple[Artifact, ...], folder: Path
) -> list[SavedArtifact]:
    """Download artifacts into `folder`, under their own names.

    Raises:
        InvalidInput: the folder is not writable.
    """
    saved = []
    for item in chosen:
        body = await context.client.artifact(run.run_id, item.name)
        path = folder / safe_path(item)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        except OSError as error:
            raise InvalidInput(
                f"--to {folder}: {error.strerror}; choose a folder you can write to", field="--to"
            ) from error
        saved.append(
            SavedArtifact(name=item.name, path=str(path), media_type=item.media_type, size_bytes=len(body))
        )
    return saved


def safe_path(item: Artifact) -> Path:
    """The artifact's name as a relative path without `..`, with the suffix of its media type."""
    parts = [part for part in PurePosixPath(item.name).parts if part not in ("/", "..", ".")]
    path = Path(*parts) if parts else Path("artifact")
    suffix = {
        "image/png": ".png",
        "application/json": ".json",
        "application/xml": ".xml",
        "text/html": ".html",
    }.get(item.media_type, "")
    return path if path.suffix == suffix or not suffix else path.with_name(path.name + suffix)


async def cancel(context: CommandContext, options: argparse.Namespace) -> int:
    return _print_accepted(context, await context.client.cancel(options.run, options.reason))


async def pause(context: CommandContext, options: argparse.Namespace) -> int:
    return _print_accepted(context, await context.client.pause(options.run))


async def resume(context: CommandContext, options: argparse.Namespace) -> int:
    return _print_accepted(context, await context.client.resume(options.run))


def _print_accepted(context: CommandContext, accepted: Accepted) -> int:
    if context.as_json:
        print_json(context.console, accepted)
    else:
        context.print(
            f"{accepted.accepted or 'request'} requested for run {accepted.run_id};"
            f" follow it with: signalbox watch {accepted.run_id}"
        )
    return 0


def _status_of_child(run: Run, child: ChildState) -> str:
    """The child's status as its parent has it: after the parent's end, `running` is not known to be true."""
    return "" if child.status == "running" and run.ended_at is not None else child.status


def _wait_row(wait: EventWaitState) -> tuple[str, str, str, str]:
    key = "(callback)" if wait.is_callback else wait.key or ""
    return (f"{wait.title} ({wait.name})", wait.status, key, format_time(wait.deadline_at))


def _artifact_row(item: Artifact) -> tuple[str, str, str]:
    return (item.name, item.media_type, f"{item.size_bytes:,}")
