"""Finding a run's state for a principal: the projection first, else Temporal; a run of another tenant does not exist."""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace
from redis.exceptions import RedisError

from signalbox_core.bounded_dict import BoundedDict
from signalbox_core.errors import NotFound, Unavailable
from signalbox_core.events.snapshot import ENDED, RunStatus, Snapshot, StepState
from signalbox_core.ids import RUN_ID
from signalbox_core.pipeline.spec import PipelineSpec
from signalbox_core.process.single_flight import SingleFlight
from signalbox_core.streams import ProjectedSnapshot, RunStream
from signalbox_gateway.auth.principal import Principal
from signalbox_gateway.runs.pending_starts import WaitingStart, WaitingStarts
from signalbox_gateway.runs.temporal import Described, Engine

_KNOWN_TENANTS: Final = 10_000
_KNOWN_ENDS: Final = 1_000


class RunStates:
    """The state of runs, wherever it is known."""

    def __init__(
        self,
        streams: RunStream,
        engine: Engine,
        pipelines: Mapping[str, PipelineSpec],
        waiting: WaitingStarts,
    ) -> None:
        self._streams = streams
        self._engine = engine
        self._pipelines = pipelines
        self._waiting = waiting
        # A run's tenant never changes, so what was seen once stays true.
        self._tenants = BoundedDict[str, str](_KNOWN_TENANTS)
        self._from_temporal = SingleFlight(self._load_from_temporal)
        # Ends that Temporal told before the projection did: an answer never goes back from ended to running.
        self._ended = BoundedDict[str, ProjectedSnapshot](_KNOWN_ENDS)

    async def of(self, principal: Principal, run_id: str) -> ProjectedSnapshot:
        """The run's state. A run that just began and has no projection yet is described by Temporal, never unknown.

        Raises:
            NotFound: no such run, or it is another tenant's.
        """
        known = self._tenants.get(run_id)
        if not RUN_ID.fullmatch(run_id) or (known is not None and known != principal.tenant):
            raise unknown_run(run_id)
        state = self._latest(run_id, await self._projected(run_id) or await self._unprojected(run_id))
        if state is None:
            raise unknown_run(run_id)
        self._tenants[run_id] = state.snapshot.tenant
        if state.snapshot.tenant != principal.tenant:
            raise unknown_run(run_id)
        return state

    async def check(self, principal: Principal, run_id: str) -> None:
        """Raises: NotFound: no such run, or it is another tenant's."""
        if self._tenants.get(run_id) != principal.tenant:
            await self.of(principal, run_id)

    async def snapshot_from_temporal(self, run_id: str) -> Snapshot | None:
        """The run's state from Temporal, or None for an unknown run. Concurrent callers share one look-up."""
        return await self._from_temporal.get(run_id)

    def _latest(self, run_id: str, state: ProjectedSnapshot | None) -> ProjectedSnapshot | None:
        if state is None:
            return None
        is_ended = state.snapshot.status in ENDED
        if is_ended and state.epoch == "":
            self._ended[run_id] = state
        elif is_ended:
            self._ended.pop(run_id, None)
        return state if is_ended else self._ended.get(run_id, state)

    async def _projected(self, run_id: str) -> ProjectedSnapshot | None:
        try:
            return await self._streams.snapshot(run_id)
        except (Unavailable, RedisError):
            # The projection is away; the truth is in Temporal.
            return None

    async def _unprojected(self, run_id: str) -> ProjectedSnapshot | None:
        snapshot = await self.snapshot_from_temporal(run_id)
        return ProjectedSnapshot(snapshot=snapshot, epoch="") if snapshot is not None else None

    async def _load_from_temporal(self, run_id: str) -> Snapshot | None:
        # A start that waits for Temporal is a run too; asked first, as Temporal is probably still away.
        start = await self._waiting.find(run_id)
        if start is not None:
            return queued(start, self._pipelines.get(start.pipeline))
        described = await self._engine.describe(run_id)
        if described is None:
            return None
        # Before the first worker touched it, a query could only wait.
        told = None if described.is_untouched else await self._engine.query(run_id)
        return snapshot_of(described, told, self._pipelines.get(described.pipeline))


def snapshot_of(described: Described, told: Snapshot | None, spec: PipelineSpec | None) -> Snapshot:
    """The workflow's own word when it has one; what Temporal says of its end overrules it (no workflow code runs at a termination)."""
    known = told if told is not None and told.pipeline else _just_started(described, spec)
    if described.status in ENDED and known.status not in ENDED:
        return replace(known, status=described.status, ended_at=described.ended_at)
    return known


def _just_started(run: Described, spec: PipelineSpec | None) -> Snapshot:
    return replace(
        _unstarted(run.run_id, run.tenant, run.pipeline, spec),
        started_at=run.started_at,
        started_by=run.started_by,
    )


def queued(start: WaitingStart, spec: PipelineSpec | None) -> Snapshot:
    """The state of a run that waits for Temporal, or was withdrawn before it began."""
    status: RunStatus = "cancelled" if start.is_withdrawn else "queued"
    return replace(
        _unstarted(start.run_id, start.tenant, start.pipeline, spec),
        status=status,
        started_by=start.started_by,
    )


def unknown_run(run_id: str) -> NotFound:
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
