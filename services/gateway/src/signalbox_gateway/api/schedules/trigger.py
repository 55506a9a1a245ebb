"""Starts a run of a schedule outside its times, once for each `Idempotency-Key`."""

import asyncio
import logging
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from starlette.responses import Response

from signalbox_core.errors import Conflict, NotFound, Rejected, Unavailable
from signalbox_core.ids import derived_id
from signalbox_gateway.api.endpoint import ApiCall, json_response
from signalbox_gateway.api.schedules.changes import SECOND, run_since, started_just_now
from signalbox_gateway.api.schedules.schemas import TriggeredView, TriggerSchedule
from signalbox_gateway.api.start_run import IdempotencyKeys, idempotency_key
from signalbox_gateway.runs.temporal import TemporalRuns
from signalbox_gateway.schedules.definition import Overlap
from signalbox_gateway.schedules.store import ScheduleStore, StoredSchedule

log = logging.getLogger(__name__)
_START_TIMEOUT_S: Final = 5.0
_START_POLL_S: Final = 0.1
_SENDING: Final = "sending "
"""Precedes the time of the first use in the value of a key, until Temporal has accepted the trigger."""


class ScheduleTrigger:
    """Starts runs of schedules on request."""

    def __init__(self, store: ScheduleStore, engine: TemporalRuns, idempotency_keys: IdempotencyKeys) -> None:
        self._store = store
        self._engine = engine
        self._idempotency_keys = idempotency_keys

    async def trigger(self, call: ApiCall) -> Response:
        request, tenant = await call.body(TriggerSchedule), call.principal.tenant
        stored = await self._store.get(tenant, call.param("schedule_id"))
        overlap = request.overlap or stored.definition.overlap
        key = idempotency_key(call)
        if key is None:
            _check_not_busy(stored, overlap)
            await self._send(call, stored, overlap, str(uuid4()))
            return _triggered(stored, await self._started_run(stored, overlap))
        return await self._trigger_once(call, stored, overlap, f"trigger {call.param('schedule_id')} {key}")

    async def _trigger_once(
        self, call: ApiCall, stored: StoredSchedule, overlap: Overlap, key: str
    ) -> Response:
        """Trigger unless the key has done so.

        A key whose trigger was refused is new again. One whose outcome is unknown is sent again, and Temporal
        ignores it if it has it.
        """
        tenant, keys, now = call.principal.tenant, self._idempotency_keys, datetime.now(UTC).isoformat()
        known = await keys.known_value(tenant, key)
        if known is not None and not known.startswith(_SENDING):
            return _triggered(stored, run_since(stored, datetime.fromisoformat(known)))
        if known is None:
            _check_not_busy(stored, overlap)
            await keys.first_value(tenant, key, f"{_SENDING}{now}")
        try:
            await self._send(call, stored, overlap, derived_id(tenant, key))
        except Rejected:
            await keys.forget(tenant, key)
            raise
        await keys.replace(tenant, key, known.removeprefix(_SENDING) if known is not None else now)
        return _triggered(stored, await self._started_run(stored, overlap))

    async def _send(self, call: ApiCall, stored: StoredSchedule, overlap: Overlap, request_id: str) -> None:
        start = stored.definition.start
        if started_just_now(stored, datetime.now(UTC)):
            await asyncio.sleep(SECOND.total_seconds())
        await self._store.trigger(start.tenant, start.schedule_id, overlap, request_id=request_id)
        extra = {"tenant": start.tenant, "schedule": start.schedule_id, "by": call.principal.name}
        log.info("schedule triggered", extra=extra)

    async def _started_run(self, before: StoredSchedule, overlap: Overlap) -> str | None:
        """Wait until a worker has started the triggered run; None when that takes long or cannot be seen."""
        try:
            return await self._wait_for_run(before, overlap)
        except (Unavailable, NotFound):
            return None

    async def _wait_for_run(self, before: StoredSchedule, overlap: Overlap) -> str | None:
        if before.running and overlap in ("buffer_one", "buffer_all"):
            return None
        start, known = before.definition.start, {action.starter_id for action in before.recent}
        run_id = None
        deadline = asyncio.get_running_loop().time() + _START_TIMEOUT_S
        while asyncio.get_running_loop().time() < deadline:
            stored = await self._store.get(start.tenant, start.schedule_id)
            added = [action.starter_id for action in stored.recent if action.starter_id not in known]
            if added:
                run_id = added[0].run_id
                if await self._engine.describe(added[0].run_key) is not None:
                    break
            await asyncio.sleep(_START_POLL_S)
        return run_id


def _check_not_busy(stored: StoredSchedule, overlap: Overlap) -> None:
    if overlap == "skip" and stored.running:
        raise Conflict(
            f"run {stored.running[0].run_id} of this schedule has not ended; wait for its end, or "
            "trigger with another `overlap`",
            code="schedule_busy",
        )


def _triggered(stored: StoredSchedule, run_id: str | None) -> Response:
    view = TriggeredView(schedule_id=stored.definition.start.schedule_id, run_id=run_id)
    return json_response(view, 202)
