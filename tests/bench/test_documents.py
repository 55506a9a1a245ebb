"""Reading documents against the libraries themselves, and a batch's cost as it grows. CPU time, arms
interleaved in one run."""

import io
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from statistics import median

import msgspec
import pypdfium2 as pdfium
import pytest

from signalbox_client import AsyncSignalbox
from signalbox_core.process.cpu_pool import small_pool
from signalbox_core.testing.objects import FakeObjectStore
from signalbox_devstack.emulators.sample_documents.ground_truth import write_paper
from signalbox_devstack.emulators.sample_documents.inbox_files import long_text, text_file
from signalbox_devstack.emulators.sample_documents.renderers import pictures, scan_pdf
from signalbox_pipelines.document_batch.contract import BatchResult
from signalbox_pipelines.document_batch.document.ocr.tesseract import Tesseract
from signalbox_pipelines.document_batch.document.read.formats import open_pages
from signalbox_pipelines.document_batch.document.read.open_document import open_document
from signalbox_pipelines.document_batch.document.read.reader import PageReader
from support.drivers.journeys import until_ended
from support.fakes.documents import needs_tesseract
from support.process_cpu import cpu_s
from support.servers.stack import RunningStack, running_stack

ROUNDS = 7
OCR_ROUNDS = 4
SIZES = tuple(int(size) for size in os.environ.get("SIGNALBOX_BENCH_DOCUMENTS", "10,100,1000").split(","))


def cpu() -> float:
    """Seconds of this process and of its children that ended."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


async def ours(body: bytes, tesseract: Tesseract) -> float:
    began = cpu()
    pages = await open_document(small_pool(), body, "application/pdf", "bench.pdf")
    reader = PageReader(FakeObjectStore(), tesseract, "pages", languages=("vi", "en"), engine="auto")
    await reader.read_all(pages, lambda *_: None)
    return cpu() - began


def bare_text_layer(body: bytes) -> float:
    began = cpu()
    document = pdfium.PdfDocument(body)
    for page in document:
        textpage = page.get_textpage()
        textpage.get_text_range()
        textpage.close()
        page.close()
    document.close()
    return cpu() - began


def bare_tesseract(png: bytes) -> float:
    began = cpu()
    for languages in ("vie+eng", "eng"):
        command = ["tesseract", "stdin", "stdout", "-l", languages, "--psm", "1", "--dpi", "200"]
        subprocess.run(
            command, input=png, capture_output=True, check=True, env={**os.environ, "OMP_THREAD_LIMIT": "1"}
        )
    return cpu() - began


async def test_a_text_layer_costs_little_more_than_pdfium_itself() -> None:
    body, tesseract = long_text().body, Tesseract()
    costs: dict[str, list[float]] = {"ours": [], "bare": []}
    for turn in range(ROUNDS + 1):
        for name in ("ours", "bare") if turn % 2 else ("bare", "ours"):
            took = await ours(body, tesseract) if name == "ours" else bare_text_layer(body)
            if turn:  # the first warms up
                costs[name].append(1_000 * took / 200)
    ratio = median(one / other for one, other in zip(costs["ours"], costs["bare"], strict=True))
    mine, bare = median(costs["ours"]), median(costs["bare"])
    sys.stdout.write(
        f"\ntext layer, ms CPU a page: ours {mine:.2f}, bare pypdfium2 {bare:.2f}, ratio {ratio:.2f}\n"
    )
    assert ratio <= 1.3


@needs_tesseract
@pytest.mark.timeout(900)
async def test_ocr_costs_little_more_than_tesseract_itself() -> None:
    """The peer is given the picture, and reads it twice as well; ours draws it from the PDF first."""
    paper = write_paper(1, 7)
    picture = io.BytesIO()
    pictures(scan_pdf([paper], 7))[0].save(picture, "PNG")
    png, body, tesseract = picture.getvalue(), scan_pdf([paper], 7), Tesseract()
    costs: dict[str, list[float]] = {"ours": [], "bare": []}
    for turn in range(OCR_ROUNDS + 1):
        for name in ("ours", "bare") if turn % 2 else ("bare", "ours"):
            took = await ours(body, tesseract) if name == "ours" else bare_tesseract(png)
            if turn:
                costs[name].append(took)
    ratio = sum(costs["ours"]) / sum(costs["bare"])
    mine, bare, drawing = median(costs["ours"]), median(costs["bare"]), draw_cost(body)
    sys.stdout.write(
        f"\nOCR, CPU s a page: ours {mine:.2f} ({drawing:.2f} to draw); bare {bare:.2f}; ratio {ratio:.2f}\n"
    )
    assert ratio <= 1.15


def draw_cost(body: bytes) -> float:
    began = time.process_time()
    pages = open_pages(body, "application/pdf", "bench.pdf")
    pages.ocr_image(0)
    pages.close()
    return time.process_time() - began


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with running_stack(tmp_path_factory.mktemp("stack"), "--only", "gateway,receiver,worker") as started:
        yield started


def cpu_of(stack: RunningStack) -> float:
    """Seconds of all parts of the stack so far."""
    return cpu_s(stack.endpoints.pids.values())


async def batch(
    client: AsyncSignalbox, stack: RunningStack, documents: list[dict[str, str]]
) -> tuple[float, float]:
    """CPU seconds of the whole stack and seconds, a document."""
    spent, began = cpu_of(stack), time.monotonic()
    started = await client.start("document_batch", {"documents": documents, "parallel": 16})
    assert await until_ended(client, started.run_id, within_s=1_500) == "completed"
    result = msgspec.json.decode(await client.result(started.run_id), type=BatchResult)
    assert (result.ok, result.failed, result.waiting) == (len(documents), 0, 0)
    return (cpu_of(stack) - spent) / len(documents), (time.monotonic() - began) / len(documents)


@pytest.mark.timeout(1800)
async def test_a_document_costs_the_same_in_a_batch_of_any_size(stack: RunningStack) -> None:
    async with stack.client() as client:
        bodies = [text_file(number, 3) for number in range(max(SIZES))]
        documents = [
            {"object": (await client.upload(file.body)).object, "name": file.name} for file in bodies
        ]
        await batch(client, stack, documents[: SIZES[0]])  # warms up
        costs = {size: await batch(client, stack, documents[:size]) for size in SIZES}
    told = ", ".join(f"{size:,}: {spent:.3f} ({took:.3f})" for size, (spent, took) in costs.items())
    ratio = costs[SIZES[-1]][0] / costs[SIZES[0]][0]
    sys.stdout.write(f"\nCPU s of the stack a document (seconds): {told}; ratio {ratio:.2f}\n")
    assert ratio <= 1.2
