"""The demo of document_batch: an inbox of invented papers, traps among them, is read; the one that is no known kind is asked about."""

import asyncio
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from signalbox_client.cli_runs import save_artifacts
from signalbox_client.models import Approval
from signalbox_client.stream_follower import Update
from signalbox_core.errors import Rejected
from signalbox_devstack.demo.scenario import Ending, Question, Setup, Stage
from signalbox_devstack.emulators.sample_documents.inbox_files import PaperFile, inbox, long_scan, long_text
from signalbox_pipelines.document_batch.batch_state import WAITING
from signalbox_pipelines.document_batch.contract import BatchResult, Outcome
from signalbox_pipelines.document_batch.document.contract import KIND

_SEED: Final = 1
_COUNT: Final = 12
_KIND: Final = "other"
_STEP: Final = "process"


class DocumentBatch:
    pipeline = "document_batch"

    def __init__(self) -> None:
        self._refused: list[str] = []

    def setup(self, environ: Mapping[str, str]) -> Setup:  # noqa: ARG002 - the protocol's
        return Setup()

    async def prepare(self, stage: Stage) -> Mapping[str, object]:
        """Write the inbox and upload it; what no pipeline reads is refused there, by name."""
        stage.session.tell("Writing and uploading an inbox of invented papers")
        folder = stage.folder / "inbox"
        files = await asyncio.to_thread(_write, folder, is_long=stage.environ.get("DEMO_LONG") == "1")
        documents = []
        for file in files:
            try:
                uploaded = await stage.session.client.upload(file.body)
            except Rejected as refused:
                self._refused.append(f"{file.name}: {refused.detail}")
                continue
            documents.append({"object": uploaded.object, "name": file.name})
        _check_engine(stage)
        return {"documents": documents, "wait_for_confirmation": True, "parallel": 4}

    def questions(self, update: Update) -> Sequence[Question]:
        """Documents ask in runs of their own; the batch's step has a letter for each."""
        states = next((step.items for step in update.snapshot.steps if step.name == _STEP and step.items), "")
        return [
            Question(run_id=f"{update.snapshot.run_id}.{index:05}", approval_id=KIND.name)
            for index, state in enumerate(states)
            if state == WAITING
        ]

    def answer(self, approval: Approval) -> Mapping[str, object]:  # noqa: ARG002 - the protocol's
        return {"kind": _KIND}

    async def finish(self, stage: Stage, run_id: str) -> Ending:
        """The report, and text and facts of each document that was read."""
        client = stage.session.client
        run = await client.run(run_id)
        result = msgspec.json.decode(await client.result(run_id), type=BatchResult)
        saved = await save_artifacts(stage.session, run, run.artifacts, stage.folder)
        report = msgspec.json.decode((stage.folder / "report.json").read_bytes(), type=list[Outcome])
        for outcome in report:
            if outcome.status == "ok":
                read = await client.run(outcome.run_id)
                saved += await save_artifacts(
                    stage.session, read, read.artifacts, stage.folder / "documents" / Path(outcome.name).name
                )
        return Ending(
            title=f"{len(saved)} files",
            paths=tuple(Path(item.path) for item in saved),
            lines=tuple(_lines(result, report, self._refused)),
        )


def _write(folder: Path, *, is_long: bool) -> list[PaperFile]:
    files = [*inbox(_COUNT, _SEED), long_text(seed=_SEED), *([long_scan(seed=_SEED)] if is_long else [])]
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        (folder / file.name).write_bytes(file.body)
    return files


def _check_engine(stage: Stage) -> None:
    if shutil.which("tesseract") is None:
        stage.session.tell(
            "Tesseract is not installed here: scans and photos will be refused with ocr_missing, the others are read."
        )


def _lines(result: BatchResult, report: Sequence[Outcome], refused: Sequence[str]) -> Iterator[str]:
    yield f"{result.total} documents: {result.ok} ok, {result.failed} failed, {result.waiting} waiting for a person"
    for outcome in report:
        if outcome.status == "ok":
            facts = ", ".join(f"{count} {name}" for name, count in outcome.entities.items()) or "no facts"
            ocr = f" ({outcome.ocr_pages} by OCR)" if outcome.ocr_pages else ""
            yield f"  {outcome.name}: {outcome.kind}, {outcome.page_count} pages{ocr}, {facts}"
        else:
            yield f"  {outcome.name}: {outcome.code or outcome.status}: {outcome.message or ''}"
    if refused:
        yield "refused when they were uploaded:"
        yield from (f"  {line}" for line in refused)
