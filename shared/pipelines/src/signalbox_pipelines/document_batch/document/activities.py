"""The work on one document. Each activity can be repeated: what it keeps is kept create-only under keys derived from content."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable

import msgspec
from msgspec import structs
from temporalio import activity

from signalbox_core.objects import ObjectStore
from signalbox_core.pipeline.activity import progress
from signalbox_core.pipeline.deps import ActivityDeps
from signalbox_pipelines.document_batch.document.classify import classifier, cues
from signalbox_pipelines.document_batch.document.extract import entities
from signalbox_pipelines.document_batch.document.extract.positions import located
from signalbox_pipelines.document_batch.document.messages import (
    ClassifyRequest,
    Doubt,
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
from signalbox_pipelines.document_batch.document.ocr.engines import Engines
from signalbox_pipelines.document_batch.document.ocr.recognition import Recogniser
from signalbox_pipelines.document_batch.document.read import reader as reading
from signalbox_pipelines.document_batch.document.read.fetch import fetch_document, tenant_folder
from signalbox_pipelines.document_batch.document.read.previews import draw_pages

VERSION = f"r{reading.VERSION}-c{cues.VERSION}-e{entities.VERSION}"
"""Raised with any of the rules, so that a changed rule writes another result."""
_BEAT_S = 5.0
_BEGINNING_CHARS = 1_200


class DocumentActivities:
    """The pipeline's activities, given what they may use."""

    def __init__(self, deps: ActivityDeps, recogniser: Recogniser | None = None) -> None:
        self._objects = deps.objects
        self._fetcher = deps.fetcher
        self._engines = Engines()
        self._recogniser = recogniser

    @activity.defn(name="document.fetch_document")
    async def fetch_document(self, request: FetchRequest) -> StoredDocument:
        """Get the bytes. Idempotent by content: the same bytes are stored once."""
        return await fetch_document(self._fetcher, self._objects, request)

    @activity.defn(name="document.ocr_pages")
    async def ocr_pages(self, request: ReadRequest) -> ReadDocument:
        """Read the pages. Idempotent by (document, page, engine, languages): another attempt goes on at the first page not stored."""
        document = request.document
        folder = tenant_folder(request.tenant)
        recogniser = self._recogniser or self._engines.choose(request.engine)
        reader = reading.Reader(
            self._objects,
            recogniser,
            f"{folder}/pages/{document.sha256}",
            languages=request.languages,
            engine=request.engine,
        )
        told = _Told(document.name)
        async with _beating(told.again):
            body = await self._objects.get(document.key)
            pages = await asyncio.to_thread(reading.open_pages, body, document.media_type, document.name)
            try:
                found = await reader.read_all(pages, told.page)
                prefix = f"{folder}/pictures/{document.sha256}"
                pictures = (
                    await draw_pages(self._objects, pages, prefix, told.picture) if request.pictures else ()
                )
            finally:
                await asyncio.to_thread(pages.close)
        return structs.replace(await self._stored(folder, found), pictures=pictures)

    @activity.defn(name="document.classify")
    async def classify(self, request: ClassifyRequest) -> Doubt:
        """Say what it is. Idempotent: pure over the stored text."""
        pages = await _pages(self._objects, request.text_key)
        found = await asyncio.to_thread(classifier.classify, pages)
        beginning = next((page.text for page in pages if page.text), "")[:_BEGINNING_CHARS]
        return Doubt(classification=found, beginning=beginning)

    @activity.defn(name="document.extract_entities")
    async def extract_entities(self, request: ExtractRequest) -> FoundEntities:
        """Find the facts and where they stand. Idempotent by (document, text, languages, rules version)."""
        pages = await _pages(self._objects, request.text_key)
        found: list[Entity] = []
        for done, page in enumerate(pages, start=1):
            found += await asyncio.to_thread(entities.find_entities, page, request.languages)
            progress(done, of=len(pages), message=f"{len(found)} facts on {done} pages")
        if request.document is not None:
            found = await located(self._objects, request.document, pages, found)
        rules = f"e{entities.VERSION}-{'+'.join(request.languages)}"
        # The same text can stand elsewhere in another document.
        place = f"{request.text_sha256}/{request.document.sha256 if request.document else 'anywhere'}"
        key = f"{tenant_folder(request.tenant)}/entities/{place}/{rules}.json"
        await self._objects.put_new(key, msgspec.json.encode(found), "application/json")
        counts: dict[str, int] = {
            kind: sum(entity.type == kind for entity in found) for kind, _ in entities.FINDERS
        }
        shown = {kind: count for kind, count in counts.items() if count}
        return FoundEntities(key=key, counts=shown, invalid=sum(not entity.valid for entity in found))

    @activity.defn(name="document.store_result")
    async def store_result(self, request: StoreRequest) -> StoredResult:
        """Write the JSON and the searchable text. Idempotent: the key is a digest of everything the files say."""
        pages = await _pages(self._objects, request.read.key)
        facts = msgspec.json.decode(await self._objects.get(request.entities.key), type=tuple[Entity, ...])
        file = ResultFile(
            document=request.document,
            read=request.read,
            classification=request.classification,
            entities=facts,
            pages=tuple(structs.replace(page, words=()) for page in pages),
            version=VERSION,
        )
        body = msgspec.json.format(msgspec.json.encode(file), indent=1)
        place = f"{tenant_folder(request.tenant)}/results/{request.document.sha256}/{hashlib.sha256(body).hexdigest()[:24]}"
        result = await self._objects.put_new(f"{place}.json", body, "application/json")
        text = await self._objects.put_new(f"{place}.txt", _searchable(pages), "text/plain; charset=utf-8")
        return StoredResult(
            result_key=result.key,
            result_bytes=result.size_bytes,
            text_key=text.key,
            text_bytes=text.size_bytes,
        )

    async def _stored(self, folder: str, pages: list[PageText]) -> ReadDocument:
        digest = reading.digest_of(pages)
        ref = await self._objects.put_new(
            f"{folder}/text/{digest}.json", msgspec.json.encode(pages), "application/json"
        )
        return ReadDocument(
            key=ref.key,
            text_sha256=digest,
            page_count=len(pages),
            ocr_pages=sum(page.confidence is not None for page in pages),
            chars=sum(len(page.text) for page in pages),
            mean_confidence=reading.mean_confidence(pages),
        )


class _Told:
    """What was last said of the pages; repeated as a heartbeat while one page takes long."""

    def __init__(self, name: str) -> None:
        self._done, self._of, self._message = 0, 0, f"opening {name}"

    def page(self, done: int, of: int, page: PageText) -> None:
        sure = f", {page.confidence:.0f} % confidence" if page.confidence is not None else ""
        self._done, self._of, self._message = done, of, f"page {done} of {of}, {page.read_by}{sure}"
        self.again()

    def picture(self, done: int, of: int) -> None:
        self._message = f"picture {done} of {of}"
        self.again()

    def again(self) -> None:
        progress(self._done, of=self._of or None, message=self._message)


@contextlib.asynccontextmanager
async def _beating(beat: Callable[[], None]) -> AsyncIterator[None]:
    async def keep_on() -> None:
        while True:
            beat()
            await asyncio.sleep(_BEAT_S)

    task = asyncio.create_task(keep_on(), name="heartbeat of ocr_pages")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _pages(objects: ObjectStore, key: str) -> list[PageText]:
    return msgspec.json.decode(await objects.get(key), type=list[PageText])


def _searchable(pages: list[PageText]) -> bytes:
    """A form feed between pages, as `pdftotext` does."""
    return "\f".join(page.text for page in pages).encode()
