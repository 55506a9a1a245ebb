"""Reads and controls runs: list, snapshot, result, cancel, pause, resume."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Literal
from urllib.parse import quote

import msgspec
from msgspec.structs import replace
from starlette.responses import Response

from signalbox_core.errors import Conflict, NotFound, Unavailable
from signalbox_core.events.catalogue import Failure
from signalbox_core.events.snapshot import ENDED, RunStatus, Snapshot
from signalbox_core.ids import run_id_of, run_key
from signalbox_core.pipeline.contract.find import find_fields
from signalbox_core.pipeline.contract.messages import CancelReason, Control
from signalbox_core.pipeline.spec import PipelineSpec
from signalbox_gateway.api.endpoint import ApiCall, json_response
from signalbox_gateway.api.schemas import (
    CancelRun,
    ControlResponse,
    ListRuns,
    NoBody,
    RunItemView,
    RunPageView,
)
from signalbox_gateway.background.repairs import Repairs
from signalbox_gateway.http import base64url
from signalbox_gateway.runs.conditions import RunCondition, RunConditions
from signalbox_gateway.runs.lookup import RunReader
from signalbox_gateway.runs.outcomes import plain_workflow, run_ended
from signalbox_gateway.runs.pending_starts import PendingStarts
from signalbox_gateway.runs.run_info import RunInfo
from signalbox_gateway.runs.search.index import RunIndex
from signalbox_gateway.runs.search.query import named_pipelines, parse_query, unknown_pipeline
from signalbox_gateway.runs.search.visibility import visibility_query
from signalbox_gateway.runs.temporal import TemporalRuns
from signalbox_gateway.runs.views import run_view

log = logging.getLogger(__name__)
_NULL: Final = msgspec.Raw(b"null")
_CHECKSUM_BYTES: Final = 6
_MAX_PLAIN_TYPES: Final = 3


class RunHandlers:
    """The handlers of /v1/runs, except for starting."""

    def __init__(
        self,
        states: RunReader,
        engine: TemporalRuns,
        pipelines: Mapping[str, PipelineSpec],
        waiting: PendingStarts,
        repairs: Repairs,
        conditions: RunConditions,
    ) -> None:
        self._states = states
        self._engine = engine
        self._pipelines = pipelines
        self._waiting = waiting
        self._repairs = repairs
        self._conditions = conditions
        self._index = RunIndex(engine)
        self._find_names = {name for spec in pipelines.values() for name in find_fields(spec.input)}

    async def list(self, call: ApiCall) -> Response:
        query = call.query(ListRuns)
        tenant = call.principal.tenant
        queues = [
            name for name, owner in self._engine.workflow_ids.rules.queue_tenants.items() if owner == tenant
        ]
        types = await self._plain_types(query, tenant, any_type=bool(queues))
        if query.pipeline is not None and query.pipeline not in (*self._pipelines, *types):
            raise unknown_pipeline(query.pipeline, self._pipelines, field="pipeline")
        search = parse_query(
            query.q,
            pipelines=self._pipelines,
            find_names=self._find_names,
            now=datetime.now(UTC),
            types=types,
        )
        filters = visibility_query(
            tenant=tenant,
            pipeline=query.pipeline,
            status=query.status,
            search=search,
            queues=queues,
            types=types,
        )
        # Not the filters: an age as in `started:7d` makes another instant of each request.
        bound_to = "\0".join((tenant, query.status or "", query.pipeline or "", query.q))
        page = await self._index.page(filters, limit=query.limit, token=_token(query.cursor, bound_to))
        # The visibility store orders open runs first; within a page the newest comes first.
        # The memo of a plain workflow may name another tenant than that of its task queue.
        own = [run for run in page.runs if run.tenant == tenant]
        newest_first = sorted(own, key=lambda run: run.started_at, reverse=True)
        items = tuple(_item(run, self._conditions.get(run.key)) for run in newest_first)
        return json_response(RunPageView(runs=items, next_cursor=_cursor(page.next_token, bound_to)))

    async def _plain_types(self, query: ListRuns, tenant: str, *, any_type: bool) -> Sequence[str]:
        """Which of the pipelines of a query are types of plain workflows.

        Args:
            any_type: task queues of the tenant are configured, whose workflows may be of any type.
        """
        named = {*named_pipelines(query.q), query.pipeline or ""} - {"", *self._pipelines}
        # A search for `pipeline:Echo` means `echo`, unless there is such a type; a filter is exact.
        by_case = {name for name in named if name.lower() in self._pipelines and name != query.pipeline}
        unknown = sorted(named - by_case)
        # Each name is a query. The names beyond are refused as those of unknown pipelines are.
        looked_up = [*([] if any_type else unknown), *sorted(by_case)][:_MAX_PLAIN_TYPES]
        found = await self._index.plain_types(tenant, looked_up)
        return [*unknown, *found] if any_type else found

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


def _item(run: RunInfo, condition: RunCondition | None) -> RunItemView:
    known = condition if run.status not in ENDED else None
    return RunItemView(
        run_id=run.run_id,
        pipeline=run.pipeline,
        subject=run.subject,
        tags=run.tags,
        status=run.status,
        started_at=run.started_at,
        ended_at=run.ended_at,
        started_by=run.started_by,
        starter=run.starter,
        url=f"/v1/runs/{quote(run.run_id, safe='')}",
        blocked=known.blocked if known is not None else None,
        queued=known.queued if known is not None else None,
    )


def _cursor(token: bytes | None, bound_to: str) -> str | None:
    return base64url.encode(_checksum(token, bound_to) + token) if token else None


def _token(cursor: str | None, bound_to: str) -> bytes | None:
    if cursor is None:
        return None
    try:
        decoded = base64url.decode(cursor)
    except ValueError:
        decoded = b""
    token = decoded[_CHECKSUM_BYTES:]
    if not token or decoded[:_CHECKSUM_BYTES] != _checksum(token, bound_to):
        raise base64url.invalid_cursor("GET /v1/runs with the same q, status and pipeline")
    return token


def _checksum(token: bytes, bound_to: str) -> bytes:
    """Bind a page token to its search. Not a MAC: every query filters by the caller's tenant anyway."""
    return hashlib.sha256(bound_to.encode() + b"\0" + token).digest()[:_CHECKSUM_BYTES]


def _raw(body: bytes) -> Response:
    return Response(body, media_type="application/json", headers={"cache-control": "no-store"})
