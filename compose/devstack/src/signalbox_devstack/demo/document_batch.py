"""The demo of document_batch: reads an inbox of fictitious documents, some of them broken on purpose.

One document is of an unknown kind, so a person must classify it.
"""

import asyncio
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from signalbox_client.commands.runs import save_artifacts
from signalbox_client.models import Approval
from signalbox_client.stream_follower import Update
from signalbox_core.errors import Rejected
from signalbox_devstack.demo.scenario import DemoContext, DemoResult, DemoSetup, PendingApproval
from signalbox_devstack.emulators.sample_documents.inbox_files import PaperFile, inbox, long_scan, long_text
from signalbox_pipelines.document_batch.batch_state import WAITING
from signalbox_pipelines.document_batch.contract import BatchResult, DocumentOutcome
from signalbox_pipelines.document_batch.document.contract import KIND

_SEED: Final = 1
_COUNT: Final = 12
_KIND: Final = "other"
_STEP: Final = "process"


class DocumentBatchDemo:
    pipeline = "document_batch"

    def __init__(self) -> None:
        self._rejected: list[str] = []

    def setup(self, environ: Mapping[str, str]) -> DemoSetup:  # noqa: ARG002 - required by the protocol
        return DemoSetup()

    async def prepare(self, context: DemoContext) -> Mapping[str, object]:
        """Write the inbox and upload it. Files that the upload rejects are listed in the result."""
        context.session.print("Writing and uploading an inbox of fictitious documents")
        folder = context.folder / "inbox"
        files = await asyncio.to_thread(_write, folder, is_long=context.environ.get("DEMO_LONG") == "1")
        documents = []
        for file in files:
            try:
                uploaded = await context.session.client.upload(file.body)
            except Rejected as rejected:
                self._rejected.append(f"{file.name}: {rejected.detail}")
                continue
            documents.append({"object": uploaded.object, "name": file.name})
        _warn_without_tesseract(context)
        return {"documents": documents, "wait_for_confirmation": True, "parallel": 4}

    def pending_approvals(self, update: Update) -> Sequence[PendingApproval]:
        """Each document is a child run with its own approval; the batch step has one status letter per
        document.
        """
        states = next((step.items for step in update.snapshot.steps if step.name == _STEP and step.items), "")
        return [
            PendingApproval(run_id=f"{update.snapshot.run_id}.{index:05}", approval_id=KIND.name)
            for index, state in enumerate(states)
            if state == WAITING
        ]

    def answer(self, approval: Approval) -> Mapping[str, object]:  # noqa: ARG002 - required by the protocol
        return {"kind": _KIND}

    async def finish(self, context: DemoContext, run_id: str) -> DemoResult:
        """Save the report, and the text and facts of every document that was read."""
        client = context.session.client
        run = await client.run(run_id)
        result = msgspec.json.decode(await client.result(run_id), type=BatchResult)
        saved = await save_artifacts(context.session, run, run.artifacts, context.folder)
        report = msgspec.json.decode(
            (context.folder / "report.json").read_bytes(), type=list[DocumentOutcome]
        )
        for outcome in report:
            if outcome.status == "ok":
                read = await client.run(outcome.run_id)
                saved += await save_artifacts(
                    context.session,
                    read,
                    read.artifacts,
                    context.folder / "documents" / Path(outcome.name).name,
                )
        return DemoResult(
            title=f"{len(saved)} files",
            paths=tuple(Path(item.path) for item in saved),
            lines=tuple(_lines(result, report, self._rejected)),
        )


def _write(folder: Path, *, is_long: bool) -> list[PaperFile]:
    files = [*inbox(_COUNT, _SEED), long_text(seed=_SEED), *([long_scan(seed=_SEED)] if is_long else [])]
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        (folder / file.name).write_bytes(file.body)
    return files


def _warn_without_tesseract(context: DemoContext) -> None:
    if shutil.which("tesseract") is None:
        context.session.print("Tesseract is not installed: scans and photos will fail with ocr_missing.")


def _lines(result: BatchResult, report: Sequence[DocumentOutcome], rejected: Sequence[str]) -> Iterator[str]:
    yield (
        f"{result.total} documents: {result.ok} ok, {result.failed} failed, "
        f"{result.waiting} waiting for a person"
    )
    for outcome in report:
        if outcome.status == "ok":
            facts = ", ".join(f"{count} {name}" for name, count in outcome.entities.items()) or "no facts"
            ocr = f" ({outcome.ocr_pages} by OCR)" if outcome.ocr_pages else ""
            yield f"  {outcome.name}: {outcome.kind}, {outcome.page_count} pages{ocr}, {facts}"
        else:
            yield f"  {outcome.name}: {outcome.code or outcome.status}: {outcome.message or ''}"
    if rejected:
        yield "rejected at upload:"
        yield from (f"  {line}" for line in rejected)
