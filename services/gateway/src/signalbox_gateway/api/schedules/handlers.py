"""Creates, shows, changes, backfills and deletes schedules."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec import UnsetType
from msgspec.structs import replace
from starlette.responses import Response

from signalbox_core.crypto.sealing import KeyRing
from signalbox_core.errors import InvalidInput
from signalbox_core.pipeline.contract.find import RunFacts, render_subject, run_terms
from signalbox_core.pipeline.contract.scheduled_start import ScheduledStart, ScheduleTiming
from signalbox_core.pipeline.contract.stated_patches import stated_patches
from signalbox_core.pipeline.spec import PipelineSpec
from signalbox_core.secret import encode_hook
from signalbox_gateway.api.endpoint import ApiCall, json_response
from signalbox_gateway.api.schedules.changes import (
    backfill_period,
    changed_timing,
    or_known,
)
from signalbox_gateway.api.schedules.recorded_changes import RecordedChanges
from signalbox_gateway.api.schedules.schemas import (
    BackfilledView,
    BackfillSchedule,
    CreateSchedule,
    ScheduleListView,
    UpdateSchedule,
)
from signalbox_gateway.api.schedules.views import ScheduleViews
from signalbox_gateway.api.schemas import NoBody
from signalbox_gateway.api.start_run import find_pipeline
from signalbox_gateway.auth.principal import Principal
from signalbox_gateway.runs.starts.start_requests import RequestedRun, build_start_request
from signalbox_gateway.schedules.definition import ScheduleDefinition
from signalbox_gateway.schedules.start_times import checked_timing
from signalbox_gateway.schedules.store import StoredSchedule

log = logging.getLogger(__name__)
_MAX_INPUT_BYTES: Final = 65_536
"""Less than what goes to the object store, where it could be deleted while the schedule needs it."""
_MAX_BACKFILL: Final = 500


class ScheduleHandlers:
    """The handlers of /v1/schedules."""

    def __init__(
        self,
        changes: RecordedChanges,
        views: ScheduleViews,
        pipelines: Mapping[str, PipelineSpec],
        payload_keys: KeyRing | None,
    ) -> None:
        self._changes = changes
        self._store = changes.store
        self._views = views
        self._pipelines = pipelines
        self._payload_keys = payload_keys

    async def list(self, call: ApiCall) -> Response:
        found, now = await self._store.list(call.principal.tenant), datetime.now(UTC)
        items = await asyncio.gather(*(self._views.item(stored, now) for stored in found))
        return json_response(ScheduleListView(schedules=tuple(items)))

    async def show(self, call: ApiCall) -> Response:
        return await self._respond(call.principal.tenant, call.param("schedule_id"))

    async def create(self, call: ApiCall) -> Response:
        request, principal, now = await call.body(CreateSchedule), call.principal, datetime.now(UTC)
        timing = self._check_timing(
            ScheduleTiming(
                cron=request.cron or (),
                every_s=request.every_s,
                offset_s=request.offset_s,
                time_zone=request.time_zone,
                jitter_s=request.jitter_s,
            ),
            now,
        )
        definition = ScheduleDefinition(
            start=self._build_start(request, timing, principal),
            overlap=request.overlap,
            catch_up_s=request.catch_up_s,
            is_paused=request.paused,
            note=request.note,
        )
        is_new = await self._changes.create(definition, principal.subject, now)
        if is_new:
            _log("schedule created", principal, request.schedule_id)
        return await self._respond(principal.tenant, request.schedule_id, status=201 if is_new else 200)

    async def update(self, call: ApiCall) -> Response:
        request, principal, now = await call.body(UpdateSchedule), call.principal, datetime.now(UTC)
        schedule_id = call.param("schedule_id")

        def change(stored: StoredSchedule) -> ScheduleDefinition:
            return self._changed(stored.definition, request, principal, now)

        stored = await self._store.get(principal.tenant, schedule_id)
        await self._changes.update(stored, change, principal.subject, now)
        _log("schedule changed", principal, schedule_id)
        return await self._respond(principal.tenant, schedule_id)

    async def delete(self, call: ApiCall) -> Response:
        await call.body(NoBody)
        principal, schedule_id = call.principal, call.param("schedule_id")
        stored = await self._store.get(principal.tenant, schedule_id)
        await self._changes.delete(stored, principal.subject, datetime.now(UTC))
        _log("schedule deleted", principal, schedule_id)
        return Response(status_code=204)

    async def backfill(self, call: ApiCall) -> Response:
        request, tenant = await call.body(BackfillSchedule), call.principal.tenant
        schedule_id = call.param("schedule_id")
        first, last = backfill_period(request, datetime.now(UTC))
        times = await self._store.matching_times(tenant, schedule_id, first, last)
        if len(times) > _MAX_BACKFILL:
            raise InvalidInput(
                f"the period has {len(times)} times, and a backfill starts at most {_MAX_BACKFILL} runs; "
                "choose a shorter period",
                field="to",
                code="too_many_times",
            )
        if times:
            await self._store.backfill(tenant, schedule_id, first, last, request.overlap)
        _log("schedule backfilled", call.principal, schedule_id)
        return json_response(BackfilledView(schedule_id=schedule_id, times=len(times)), 202)

    async def _respond(self, tenant: str, schedule_id: str, *, status: int = 200) -> Response:
        stored = await self._store.get(tenant, schedule_id)
        headers = {"location": f"/v1/schedules/{schedule_id}"} if status == 201 else None
        return json_response(await self._views.detail(stored, datetime.now(UTC)), status, headers)

    def _check_timing(self, timing: ScheduleTiming, now: datetime) -> ScheduleTiming:
        return checked_timing(timing, min_interval=self._store.limits.min_interval, now=now)

    def _build_start(
        self, request: CreateSchedule, timing: ScheduleTiming, principal: Principal
    ) -> ScheduledStart:
        spec = find_pipeline(self._pipelines, request.pipeline)
        start = ScheduledStart(
            tenant=principal.tenant,
            schedule_id=request.schedule_id,
            pipeline=spec.name,
            task_queue=spec.task_queue,
            input=request.input,
            digest="",
            timing=timing,
            created_by=principal.name,
            updated_by=principal.name,
            priority=request.priority,
            patches=stated_patches(spec),
        )
        return self._with_input(start, spec, request.input, principal)

    def _changed(
        self, known: ScheduleDefinition, request: UpdateSchedule, principal: Principal, now: datetime
    ) -> ScheduleDefinition:
        start = replace(
            known.start,
            timing=self._check_timing(changed_timing(known.start.timing, request), now),
            priority=or_known(request.priority, known.start.priority),
            updated_by=principal.name,
        )
        if not isinstance(request.input, UnsetType) and bytes(request.input) != b"null":
            spec = find_pipeline(self._pipelines, start.pipeline)
            start = self._with_input(start, spec, request.input, principal)
        if (installed := self._pipelines.get(start.pipeline)) is not None:
            start = replace(start, task_queue=installed.task_queue, patches=stated_patches(installed))
        return ScheduleDefinition(
            start=start,
            overlap=or_known(request.overlap, known.overlap),
            catch_up_s=or_known(request.catch_up_s, known.catch_up_s),
            is_paused=or_known(request.paused, known.is_paused),
            note=or_known(request.note, known.note),
        )

    def _with_input(
        self, start: ScheduledStart, spec: PipelineSpec, given: msgspec.Raw, principal: Principal
    ) -> ScheduledStart:
        """Decode the input by the contract and seal its secrets; return the start with it."""
        requested = RequestedRun(input=given, run_id="", priority=start.priority)
        request = build_start_request(requested, spec, principal, self._payload_keys)
        encoded = msgspec.json.encode(request.input, enc_hook=encode_hook)
        if len(encoded) > _MAX_INPUT_BYTES:
            raise InvalidInput(
                f"the input has {len(encoded)} bytes, and a schedule stores at most {_MAX_INPUT_BYTES}; "
                "upload large values and refer to them",
                field="input",
            )
        subject = render_subject(spec.subject, request.input)
        facts = RunFacts(run_id="", started_by=start.started_by, starter=start.starter.subject)
        return replace(
            start,
            input=msgspec.Raw(encoded),
            digest=request.digest,
            subject=subject,
            terms=tuple(run_terms(subject, request.input, facts)),
        )


def _log(message: str, principal: Principal, schedule_id: str) -> None:
    log.info(message, extra={"tenant": principal.tenant, "schedule": schedule_id, "by": principal.name})
