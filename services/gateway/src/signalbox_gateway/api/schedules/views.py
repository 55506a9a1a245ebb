"""Builds what the API shows of a schedule, with its runs and its problems."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from signalbox_core.errors import InvalidInput
from signalbox_core.events.snapshot import ENDED
from signalbox_core.pipeline.contract.scheduled_start import ScheduledStart
from signalbox_core.pipeline.spec import PipelineSpec
from signalbox_core.secret import decode_hook
from signalbox_gateway.api.schedules.schemas import ScheduleProblem, ScheduleRunView, ScheduleView
from signalbox_gateway.background.condition_rules import NO_WORKER
from signalbox_gateway.runs.lookup import RunReader
from signalbox_gateway.runs.recorded_start import mask_secrets
from signalbox_gateway.schedules.store import StartedAction, StoredSchedule

_NEXT: Final = 5
_TASK_QUEUE_CHANGED: Final = "task_queue_changed"
_STARTING_TIMEOUT: Final = timedelta(minutes=1)


class ScheduleViews:
    """Reads the runs of schedules and compares the schedules with the installed pipelines."""

    def __init__(self, runs: RunReader, pipelines: Mapping[str, PipelineSpec]) -> None:
        self._runs = runs
        self._pipelines = pipelines

    async def detail(self, stored: StoredSchedule, now: datetime) -> ScheduleView:
        start = stored.definition.start
        runs = await self._read_runs(start.tenant, stored.recent)
        masked = mask_secrets(start.input)
        view = self._view(stored, runs, now)
        return msgspec.structs.replace(view, input=masked.value, masked=masked.masked)

    async def item(self, stored: StoredSchedule, now: datetime) -> ScheduleView:
        """An entry of a list: without the input, and with the newest run only."""
        return self._view(
            stored, await self._read_runs(stored.definition.start.tenant, stored.recent[:1]), now
        )

    async def _read_runs(
        self, tenant: str, actions: tuple[StartedAction, ...]
    ) -> tuple[ScheduleRunView, ...]:
        # A backfill of a time whose run was started before is an action without a run of its own.
        first = {action.starter_id: action for action in actions}
        unique = [action for action in actions if first[action.starter_id] is action]
        return tuple(await asyncio.gather(*(self._read_run(tenant, action) for action in unique)))

    async def _read_run(self, tenant: str, action: StartedAction) -> ScheduleRunView:
        snapshot = await self._runs.find(tenant, action.starter_id.run_id)
        return ScheduleRunView(
            run_id=action.starter_id.run_id,
            scheduled_at=action.starter_id.scheduled_at,
            status=snapshot.status if snapshot is not None else "starting",
            error=snapshot.error if snapshot is not None else None,
        )

    def _view(self, stored: StoredSchedule, runs: tuple[ScheduleRunView, ...], now: datetime) -> ScheduleView:
        definition, start = stored.definition, stored.definition.start
        spec, timing = self._pipelines.get(start.pipeline), start.timing
        ended = next((run for run in runs if run.status in ENDED), None)
        return ScheduleView(
            schedule_id=start.schedule_id,
            pipeline=start.pipeline,
            title=spec.title if spec is not None else start.pipeline,
            cron=timing.cron,
            every_s=timing.every_s,
            offset_s=timing.offset_s,
            time_zone=timing.time_zone,
            jitter_s=timing.jitter_s,
            overlap=definition.overlap,
            catch_up_s=definition.catch_up_s,
            priority=start.priority,
            paused=definition.is_paused,
            note=definition.note,
            created_by=start.created_by,
            created_at=stored.created_at,
            updated_by=start.updated_by,
            updated_at=stored.updated_at,
            next_at=stored.next_at[:_NEXT],
            runs=runs,
            last_error=ended.error if ended is not None else None,
            problem=find_problem(start, spec) or _unserved(stored, runs, now),
            missed=stored.missed,
            skipped=stored.skipped,
            input=None,
            masked=(),
        )


def find_problem(start: ScheduledStart, spec: PipelineSpec | None) -> ScheduleProblem | None:
    """Compare a schedule with the installed contract of its pipeline. Pure."""
    if spec is None:
        return ScheduleProblem(
            code="unknown_pipeline",
            detail=f"pipeline {start.pipeline} is not installed; install it, or delete the schedule",
        )
    if spec.task_queue != start.task_queue:
        return ScheduleProblem(
            code=_TASK_QUEUE_CHANGED,
            detail=f"pipeline {spec.name} now uses task queue {spec.task_queue}, not {start.task_queue}; "
            "change any member of the schedule, or pause and resume it, to adopt it",
        )
    try:
        msgspec.json.decode(start.input, type=spec.input, dec_hook=decode_hook)
    except (msgspec.ValidationError, InvalidInput) as error:
        return ScheduleProblem(
            code="invalid_input",
            detail=f"the input is no longer valid under the contract of {spec.name}: {error}; "
            "replace the input of the schedule",
        )
    return None


def _unserved(
    stored: StoredSchedule, runs: tuple[ScheduleRunView, ...], now: datetime
) -> ScheduleProblem | None:
    """The problem of a start that no worker has taken; `runs` are in the order of `stored.recent`."""
    starting = {run.run_id for run in runs if run.status == "starting"}
    waiting = [action for action in stored.recent if action.starter_id.run_id in starting]
    if not waiting or now - waiting[-1].started_at < _STARTING_TIMEOUT:
        return None
    start, at = stored.definition.start, waiting[-1].starter_id.scheduled_at
    return ScheduleProblem(
        code=NO_WORKER,
        detail=f"the run of {at:%Y-%m-%d %H:%M:%SZ} waits for a worker of task queue {start.task_queue}; "
        f"start workers of pipeline {start.pipeline}",
    )
