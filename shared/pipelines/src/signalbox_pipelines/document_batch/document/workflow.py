"""The story of one document: fetch, read, classify (asking when in doubt), find facts, store."""

from contextlib import suppress
from datetime import timedelta
from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from msgspec import Struct, structs
    from temporalio.exceptions import ApplicationError, FailureError

    from signalbox_core.objects import ObjectRef
    from signalbox_core.pipeline.contract.failures import failure_of
    from signalbox_core.pipeline.options import CallOptions
    from signalbox_core.pipeline.run import Run
    from signalbox_pipelines.document_batch.document.activities import DocumentActivities
    from signalbox_pipelines.document_batch.document.contract import (
        DOCUMENT,
        KIND,
        Classification,
        DocumentInput,
        DocumentProcessed,
        DocumentResult,
    )
    from signalbox_pipelines.document_batch.document.messages import (
        ClassifyRequest,
        Doubt,
        ExtractRequest,
        FetchRequest,
        FoundEntities,
        KindEvidence,
        KindOption,
        ReadDocument,
        ReadRequest,
        Settled,
        StoredDocument,
        StoredResult,
        StoreRequest,
        Waiting,
    )

FETCH: Final = CallOptions(timeout=timedelta(minutes=2), heartbeat=timedelta(seconds=40), maximum_attempts=4)
READ: Final = CallOptions(timeout=timedelta(hours=1), heartbeat=timedelta(seconds=15), maximum_attempts=8)
THINK: Final = CallOptions(timeout=timedelta(minutes=2), heartbeat=timedelta(seconds=60), maximum_attempts=4)
KEEP: Final = CallOptions(timeout=timedelta(minutes=1), maximum_attempts=6)


@workflow.defn(name="document")
class Document:
    @workflow.init
    def __init__(self, request: DocumentInput) -> None:
        self.signalbox = Run(DOCUMENT)
        self.request = request
        self.has_asked = False

    @workflow.run
    async def run(self, request: DocumentInput) -> DocumentResult:
        async with self.signalbox as run:
            run.on_cancel(self._tell_cancelled)
            try:
                result = await self._process()
            except FailureError as error:
                await self._tell_failed(error)
                raise
            await self._tell(Settled(run_id=run.run_id, result=result))
            return result

    async def _process(self) -> DocumentResult:
        run, request = self.signalbox, self.request
        async with run.step("fetch") as step:
            ask = FetchRequest(tenant=run.tenant, url=request.url, object=request.object, name=request.name)
            document = await step.call(DocumentActivities.fetch_document, ask, FETCH)
            step.say(f"{document.media_type}, {document.size_bytes:,} bytes")
        async with run.step("read") as step:
            pages = ReadRequest(
                tenant=run.tenant,
                document=document,
                languages=request.languages,
                engine=request.engine,
                pictures=request.pictures,
            )
            read = await step.call(DocumentActivities.ocr_pages, pages, READ)
            self._show_pages(document, read)
            step.say(f"{read.page_count} pages, {read.ocr_pages} by OCR, {read.chars:,} characters")
        async with run.step("classify") as step:
            doubt = await step.call(DocumentActivities.classify, ClassifyRequest(text_key=read.key), THINK)
            classification = await self._confirmed(document, read, doubt)
            step.say(
                f"{classification.kind}, {classification.confirmed_by or f'margin {classification.margin:.2f}'}"
            )
        async with run.step("extract") as step:
            facts = ExtractRequest(
                tenant=run.tenant,
                text_key=read.key,
                text_sha256=read.text_sha256,
                languages=request.languages,
                document=document,
            )
            found = await step.call(DocumentActivities.extract_entities, facts, THINK)
            step.say(f"{sum(found.counts.values())} facts, {found.invalid} do not stand their check")
        async with run.step("store") as step:
            whole = StoreRequest(
                tenant=run.tenant, document=document, read=read, classification=classification, entities=found
            )
            stored = await step.call(DocumentActivities.store_result, whole, KEEP)
        return self._publish(whole, stored)

    def _show_pages(self, document: StoredDocument, read: ReadDocument) -> None:
        """Before anybody is asked: who says what a document is looks at it."""
        for picture in read.pictures:
            ref = ObjectRef(key=picture.key, media_type=picture.media_type, size_bytes=picture.size_bytes)
            self.signalbox.artifact(picture.name, ref, title=f"{document.name}: page {picture.page}")

    async def _confirmed(self, document: StoredDocument, read: ReadDocument, doubt: Doubt) -> Classification:
        """A person's word where the rules are in doubt."""
        found = doubt.classification
        if found.is_sure:
            return found
        self.has_asked = True
        await self._signal_batch("document_waiting", Waiting(run_id=self.signalbox.run_id))
        answer = await self.signalbox.ask(
            KIND,
            options=[KindOption(kind=kind, score=score) for kind, score in found.scores.items()],
            evidence=KindEvidence(
                name=document.name,
                page_count=read.page_count,
                cues=found.cues,
                margin=found.margin,
                beginning=doubt.beginning,
            ),
        )
        record = self.signalbox.state.approvals.get(KIND.name).record
        return structs.replace(found, kind=answer.kind, confirmed_by=record.decided_by if record else None)

    def _publish(self, whole: StoreRequest, stored: StoredResult) -> DocumentResult:
        run, document, read, found = self.signalbox, whole.document, whole.read, whole.entities
        as_json = ObjectRef(
            key=stored.result_key, media_type="application/json", size_bytes=stored.result_bytes
        )
        run.artifact("result.json", as_json, title=f"{document.name}: facts, pages, reasons")
        as_text = ObjectRef(
            key=stored.text_key, media_type="text/plain; charset=utf-8", size_bytes=stored.text_bytes
        )
        run.artifact("text.txt", as_text, title=f"{document.name}: text")
        run.emit("document.processed", processed(whole, stored))
        return DocumentResult(
            name=document.name,
            sha256=document.sha256,
            media_type=document.media_type,
            size_bytes=document.size_bytes,
            page_count=read.page_count,
            ocr_pages=read.ocr_pages,
            chars=read.chars,
            mean_confidence=read.mean_confidence,
            kind=whole.classification.kind,
            margin=whole.classification.margin,
            confirmed_by=whole.classification.confirmed_by,
            entities=found.counts,
            invalid_entities=found.invalid,
            result=stored.result_key,
            text=stored.text_key,
        )

    async def _tell_failed(self, error: FailureError) -> None:
        if workflow.cancellation_reason() is None:
            await self._tell(Settled(run_id=self.signalbox.run_id, failure=failure_of(error)))

    async def _tell_cancelled(self) -> None:
        await self._tell(Settled(run_id=self.signalbox.run_id, is_cancelled=True))

    async def _tell(self, settled: Settled) -> None:
        """To a batch that went on while a person was asked; otherwise it awaits this run's own end."""
        if self.has_asked:
            await self._signal_batch("document_settled", settled)

    async def _signal_batch(self, name: str, told: Struct) -> None:
        batch = workflow.info().parent
        if batch is None:
            return
        with suppress(ApplicationError):  # the batch has ended, which it may
            await workflow.get_external_workflow_handle(batch.workflow_id).signal(name, told)


def processed(whole: StoreRequest, stored: StoredResult) -> DocumentProcessed:
    found: FoundEntities = whole.entities
    return DocumentProcessed(
        document=whole.document.name,
        sha256=whole.document.sha256,
        kind=whole.classification.kind,
        confirmed_by=whole.classification.confirmed_by,
        page_count=whole.read.page_count,
        ocr_pages=whole.read.ocr_pages,
        entities=found.counts,
        result=stored.result_key,
        text=stored.text_key,
    )
