"""A batch through the whole stack: upload by command line, worker, stream, question, report."""

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from msgspec import Struct

from signalbox_client import AsyncSignalbox
from signalbox_devstack.emulators.sample_documents.inbox_files import (
    PaperFile,
    good_file,
    long_scan,
    text_file,
    trap_files,
    unclear_file,
)
from support.assertions.eventually import eventually
from support.drivers.journeys import listening, until_asked, until_ended
from support.fakes.documents import needs_tesseract
from support.servers.stack import RunningStack

LONG_PAGES = int(os.environ.get("SIGNALBOX_LONG_PAGES", "16"))
"""Pages of the scan during which the worker is killed; 200 is the full size."""


class ReportedDocument(Struct):
    name: str
    status: str
    run_id: str
    code: str | None = None
    page_count: int = 0


class BatchCounts(Struct):
    total: int
    ok: int
    failed: int
    waiting: int
    first_waiting: tuple[ReportedDocument, ...] = ()


def signalbox(stack: RunningStack, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run the `signalbox` command."""
    environ = {
        "SIGNALBOX_URL": str(stack.endpoints.gateway),
        "SIGNALBOX_API_KEY": stack.endpoints.api_keys["admin"],
    }
    program = str(Path(sys.executable).with_name("signalbox"))
    return subprocess.run(
        [program, *words],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        env={**os.environ, **environ},
    )


def write(folder: Path, files: list[PaperFile]) -> str:
    for file in files:
        (folder / file.name).write_bytes(file.body)
    return f"{folder}/*"


async def report_of(client: AsyncSignalbox, run_id: str) -> dict[str, ReportedDocument]:
    documents = msgspec.json.decode(await client.artifact(run_id, "report.json"), type=list[ReportedDocument])
    return {document.name: document for document in documents}


@needs_tesseract
@pytest.mark.timeout(180)
async def test_a_folder_of_documents_is_read_and_bad_files_are_named(
    stack: RunningStack, client: AsyncSignalbox, tmp_path: Path
) -> None:
    # The gateway rejects unsupported files; these pass it and are rejected by the pipeline.
    traps = [
        trap
        for trap in trap_files()
        if trap.name in {"encrypted.pdf", "truncated.pdf", "bomb.png", "broken-photo.jpg"}
    ]
    pattern = write(tmp_path, [*(good_file(number) for number in range(6)), *traps, unclear_file()])

    done = signalbox(stack, "start", "document_batch", "--file", pattern, "--parallel", "4", "--json")
    assert done.returncode == 0, done.stderr
    run_id = json.loads(done.stdout)["run_id"]
    async with listening(stack, run_id) as listener:
        assert await until_ended(client, run_id, within_s=120) == "completed"
        await eventually(lambda: listener.has_ended)

    result = msgspec.json.decode(await client.result(run_id), type=BatchCounts)
    assert (result.total, result.ok, result.failed, result.waiting) == (11, 6, 4, 1)
    found = await report_of(client, run_id)
    assert {trap.name: found[trap.name].code for trap in traps} == {
        trap.name: trap.fails_with for trap in traps
    }
    assert listener.sequences == list(range(listener.sequences[0], listener.sequences[-1] + 1))
    process = json.loads(msgspec.json.encode(await client.run(run_id)))["steps"][1]
    assert process["status"] == "completed"

    asked = result.first_waiting[0].run_id
    assert asked in {entry.run_id for entry in await client.approvals()}
    approval = await until_asked(client, asked, "kind")
    await client.decide(asked, "kind", {"kind": "letter"}, digest=approval.digest)
    assert await until_ended(client, asked) == "completed"
    assert json.loads(await client.artifact(asked, "result.json"))["classification"]["confirmed_by"]
    assert b"Two boxes" in await client.artifact(asked, "text.txt")


async def test_an_unsupported_file_is_rejected_with_its_name(stack: RunningStack, tmp_path: Path) -> None:
    write(tmp_path, [trap for trap in trap_files() if trap.name == "web-page.pdf"])

    refused = signalbox(stack, "start", "document_batch", "--file", f"{tmp_path}/*.pdf")
    missing = signalbox(stack, "start", "document_batch", "--file", f"{tmp_path}/*.doc")

    assert (refused.returncode, missing.returncode) == (2, 2)
    assert "web-page.pdf: files of type text/html are not supported" in refused.stderr
    assert "no such file" in missing.stderr


async def test_an_upload_of_another_tenant_is_not_found(stack: RunningStack, client: AsyncSignalbox) -> None:
    started = await client.start("document", {"object": "uploads/somebody-else/" + "0" * 64})

    assert await until_ended(client, started.run_id) == "failed"
    error = (await client.run(started.run_id)).error
    assert error is not None
    assert (error.code, error.field) == ("unknown_object", "object")


async def test_all_of_fifty_documents_are_accounted_for(stack: RunningStack, client: AsyncSignalbox) -> None:
    documents = []
    for number in range(50):
        file = text_file(number)
        documents.append({"object": (await client.upload(file.body)).object, "name": file.name})

    started = await client.start("document_batch", {"documents": documents, "parallel": 16})

    assert await until_ended(client, started.run_id, within_s=90) == "completed"
    result = msgspec.json.decode(await client.result(started.run_id), type=BatchCounts)
    assert (result.ok, result.failed, result.waiting) == (50, 0, 0)
    assert len(await report_of(client, started.run_id)) == 50


@needs_tesseract
@pytest.mark.timeout(LONG_PAGES * 12 + 300)
async def test_a_worker_killed_during_a_scan_continues_at_the_next_page(
    stack: RunningStack, client: AsyncSignalbox
) -> None:
    scan = long_scan(pages=LONG_PAGES, seed=4)
    stored = await client.upload(scan.body)
    started = await client.start("document", {"object": stored.object, "name": scan.name})

    def pages() -> dict[str, int]:
        folder = stack.folder / "objects" / "documents"
        return {file.name: file.stat().st_ino for file in folder.glob(f"*/pages/{stored.sha256}/*/*.json")}

    await eventually(lambda: len(pages()) >= LONG_PAGES // 4, within_s=LONG_PAGES * 3 + 60)
    await stack.until_replaced("worker", stack.kill("worker"))
    before = pages()
    assert await until_ended(client, started.run_id, within_s=LONG_PAGES * 6 + 120) == "completed"

    after = pages()
    assert len(after) == LONG_PAGES
    assert {name: after[name] for name in before} == before, "no page was written again"
    assert json.loads(bytes(await client.result(started.run_id)))["ocr_pages"] == LONG_PAGES
