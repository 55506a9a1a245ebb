"""The activities of a batch: its lists in the object store.

Idempotent by run id and number: each key is written once.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from urllib.parse import quote

import msgspec
from temporalio import activity

from signalbox_core.errors import InvalidInput, NotFound
from signalbox_core.objects import ObjectStore, uploads_folder
from signalbox_core.pipeline.deps import ActivityDeps
from signalbox_pipelines.document_batch.batch_state import chunk_ranges
from signalbox_pipelines.document_batch.contract import MAX_DOCUMENTS, DocumentOutcome, DocumentSpec
from signalbox_pipelines.document_batch.messages import (
    BatchEntry,
    BatchPlan,
    BatchReport,
    BatchReportRequest,
    ChunkRequest,
    PlannedDocument,
    PlanRequest,
    RecordOutcomesRequest,
    StatisticsRequest,
    child_run_id,
    document_name,
)
from signalbox_pipelines.document_batch.outcomes import build_result, build_statistics

CHUNK_SIZE: Final = 200
"""Documents per workflow execution: about 2,500 history events, a quarter of the server's warning limit."""
_JSON: Final = "application/json"
_DECODE_WITHIN: Final = timedelta(seconds=20)


class BatchActivities:
    """The pipeline's activities."""

    def __init__(self, deps: ActivityDeps) -> None:
        self._objects: ObjectStore = deps.objects
        self._cpu = deps.cpu

    @activity.defn(name="document_batch.plan")
    async def plan(self, request: PlanRequest) -> BatchPlan:
        """Order the documents by priority and cut them into chunks."""
        documents = request.documents or await self._read_manifest(request.tenant, request.manifest or "")
        ordered = sorted(enumerate(documents), key=lambda item: (item[1].priority, item[0]))
        planned = [PlannedDocument(index=index, document=document) for index, document in ordered]
        folder = f"batches/{quote(request.tenant, safe='')}/{request.run_id}"
        chunks = chunk_ranges(len(planned), CHUNK_SIZE)
        for number, positions in enumerate(chunks):
            body = msgspec.json.encode(planned[positions.start : positions.stop])
            await self._objects.put_new(f"{folder}/plan/{number:05}.json", body, _JSON)
        entries = [
            BatchEntry(index=index, name=document_name(document), run_id=child_run_id(request.run_id, index))
            for index, document in enumerate(documents)
        ]
        ref = await self._objects.put_new(f"{folder}/documents.json", msgspec.json.encode(entries), _JSON)
        return BatchPlan(
            folder=folder,
            total=len(planned),
            chunks=len(chunks),
            listing=ref.key,
            listing_bytes=ref.size_bytes,
        )

    @activity.defn(name="document_batch.load")
    async def load(self, request: ChunkRequest) -> tuple[PlannedDocument, ...]:
        """Load one chunk of the plan. Idempotent: reads only."""
        body = await self._objects.get(f"{request.folder}/plan/{request.chunk:05}.json")
        return msgspec.json.decode(body, type=tuple[PlannedDocument, ...])

    @activity.defn(name="document_batch.record")
    async def record(self, request: RecordOutcomesRequest) -> None:
        """Store outcomes. Idempotent by the number of the file."""
        await self._objects.put_new(
            _outcomes_key(request.folder, request.number), msgspec.json.encode(request.outcomes), _JSON
        )

    @activity.defn(name="document_batch.report")
    async def report(self, request: BatchReportRequest) -> BatchReport:
        """Write every document's outcome into one file. Idempotent by run id."""
        outcomes = [*await self._read_outcomes(request), *request.waiting]
        outcomes.sort(key=lambda outcome: outcome.index)
        body = msgspec.json.format(msgspec.json.encode(outcomes), indent=1)
        ref = await self._objects.put_new(f"{request.folder}/report.json", body, _JSON)
        return BatchReport(
            result=build_result(request.total, outcomes), key=ref.key, size_bytes=ref.size_bytes
        )

    @activity.defn(name="document_batch.write_statistics")
    async def write_statistics(self, request: StatisticsRequest) -> str:
        """Compute statistics from the report. Idempotent by run id."""
        outcomes = msgspec.json.decode(await self._objects.get(request.report), type=list[DocumentOutcome])
        body = msgspec.json.format(msgspec.json.encode(build_statistics(request.run_id, outcomes)), indent=1)
        return (await self._objects.put_new(f"{request.folder}/statistics.json", body, _JSON)).key

    async def _read_outcomes(self, request: BatchReportRequest) -> list[DocumentOutcome]:
        found: list[DocumentOutcome] = []
        for number in range(request.files):
            found += msgspec.json.decode(
                await self._objects.get(_outcomes_key(request.folder, number)), type=list[DocumentOutcome]
            )
        return found

    async def _read_manifest(self, tenant: str, manifest: str) -> Sequence[DocumentSpec]:
        """Load the uploaded list.

        Raises:
            NotFound: `unknown_object`: the tenant has no such upload.
            InvalidInput: not a JSON list of documents, or too many.
        """
        try:
            body = (
                await self._objects.get(manifest)
                if manifest.startswith(f"{uploads_folder(tenant)}/")
                else None
            )
        except NotFound:
            body = None
        if body is None:
            detail = f"there is no uploaded object {manifest[:200]!r}; upload the list to POST /v1/objects"
            raise NotFound(detail, field="manifest", code="unknown_object")
        return await self._cpu.run(
            decode_manifest, body, tenant=tenant, within=_DECODE_WITHIN, subject="list"
        )


def decode_manifest(body: bytes) -> list[DocumentSpec]:
    """Decode an uploaded list.

    Raises:
        InvalidInput: not a JSON list of documents, or too many.
    """
    try:
        # The items are counted before they are decoded, which takes ten times the memory.
        items = msgspec.json.decode(body, type=list[msgspec.Raw])
        if not 1 <= len(items) <= MAX_DOCUMENTS:
            raise InvalidInput(
                f"the uploaded list has {len(items):,} documents; give 1 to {MAX_DOCUMENTS:,}",
                field="manifest",
            )
        documents = msgspec.json.decode(body, type=list[DocumentSpec])
    except (msgspec.DecodeError, InvalidInput) as error:
        if isinstance(error, InvalidInput) and error.field == "manifest":
            raise
        raise InvalidInput(
            f"the uploaded list is not a JSON list of documents: {error}", field="manifest"
        ) from None
    return documents


def _outcomes_key(folder: str, number: int) -> str:
    return f"{folder}/outcomes/{number:05}.json"
