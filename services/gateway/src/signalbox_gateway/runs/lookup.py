"""Reads a run's state for a principal: from the projection, otherwise from Temporal.

A run of another tenant is reported as not found.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace
from redis.exceptions import RedisError

from signalbox_core.bounded_dict import BoundedDict
from signalbox_core.errors import NotFound, Unavailable
from signalbox_core.events.snapshot import ENDED, RunStatus, Snapshot, StepState
from signalbox_core.ids import RUN_ID, run_key
from signalbox_core.pipeline.contract.find import render_subject
from signalbox_core.pipeline.spec import PipelineSpec
from signalbox_core.process.single_flight import SingleFlight
from signalbox_core.streams import ProjectedSnapshot, RunStream
from signalbox_gateway.auth.principal import Principal
from signalbox_gateway.runs.conditions import RunConditions
from signalbox_gateway.runs.pending_starts import PendingStart, PendingStarts
from signalbox_gateway.runs.run_info import RunInfo
from signalbox_gateway.runs.starts.start_request import StartRequest
from signalbox_gateway.runs.temporal import TemporalRuns

_KNOWN_RUNS: Final = 10_000
_KNOWN_ENDS: Final = 1_000
_KNOWN_STARTS: Final = 1_000
START_KNOWN_S: Final = 2.0
"""How long a new stream of a run that this gateway started may begin with the state of the start."""


class RunReader:
    """Reads runs from the projection, pending starts and Temporal.

    Args:
        clock: monotonic seconds.
    """

    def __init__(
        self,
        streams: RunStream,
        temporal: TemporalRuns,
        pipelines: Mapping[str, PipelineSpec],
        waiting: PendingStarts,
        conditions: RunConditions | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._streams = streams
        self._temporal = temporal
        self._pipelines = pipelines
        self._waiting = waiting
        self._conditions = conditions
        self._clock = clock
        self._known = BoundedDict[str, None](_KNOWN_RUNS)
        self._starts = BoundedDict[str, tuple[float, Snapshot]](_KNOWN_STARTS)
        self._from_temporal = SingleFlight(self._load_from_temporal)
        # Ended states that Temporal reported before the projection: a run must not go back to running.
        self._ended = BoundedDict[str, ProjectedSnapshot](_KNOWN_ENDS)

    async def get(self, principal: Principal, run_id: str) -> ProjectedSnapshot:
        """The run's state. A run that has just started and has no projection yet is read from Temporal.

        Raises:
            NotFound: there is no such run, or it belongs to another tenant.
        """
        if not RUN_ID.fullmatch(run_id):
            raise unknown_run(run_id)
        key = run_key(principal.tenant, run_id)
        found = await self._projected(principal.tenant, run_id) or await self._unprojected(key)
        state = self._latest(key, found)
        if state is None or state.snapshot.tenant != principal.tenant:
            raise unknown_run(run_id, is_pipeline=run_id in self._pipelines)
        self._known[key] = None
        if self._conditions is None:
            return state
        return replace(state, snapshot=self._conditions.annotate(state.snapshot))

    async def find(self, tenant: str, run_id: str) -> Snapshot | None:
        """The state of a tenant's run for the gateway's own use; None when there is no such run."""
        projected = await self._projected(tenant, run_id)
        if projected is not None:
            return projected.snapshot
        return await self.snapshot_from_temporal(run_key(tenant, run_id))

    async def check(self, principal: Principal, run_id: str) -> None:
        """Check that the run exists and belongs to the principal's tenant.

        Raises:
            NotFound: there is no such run, or it belongs to another tenant.
        """
        if run_key(principal.tenant, run_id) not in self._known:
            await self.get(principal, run_id)

    async def snapshot_from_temporal(self, key: str) -> Snapshot | None:
        """The state from Temporal of the run of a run key, or None for an unknown run.

        Concurrent callers share one look-up.
        """
        return await self._from_temporal.get(key)

    def remember_start(self, request: StartRequest[Struct], spec: PipelineSpec) -> None:
        """Note a run that this gateway has just started, so that its stream opens without a look-up."""
        self._known[request.key] = None
        info = RunInfo(
            run_id=request.run_id,
            tenant=request.tenant,
            pipeline=spec.name,
            status="running",
            started_at=datetime.now(UTC),
            ended_at=None,
            started_by=request.started_by,
            starter=request.starter,
            subject=render_subject(spec.subject, request.input) or None,
            tags=request.tags,
        )
        self._starts[request.key] = (self._clock() + START_KNOWN_S, _just_started(info, spec))

    async def first_snapshot(self, key: str) -> Snapshot | None:
        """The state with which the stream of a run begins that has published nothing yet.

        Within two seconds of a start by this gateway it is the state of the start, else that in Temporal.

        Returns:
            None for an unknown run.
        """
        until, snapshot = self._starts.get(key, (0.0, None))
        if snapshot is not None and self._clock() < until:
            return snapshot
        return await self.snapshot_from_temporal(key)

    def _latest(self, key: str, state: ProjectedSnapshot | None) -> ProjectedSnapshot | None:
        if state is None:
            return None
        is_ended = state.snapshot.status in ENDED
        known = self._ended.get(key)
        if known is not None and _is_continued(state.snapshot, known.snapshot):
            self._ended.pop(key, None)
        if is_ended and state.epoch == "":
            self._ended[key] = state
        elif is_ended:
            self._ended.pop(key, None)
        return state if is_ended else self._ended.get(key, state)

    async def _projected(self, tenant: str, run_id: str) -> ProjectedSnapshot | None:
        try:
            return await self._streams.snapshot(await self._streams.locate(tenant, run_id))
        except (Unavailable, RedisError):
            # The projection is unavailable; Temporal is the source of truth.
            return None

    async def _unprojected(self, key: str) -> ProjectedSnapshot | None:
        snapshot = await self.snapshot_from_temporal(key)
        return ProjectedSnapshot(snapshot=snapshot, epoch="") if snapshot is not None else None

    async def _load_from_temporal(self, key: str) -> Snapshot | None:
        # A pending start is a run too. Checked first, because Temporal is probably still unavailable.
        start = await self._waiting.find(key)
        if start is not None:
            return queued_snapshot(start, self._pipelines.get(start.pipeline))
        info = await self._temporal.describe(key)
        if info is None:
            return None
        # Until a worker has processed the first workflow task, a query would only time out.
        workflow_snapshot = None if info.awaits_worker else await self._temporal.query(key)
        return resolve_snapshot(info, workflow_snapshot, self._pipelines.get(info.pipeline))


def resolve_snapshot(
    info: RunInfo, workflow_snapshot: Snapshot | None, spec: PipelineSpec | None
) -> Snapshot:
    """Combine the workflow's snapshot with Temporal's description.

    Temporal's status takes precedence for an ended run: no workflow code runs at a termination or timeout.
    """
    known = (
        workflow_snapshot
        if workflow_snapshot is not None and workflow_snapshot.pipeline
        else _just_started(info, spec if not info.is_plain else None)
    )
    if info.status in ENDED and known.status not in ENDED:
        return replace(known, status=info.status, ended_at=info.ended_at)
    return known


def _is_continued(latest: Snapshot, ended: Snapshot) -> bool:
    """Whether the run was reset after the end that Temporal had reported."""
    return latest.retried_at is not None and ended.ended_at is not None and latest.retried_at > ended.ended_at


def _just_started(run: RunInfo, spec: PipelineSpec | None) -> Snapshot:
    return replace(
        _unstarted(run.run_id, run.tenant, run.pipeline, spec),
        started_at=run.started_at,
        started_by=run.started_by,
        starter=run.starter,
        subject=run.subject,
        tags=run.tags,
        plain=run.is_plain,
    )


def queued_snapshot(start: PendingStart, spec: PipelineSpec | None) -> Snapshot:
    """The state of a run whose start is pending, or was withdrawn before it began."""
    status: RunStatus = "cancelled" if start.is_withdrawn else "queued"
    return replace(
        _unstarted(start.run_id, start.tenant, start.pipeline, spec),
        status=status,
        started_by=start.started_by,
        starter=start.starter,
        tags=start.tags,
    )


def unknown_run(run_id: str, *, is_pipeline: bool = False) -> NotFound:
    if is_pipeline:
        return NotFound(
            f"there is no run {run_id}, but a pipeline of that name; to start a run of it, send its input to"
            f" POST /v1/runs, in Python with run({run_id!r}, input)",
            code="unknown_run",
        )
    return NotFound(f"there is no run {run_id[:128]}; GET /v1/runs lists yours", code="unknown_run")


def _unstarted(run_id: str, tenant: str, pipeline: str, spec: PipelineSpec | None) -> Snapshot:
    return Snapshot(
        run_id=run_id,
        tenant=tenant,
        pipeline=pipeline,
        title=spec.title if spec is not None else pipeline,
        steps=tuple(
            StepState(name=step.name, title=step.title) for step in (spec.steps if spec is not None else ())
        ),
    )
