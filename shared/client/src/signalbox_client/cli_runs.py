"""`signalbox pipelines, runs, show, artifacts, cancel, pause, resume`."""

import argparse
from pathlib import Path, PurePosixPath

from msgspec import Struct

from signalbox_client.models import Accepted, Artifact, Run, snapshot_of
from signalbox_client.screen import moment, print_json, run_panel, table
from signalbox_client.session import Session
from signalbox_core.errors import InvalidInput


class Saved(Struct, frozen=True, kw_only=True):
    """One artifact written to disk."""

    name: str
    path: str
    media_type: str
    size_bytes: int


async def pipelines(session: Session, _: argparse.Namespace) -> int:
    found = await session.client.pipelines()
    if session.as_json:
        print_json(session.console, found)
        return 0
    session.console.print(
        table(
            ("name", "title", "what it does"), [(item.name, item.title, item.description) for item in found]
        )
    )
    return 0


async def runs(session: Session, options: argparse.Namespace) -> int:
    page = await session.client.runs(status=options.status, pipeline=options.pipeline, limit=options.limit)
    if session.as_json:
        print_json(session.console, page.runs)
        return 0
    rows = [
        (item.run_id, item.pipeline, item.status, moment(item.started_at), moment(item.ended_at))
        for item in page.runs
    ]
    session.console.print(
        table(("run", "pipeline", "status", "started", "ended"), rows) if rows else "no runs yet"
    )
    return 0


async def show(session: Session, options: argparse.Namespace) -> int:
    run = await session.client.run(options.run)
    if session.as_json:
        print_json(session.console, run)
        return 0
    session.console.print(run_panel(snapshot_of(run)))
    if run.artifacts:
        session.console.print(
            table(("file", "type", "bytes"), [_artifact_row(item) for item in run.artifacts])
        )
    return 0


async def artifacts(session: Session, options: argparse.Namespace) -> int:
    run = await session.client.run(options.run)
    if options.to is None:
        if session.as_json:
            print_json(session.console, run.artifacts)
        else:
            session.console.print(
                table(("file", "type", "bytes"), [_artifact_row(item) for item in run.artifacts])
            )
        return 0
    saved = await save_artifacts(session, run, run.artifacts, Path(options.to))
    if session.as_json:
        print_json(session.console, saved)
    else:
        for item in saved:
            session.tell(item.path)
    return 0


async def save_artifacts(
    session: Session, run: Run, chosen: tuple[Artifact, ...], folder: Path
) -> list[Saved]:
    """Write the artifacts into `folder`, under their own names.

    Raises:
        InvalidInput: the folder cannot be written.
    """
    saved = []
    for item in chosen:
        body = await session.client.artifact(run.run_id, item.name)
        path = folder / safe_path(item)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        except OSError as error:
            raise InvalidInput(
                f"--to {folder}: {error.strerror}; name a folder you may write", field="--to"
            ) from error
        saved.append(Saved(name=item.name, path=str(path), media_type=item.media_type, size_bytes=len(body)))
    return saved


def safe_path(item: Artifact) -> Path:
    """The artifact's name as a path that stays inside the folder, with the ending of its type."""
    parts = [part for part in PurePosixPath(item.name).parts if part not in ("/", "..", ".")]
    path = Path(*parts) if parts else Path("artifact")
    ending = {
        "image/png": ".png",
        "application/json": ".json",
        "application/xml": ".xml",
        "text/html": ".html",
    }.get(item.media_type, "")
    return path if path.suffix == ending or not ending else path.with_name(path.name + ending)


async def cancel(session: Session, options: argparse.Namespace) -> int:
    return _accepted(session, await session.client.cancel(options.run, options.reason))


async def pause(session: Session, options: argparse.Namespace) -> int:
    return _accepted(session, await session.client.pause(options.run))


async def resume(session: Session, options: argparse.Namespace) -> int:
    return _accepted(session, await session.client.resume(options.run))


def _accepted(session: Session, accepted: Accepted) -> int:
    if session.as_json:
        print_json(session.console, accepted)
    else:
        session.tell(
            f"{accepted.accepted or 'it'} was asked of {accepted.run_id}; signalbox watch {accepted.run_id} shows when it happens"
        )
    return 0


def _artifact_row(item: Artifact) -> tuple[str, str, str]:
    return (item.name, item.media_type, f"{item.size_bytes:,}")
