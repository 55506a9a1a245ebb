"""The activities of one document.

All are idempotent: results are stored create-only under keys derived from content.
"""

import contextlib
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any, Final, TypeVar

import msgspec
from msgspec import structs
from temporalio import activity

from signalbox_core.pipeline.activity import current_tenant, heartbeating, progress
from signalbox_core.pipeline.deps import ActivityDeps
from signalbox_core.process.fair_queue import FairQueue
from signalbox_pipelines.document_batch.document.classify import classifier, cues
from signalbox_pipelines.document_batch.document.contract import Cue
from signalbox_pipelines.document_batch.document.extract import entities
from signalbox_pipelines.document_batch.document.extract.data_facts import (
    facts_of,
    is_not_shown,
    unplaced_entity,
)
from signalbox_pipelines.document_batch.document.extract.positions import locate_entities
from signalbox_pipelines.document_batch.document.extract.window import find_in_window
from signalbox_pipelines.document_batch.document.messages import (
    ClassifiedText,
    ClassifyRequest,
    Entity,
    ExtractRequest,
    FetchRequest,
    FoundEntities,
    PageText,
    ReadDocument,
    ReadRequest,
    ResultFile,
    StoredDocument,
    StoredResult,
    StoreRequest,
)
from signalbox_pipelines.document_batch.document.ocr.engine import OcrEngine
from signalbox_pipelines.document_batch.document.ocr.selection import OcrEngines
from signalbox_pipelines.document_batch.document.read import reader
from signalbox_pipelines.document_batch.document.read.fetch import fetch_document, tenant_folder
from signalbox_pipelines.document_batch.document.read.open_document import open_document
from signalbox_pipelines.document_batch.document.read.previews import render_previews
from signalbox_pipelines.document_batch.document.structured.model import EInvoice

VERSION = f"r{reader.VERSION}-c{cues.VERSION}-e{entities.VERSION}"
"""Written into the result, so that a changed rule produces a new file."""
R = TypeVar("R")
_ANALYSE_WITHIN: Final = timedelta(seconds=30)
_LARGE_BYTES: Final = 5_000_000
_BEGINNING_CHARS = 1_200


class DocumentActivities:
    """The pipeline's activities.

    Args:
        ocr_engine: used instead of the engine that a request names, for tests.
    """

    def __init__(self, deps: ActivityDeps, ocr_engine: OcrEngine | None = None) -> None:
        self._objects = deps.objects
        self._fetcher = deps.fetcher
        self._cpu = deps.cpu
        # Of large documents few are in memory at the same time.
        self._large = FairQueue(max(2, os.cpu_count() or 1), max_waiting=1_000)
        self._ocr_engines = OcrEngines()
        self._ocr_engine = ocr_engine

    @activity.defn(name="document.fetch_document")
    async def fetch_document(self, request: FetchRequest) -> StoredDocument:
        """Fetch the document. Idempotent by content: the same bytes are stored once."""
        return await fetch_document(self._fetcher, self._objects, request)

    @activity.defn(name="document.ocr_pages")
    async def ocr_pages(self, request: ReadRequest) -> ReadDocument:
        """Read the pages and draw the previews.

        Idempotent by (document, page, engine, languages): a retry continues at the first page not stored.
        """
        document = request.document
        folder = tenant_folder(request.tenant)
        page_reader = reader.PageReader(
            self._objects,
            self._ocr_engine or self._ocr_engines.select(request.engine),
            f"{folder}/pages/{document.sha256}",
            languages=request.languages,
            engine=request.engine,
        )
        report = _ProgressReport(document.name)
        report.send()
        async with heartbeating(report.send), self._memory_for(document):
            body = await self._objects.get(document.key)
            pages = await open_document(self._cpu, body, document.media_type, document.name)
            structured = await pages.structured_data()
            texts = await page_reader.read_all(pages, report.page_read)
            prefix = f"{folder}/pictures/{document.sha256}"
            previews = (
                await render_previews(self._objects, pages, prefix, report.preview_drawn)
                if request.pictures
                else ()
            )
        read = structs.replace(await self._store_text(folder, texts), pictures=previews)
        return structs.replace(
            read,
            structured=await self._store_invoice(folder, structured.invoice),
            structured_problem=structured.problem,
        )

    @activity.defn(name="document.classify")
    async def classify(self, request: ClassifyRequest) -> ClassifiedText:
        """Classify the document. Idempotent: depends on the stored text only."""
        pages_json = await self._objects.get(request.text_key)
        invoice = await self._load_invoice(request.structured)
        async with heartbeating(lambda: progress(0, message="classifying the text")):
            classified = await self._compute(classify_text, pages_json)
        return classified if invoice is None else with_stated_kind(classified, invoice)

    @activity.defn(name="document.extract_entities")
    async def extract_entities(self, request: ExtractRequest) -> FoundEntities:
        """Find the facts and their positions. Idempotent by (document, text, languages, rules version)."""
        found = await self._find_all(request)
        rules = f"e{entities.VERSION}-{'+'.join(request.languages)}"
        # The document is part of the key, since the same text can have other positions in another document.
        source = f"{request.text_sha256}/{request.document.sha256 if request.document else 'anywhere'}"
        key = f"{tenant_folder(request.tenant)}/entities/{source}/{rules}.json"
        await self._objects.put_new(key, msgspec.json.encode(found), "application/json")
        counts: dict[str, int] = {
            kind: sum(entity.type == kind for entity in found) for kind, _ in entities.FINDERS
        }
        shown = {kind: count for kind, count in counts.items() if count}
        return FoundEntities(
            key=key,
            counts=shown,
            invalid=sum(not entity.valid for entity in found),
            from_data=sum(entity.source == "data" for entity in found),
            not_shown=sum(map(is_not_shown, found)),
        )

    @activity.defn(name="document.store_result")
    async def store_result(self, request: StoreRequest) -> StoredResult:
        """Write the JSON and the searchable text. Idempotent: the key is a digest of the content."""
        pages_json = await self._objects.get(request.read.key)
        entities_json = await self._objects.get(request.entities.key)
        invoice = await self._load_invoice(request.read.structured)
        body, plain_text = await self._compute(compose_result, request, pages_json, entities_json, invoice)
        digest = hashlib.sha256(body).hexdigest()[:24]
        prefix = f"{tenant_folder(request.tenant)}/results/{request.document.sha256}/{digest}"
        result = await self._objects.put_new(f"{prefix}.json", body, "application/json")
        text = await self._objects.put_new(f"{prefix}.txt", plain_text, "text/plain; charset=utf-8")
        return StoredResult(
            result_key=result.key,
            result_bytes=result.size_bytes,
            text_key=text.key,
            text_bytes=text.size_bytes,
        )

    async def _find_all(self, request: ExtractRequest) -> list[Entity]:
        pages_json = await self._objects.get(request.text_key)
        invoice = await self._load_invoice(request.structured)
        unplaced, source = (facts_of(invoice), invoice.source) if invoice else ([], "")
        found: list[Entity] = []
        layer_pages: list[int] = []
        done, total, has_text = 0, 1, False

        def report() -> None:
            progress(done, of=total, message=f"{len(found)} facts on {done} pages")

        async with heartbeating(report):
            while done < total:
                window = await self._compute(
                    find_in_window, pages_json, done, request.languages, unplaced, source
                )
                found += window.entities
                layer_pages += window.layer_pages
                unplaced, has_text = window.unplaced, has_text or window.has_text
                done, total = window.stop, window.page_count
                report()
            found += [unplaced_entity(fact, source, has_text=has_text) for fact in unplaced]
            if request.document is None:
                return found
            return await locate_entities(self._objects, self._cpu, request.document, layer_pages, found)

    @contextlib.asynccontextmanager
    async def _memory_for(self, document: StoredDocument) -> AsyncIterator[None]:
        if document.size_bytes <= _LARGE_BYTES:
            yield
            return
        async with self._large.permit(current_tenant()):
            yield

    async def _compute(self, work: Callable[..., R], *arguments: Any) -> R:
        return await self._cpu.run(
            work, *arguments, tenant=current_tenant(), within=_ANALYSE_WITHIN, subject="text"
        )

    async def _store_invoice(self, folder: str, invoice: EInvoice | None) -> str | None:
        if invoice is None:
            return None
        body = msgspec.json.encode(invoice)
        key = f"{folder}/structured/{hashlib.sha256(body).hexdigest()}.json"
        return (await self._objects.put_new(key, body, "application/json")).key

    async def _load_invoice(self, key: str | None) -> EInvoice | None:
        if key is None:
            return None
        return msgspec.json.decode(await self._objects.get(key), type=EInvoice)

    async def _store_text(self, folder: str, pages: list[PageText]) -> ReadDocument:
        digest = reader.pages_digest(pages)
        ref = await self._objects.put_new(
            f"{folder}/text/{digest}.json", msgspec.json.encode(pages), "application/json"
        )
        return ReadDocument(
            key=ref.key,
            text_sha256=digest,
            page_count=len(pages),
            ocr_pages=sum(page.confidence is not None for page in pages),
            chars=sum(len(page.text) for page in pages),
            mean_confidence=reader.mean_confidence(pages),
            unread_pages=sum(page.unread is not None for page in pages),
        )


class _ProgressReport:
    """The latest progress, sent again as a heartbeat while one page takes long."""

    def __init__(self, name: str) -> None:
        self._done, self._total, self._message = 0, 0, f"opening {name}"

    def page_read(self, done: int, total: int, page: PageText) -> None:
        confidence = f", {page.confidence:.0f} % confidence" if page.confidence is not None else ""
        self._done, self._total = done, total
        self._message = f"page {done} of {total}, {page.read_by}{confidence}"
        self.send()

    def preview_drawn(self, done: int, total: int) -> None:
        self._message = f"picture {done} of {total}"
        self.send()

    def send(self) -> None:
        progress(self._done, of=self._total or None, message=self._message)


def classify_text(pages_json: bytes) -> ClassifiedText:
    """Classify a stored text, a JSON list of PageText."""
    pages = msgspec.json.decode(pages_json, type=list[PageText])
    beginning = next((page.text for page in pages if page.text), "")[:_BEGINNING_CHARS]
    return ClassifiedText(classification=classifier.classify(pages), beginning=beginning)


def with_stated_kind(classified: ClassifiedText, invoice: EInvoice) -> ClassifiedText:
    """Return the classification with the kind that the document states as data, which is certain."""
    code = f", type code {invoice.type_code}" if invoice.type_code else ""
    cue = Cue(phrase=f"{invoice.syntax} data in {invoice.source}{code}", kind=invoice.kind, weight=10, page=1)
    found = classified.classification
    stated = structs.replace(found, kind=invoice.kind, margin=1.0, cues=(cue, *found.cues), is_sure=True)
    return structs.replace(classified, classification=stated)


def compose_result(
    request: StoreRequest, pages_json: bytes, entities_json: bytes, invoice: EInvoice | None = None
) -> tuple[bytes, bytes]:
    """Return the result as JSON, and the plain text."""
    pages = msgspec.json.decode(pages_json, type=list[PageText])
    file = ResultFile(
        document=request.document,
        read=request.read,
        classification=request.classification,
        entities=msgspec.json.decode(entities_json, type=tuple[Entity, ...]),
        pages=tuple(structs.replace(page, words=()) for page in pages),
        version=VERSION,
        structured=invoice,
    )
    return msgspec.json.format(msgspec.json.encode(file), indent=1), _plain_text(pages)


def _plain_text(pages: list[PageText]) -> bytes:
    """Join the pages with form feeds, as `pdftotext` does."""
    return "\f".join(page.text for page in pages).encode()
