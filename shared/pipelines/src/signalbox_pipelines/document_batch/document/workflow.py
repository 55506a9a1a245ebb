"""The workflow of one document: fetch, read, classify (asking a person when unsure), extract, store."""

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
        ClassifiedText,
        ClassifyRequest,
        DocumentEnded,
        DocumentWaiting,
        ExtractRequest,
        FetchRequest,
        FoundEntities,
        KindEvidence,
        KindOption,
        ReadDocument,
        ReadRequest,
        StoredDocument,
        StoredResult,
        StoreRequest,
    )

FETCH: Final = CallOptions(timeout=timedelta(minutes=2), heartbeat=timedelta(seconds=40), maximum_attempts=4)
READ: Final = CallOptions(timeout=timedelta(hours=1), heartbeat=timedelta(seconds=15), maximum_attempts=8)
ANALYSE: Final = CallOptions(
    timeout=timedelta(minutes=2), heartbeat=timedelta(seconds=60), maximum_attempts=4
)
STORE: Final = CallOptions(timeout=timedelta(minutes=1), maximum_attempts=6)


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
            run.on_cancel(self._notify_cancelled)
            try:
                result = await self._process()
            except FailureError as error:
                await self._notify_failed(error)
                raise
            await self._notify_batch(DocumentEnded(run_id=run.run_id, result=result))
            return result

    async def _process(self) -> DocumentResult:
        run, request = self.signalbox, self.request
        async with run.step("fetch") as step:
            fetch = FetchRequest(tenant=run.tenant, url=request.url, object=request.object, name=request.name)
            document = await step.call(DocumentActivities.fetch_document, fetch, FETCH)
            step.say(f"{document.media_type}, {document.size_bytes:,} bytes")
        async with run.step("read") as step:
            read_request = ReadRequest(
                tenant=run.tenant,
                document=document,
                languages=request.languages,
                engine=request.engine,
                pictures=request.pictures,
            )
            read = await step.call(DocumentActivities.ocr_pages, read_request, READ)
            self._publish_previews(document, read)
            unread = f", {read.unread_pages} with a picture not read" if read.unread_pages else ""
            data = ", an electronic invoice" if read.structured else ""
            step.say(
                f"{read.page_count} pages, {read.ocr_pages} by OCR, {read.chars:,} characters{data}{unread}"
            )
        async with run.step("classify") as step:
            classify = ClassifyRequest(text_key=read.key, structured=read.structured)
            classified = await step.call(DocumentActivities.classify, classify, ANALYSE)
            classification = await self._confirm_kind(document, read, classified)
            reason = classification.confirmed_by or f"margin {classification.margin:.2f}"
            step.say(f"{classification.kind}, {reason}")
        async with run.step("extract") as step:
            extract = ExtractRequest(
                tenant=run.tenant,
                text_key=read.key,
                text_sha256=read.text_sha256,
                languages=request.languages,
                document=document,
                structured=read.structured,
            )
            found = await step.call(DocumentActivities.extract_entities, extract, ANALYSE)
            step.say(facts_summary(found))
        async with run.step("store") as step:
            store_request = StoreRequest(
                tenant=run.tenant, document=document, read=read, classification=classification, entities=found
            )
            stored = await step.call(DocumentActivities.store_result, store_request, STORE)
        return self._publish(store_request, stored)

    def _publish_previews(self, document: StoredDocument, read: ReadDocument) -> None:
        """Publish the previews before a person is asked, who needs them to answer."""
        for preview in read.pictures:
            ref = ObjectRef(key=preview.key, media_type=preview.media_type, size_bytes=preview.size_bytes)
            self.signalbox.artifact(preview.name, ref, title=f"{document.name}: page {preview.page}")

    async def _confirm_kind(
        self, document: StoredDocument, read: ReadDocument, classified: ClassifiedText
    ) -> Classification:
        """Ask a person when the classification is unsure."""
        found = classified.classification
        if found.is_sure:
            return found
        self.has_asked = True
        await self._signal_batch("document_waiting", DocumentWaiting(run_id=self.signalbox.run_id))
        answer = await self.signalbox.ask(
            KIND,
            options=[KindOption(kind=kind, score=score) for kind, score in found.scores.items()],
            evidence=KindEvidence(
                name=document.name,
                page_count=read.page_count,
                cues=found.cues,
                margin=found.margin,
                beginning=classified.beginning,
            ),
        )
        record = self.signalbox.state.approvals.get(KIND.name).record
        return structs.replace(found, kind=answer.kind, confirmed_by=record.decided_by if record else None)

    def _publish(self, store_request: StoreRequest, stored: StoredResult) -> DocumentResult:
        run, document, read, found = (
            self.signalbox,
            store_request.document,
            store_request.read,
            store_request.entities,
        )
        result_file = ObjectRef(
            key=stored.result_key, media_type="application/json", size_bytes=stored.result_bytes
        )
        run.artifact("result.json", result_file, title=f"{document.name}: facts, pages, reasons")
        text_file = ObjectRef(
            key=stored.text_key, media_type="text/plain; charset=utf-8", size_bytes=stored.text_bytes
        )
        run.artifact("text.txt", text_file, title=f"{document.name}: text")
        run.emit("document.processed", processed_event(store_request, stored))
        return DocumentResult(
            name=document.name,
            sha256=document.sha256,
            media_type=document.media_type,
            size_bytes=document.size_bytes,
            page_count=read.page_count,
            ocr_pages=read.ocr_pages,
            chars=read.chars,
            mean_confidence=read.mean_confidence,
            kind=store_request.classification.kind,
            margin=store_request.classification.margin,
            confirmed_by=store_request.classification.confirmed_by,
            entities=found.counts,
            invalid_entities=found.invalid,
            result=stored.result_key,
            text=stored.text_key,
        )

    async def _notify_failed(self, error: FailureError) -> None:
        if workflow.cancellation_reason() is None:
            await self._notify_batch(DocumentEnded(run_id=self.signalbox.run_id, failure=failure_of(error)))

    async def _notify_cancelled(self) -> None:
        await self._notify_batch(DocumentEnded(run_id=self.signalbox.run_id, is_cancelled=True))

    async def _notify_batch(self, ended: DocumentEnded) -> None:
        """Signal the end to a batch that stopped awaiting this run when a person was asked."""
        if self.has_asked:
            await self._signal_batch("document_settled", ended)

    async def _signal_batch(self, name: str, message: Struct) -> None:
        batch = workflow.info().parent
        if batch is None:
            return
        with suppress(ApplicationError):  # the batch may have ended
            await workflow.get_external_workflow_handle(batch.workflow_id).signal(name, message)


def facts_summary(found: FoundEntities) -> str:
    """Describe the facts: `12 facts, 1 invalid, 9 from data (1 not on the pages)`."""
    not_shown = f" ({found.not_shown} not on the pages)" if found.not_shown else ""
    data = f", {found.from_data} from data{not_shown}" if found.from_data else ""
    return f"{sum(found.counts.values())} facts, {found.invalid} invalid{data}"


def processed_event(store_request: StoreRequest, stored: StoredResult) -> DocumentProcessed:
    return DocumentProcessed(
        document=store_request.document.name,
        sha256=store_request.document.sha256,
        kind=store_request.classification.kind,
        confirmed_by=store_request.classification.confirmed_by,
        page_count=store_request.read.page_count,
        ocr_pages=store_request.read.ocr_pages,
        entities=store_request.entities.counts,
        result=stored.result_key,
        text=stored.text_key,
    )
