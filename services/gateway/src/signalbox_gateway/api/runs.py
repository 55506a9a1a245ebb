"""Reads and controls runs: snapshot, result, cancel, pause, resume."""

import logging
from collections.abc import Mapping
from typing import Final, Literal

import msgspec
from msgspec.structs import replace
from starlette.responses import Response

from signalbox_core.errors import Conflict, NotFound, Unavailable
from signalbox_core.events.catalogue import Failure
from signalbox_core.events.snapshot import ENDED, RunStatus, Snapshot
from signalbox_core.ids import run_id_of, run_key
from signalbox_core.pipeline.contract.messages import CancelReason, Control
from signalbox_core.pipeline.spec import PipelineSpec
from signalbox_gateway.api.endpoint import ApiCall, json_response
from signalbox_gateway.api.schemas import (
    CancelRun,
    ControlResponse,
    NoBody,
)
from signalbox_gateway.background.repairs import Repairs
from signalbox_gateway.runs.lookup import RunReader
from signalbox_gateway.runs.outcomes import plain_workflow, run_ended
from signalbox_gateway.runs.pending_starts import PendingStarts
from signalbox_gateway.runs.temporal import TemporalRuns
from signalbox_gateway.runs.views import run_view

log = logging.getLogger(__name__)
_NULL: Final = msgspec.Raw(b"null")


class RunHandlers:
    """The handlers of /v1/runs/{run_id}."""

    def __init__(
        self,
        states: RunReader,
        engine: TemporalRuns,
        pipelines: Mapping[str, PipelineSpec],
        waiting: PendingStarts,
        repairs: Repairs,
    ) -> None:
        self._states = states
        self._engine = engine
        self._pipelines = pipelines
        self._waiting = waiting
        self._repairs = repairs

    async def show(self, call: ApiCall) -> Response:
        state = await self._states.get(call.principal, call.param("run_id"))
        return json_response(run_view(state.snapshot, state.epoch))

    async def result(self, call: ApiCall) -> Response:
        """The result: from the projection if its event was small enough to carry it, else from Temporal."""
        run_id = call.param("run_id")
        snapshot = (await self._states.get(call.principal, run_id)).snapshot
        if snapshot.status not in ENDED:
            snapshot = replace(snapshot, status=await self._status(snapshot))
        if snapshot.status not in ENDED:
            detail = f"run {run_id} is {snapshot.status} and has no result yet; follow its stream"
            raise Conflict(detail, code="not_finished", run_status=snapshot.status)
        if snapshot.status == "completed" and snapshot.result not in (None, _NULL):
            return _raw(bytes(snapshot.result or b""))
        if snapshot.status == "completed" and snapshot.plain:
            return _raw(b"null")
        outcome = await self._outcome(snapshot)
        if isinstance(outcome, Failure):
            raise no_result(snapshot, outcome)
        return _raw(msgspec.json.encode(outcome))

    async def cancel(self, call: ApiCall) -> Response:
        request = await call.body(CancelRun)
        run_id = call.param("run_id")
        snapshot = (await self._states.get(call.principal, run_id)).snapshot
        reason = CancelReason(reason=request.reason, by=call.principal.name)
        key = run_key(call.principal.tenant, run_id)
        if await self._withdraw(key, reason):
            return json_response(ControlResponse(run_id=run_id, accepted="cancel"), 202)
        try:
            await self._engine.cancel(key, reason, is_plain=snapshot.plain)
        except NotFound:
            raise await self._has_ended(key) from None
        return json_response(ControlResponse(run_id=run_id, accepted="cancel"), 202)

    async def _withdraw(self, key: str, reason: CancelReason) -> bool:
        """Withdraw the run if its start is queued; False if it is not.

        A start that is in progress is cancelled by its `start.withdrawn` message instead.
        """
        start = await self._waiting.withdraw(key, reason)
        if start is None:
            return False
        if start.is_withdrawn:
            try:
                await self._repairs.end_unstarted(
                    start, "cancelled", reason.reason or "withdrawn before it started"
                )
            except Unavailable:
                log.warning(
                    "a withdrawn run is not shown as cancelled yet: Redis is unavailable",
                    extra={"run_id": start.run_id},
                )
        log.info("queued run withdrawn", extra={"run_id": start.run_id, "tenant": start.tenant})
        return True

    async def pause(self, call: ApiCall) -> Response:
        return await self._control(call, "pause")

    async def resume(self, call: ApiCall) -> Response:
        return await self._control(call, "resume")

    async def _control(self, call: ApiCall, signal: Literal["pause", "resume"]) -> Response:
        await call.body(NoBody)
        run_id = call.param("run_id")
        snapshot = (await self._states.get(call.principal, run_id)).snapshot
        if snapshot.plain:
            raise plain_workflow(run_id)
        key = run_key(call.principal.tenant, run_id)
        try:
            await self._engine.control(key, signal, Control(by=call.principal.name))
        except NotFound:
            raise await self._has_ended(key) from None
        return json_response(ControlResponse(run_id=run_id, accepted=signal), 202)

    async def _has_ended(self, key: str) -> Conflict:
        found = await self._engine.describe(key)
        return run_ended(run_id_of(key), found.status if found is not None else "ended")

    async def _status(self, snapshot: Snapshot) -> RunStatus:
        """The status; the projection may lag behind, so Temporal decides whether the run has ended."""
        found = await self._engine.describe(snapshot.key) if snapshot.status != "queued" else None
        return found.status if found is not None and found.status in ENDED else snapshot.status

    async def _outcome(self, snapshot: Snapshot) -> msgspec.Struct | Failure:
        spec = self._pipelines.get(snapshot.pipeline)
        # A failure that no event carried: Temporal has the cause.
        if spec is not None and (
            snapshot.status == "completed" or (snapshot.status == "failed" and snapshot.error is None)
        ):
            return await self._engine.result(snapshot.key, spec)
        return snapshot.error or Failure(
            code=f"run_{snapshot.status}", message=f"the run was {snapshot.status}"
        )


def no_result(snapshot: Snapshot, failure: Failure) -> Conflict:
    """The problem of a run that ended without a result; names the step and the cause."""
    where = f" in step {failure.step}" if failure.step else ""
    return Conflict(
        f"run {snapshot.run_id} ended without a result ({snapshot.status}{where}): {failure.message}",
        code=f"run_{snapshot.status}",
        run_status=snapshot.status,
        error=msgspec.to_builtins(failure),
    )


def _raw(body: bytes) -> Response:
    return Response(body, media_type="application/json", headers={"cache-control": "no-store"})
