"""Retries an ended run: from its failed step under the same run id, or from the start as a new run."""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from itertools import repeat
from typing import Final

import msgspec
from msgspec import Struct
from starlette.responses import Response
from temporalio.client import Client

from signalbox_core.crypto.sealing import KeyRing
from signalbox_core.errors import Conflict, InvalidInput, NotFound, Unavailable
from signalbox_core.events.snapshot import ENDED, RunStatus, Snapshot
from signalbox_core.ids import new_run_id
from signalbox_core.pipeline.spec import PipelineSpec
from signalbox_core.secret import Secret
from signalbox_core.streams import RunStream
from signalbox_gateway.api.endpoint import MAX_INPUT_BYTES, ApiCall, json_response
from signalbox_gateway.api.schemas import RetryResponse, RetryRun
from signalbox_gateway.api.start_run import IdempotencyKeys, idempotency_key
from signalbox_gateway.background.repairs import Repairs
from signalbox_gateway.http import validation
from signalbox_gateway.runs.lookup import RunReader
from signalbox_gateway.runs.outcomes import plain_workflow
from signalbox_gateway.runs.recorded_start import (
    RecordedStart,
    merge_input,
    read_recorded_start,
    sealed_strings,
)
from signalbox_gateway.runs.resets import RunResets
from signalbox_gateway.runs.run_info import RunInfo
from signalbox_gateway.runs.starts.start_request import StartRequest
from signalbox_gateway.runs.starts.start_requests import secret_decoder
from signalbox_gateway.runs.temporal import TemporalRuns
from signalbox_gateway.runs.views import links

log = logging.getLogger(__name__)
_CLOSE_TIMEOUT_S: Final = 3.0
_CLOSE_POLL_S: Final = 0.1
_FOLLOW_TIMEOUT_S: Final = 3.0
_FOLLOW_EVERY_S: Final = 0.1


class RetryHandler:
    """The handler of POST /v1/runs/{run_id}/retry."""

    def __init__(
        self,
        states: RunReader,
        starter: "RetryStarter",
        resets: RunResets,
        repairs: Repairs,
        idempotency_keys: IdempotencyKeys,
    ) -> None:
        self._states = states
        self._starter = starter
        self._resets = resets
        self._repairs = repairs
        self._idempotency_keys = idempotency_keys

    async def retry(self, call: ApiCall) -> Response:
        request = await call.body(RetryRun, max_bytes=MAX_INPUT_BYTES)
        run_id = call.param("run_id")
        snapshot = (await self._states.get(call.principal, run_id)).snapshot
        if snapshot.plain:
            raise plain_workflow(run_id)
        run = await self._starter.describe(snapshot)
        if request.from_ == "start":
            _require_close(run, snapshot)
            return await self._starter.start(call, run, request)
        if request.input is not None:
            raise InvalidInput(
                "an edited input needs `from: start`: the completed steps used the old input",
                field="input",
                code="input_needs_start",
            )
        return await self._reset(call, run, snapshot)

    async def _reset(self, call: ApiCall, run: RunInfo, snapshot: Snapshot) -> Response:
        if await self._is_repeated(call, run):
            return _continues(run, run.status)
        _require_close(run, snapshot)
        if run.status not in ENDED or run.status == "completed":
            raise Conflict(
                f"run {run.run_id} is {run.status}; only a run that failed, was cancelled or terminated, or "
                "timed out can be retried from its failed step",
                code="not_failed",
                run_status=run.status,
            )
        if snapshot.status not in ENDED:
            # The projection lags behind; the workflow has the failed step.
            snapshot = await self._states.snapshot_from_temporal(run.key) or snapshot
        point = await self._resets.find_point(run, snapshot)
        await self._resets.reset(run, point, by=call.principal.name)
        log.info("run retried from its failed step", extra={"run_id": run.run_id, "tenant": run.tenant})
        await self._follow(run)
        return _continues(run, "running")

    async def _is_repeated(self, call: ApiCall, run: RunInfo) -> bool:
        """Whether the `Idempotency-Key` was used to retry an earlier execution of this run."""
        key = idempotency_key(call)
        if key is None:
            return False
        first = await self._idempotency_keys.first_value(
            call.principal.tenant, f"retry {run.run_id} {key}", run.execution_id
        )
        return first != run.execution_id

    async def _follow(self, run: RunInfo) -> None:
        """Rebuild the stream at once if a worker responds; otherwise the reconciler does, when one does."""
        try:
            async with asyncio.timeout(_FOLLOW_TIMEOUT_S):
                for pause_s in repeat(_FOLLOW_EVERY_S):
                    if await self._repairs.follow_reset(run):
                        return
                    await asyncio.sleep(pause_s)
        except (TimeoutError, Unavailable):
            log.warning("a retried run is not shown as running yet", extra={"run_id": run.run_id})


class RetryStarter:
    """Starts a new run with the recorded, possibly edited input of an earlier one."""

    def __init__(
        self,
        engine: TemporalRuns,
        client: Client,
        streams: RunStream,
        pipelines: Mapping[str, PipelineSpec],
        payload_keys: KeyRing | None,
    ) -> None:
        self._engine = engine
        self._client = client
        self._streams = streams
        self._pipelines = pipelines
        self._payload_keys = payload_keys

    async def describe(self, snapshot: Snapshot) -> RunInfo:
        """Temporal's description of the run.

        A run's last event precedes its end in Temporal; the end is awaited for three seconds. The loss of a
        worker in between delays it further.

        Raises:
            Conflict: the run is queued or was never started, so there is nothing to retry.
        """
        run = await self._engine.describe(snapshot.key)
        deadline = asyncio.get_running_loop().time() + _CLOSE_TIMEOUT_S
        while _is_closing(run, snapshot) and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(_CLOSE_POLL_S)
            run = await self._engine.describe(snapshot.key)
        if run is None or run.tenant != snapshot.tenant:
            raise Conflict(
                f"run {snapshot.run_id} has no history in Temporal; start a new run",
                code="not_started",
                run_status=snapshot.status,
            )
        return run

    async def start(self, call: ApiCall, run: RunInfo, request: RetryRun) -> Response:
        """Start the new run.

        Raises:
            Conflict: the run has not ended, or the `Idempotency-Key` was used for another request.
            InvalidFields: the edited input is invalid; or the recorded one is, by today's contract.
        """
        if run.status not in ENDED:
            raise Conflict(
                f"run {run.run_id} is {run.status}; cancel it first, or wait until it ends",
                code="not_ended",
                run_status=run.status,
            )
        spec = self._pipelines.get(run.pipeline)
        if spec is None:
            raise NotFound(f"pipeline {run.pipeline} is no longer installed", code="unknown_pipeline")
        recorded = await read_recorded_start(
            self._client, run.workflow_id, run.tenant, deadline=timedelta(seconds=5)
        )
        start = self._build(call, run, spec, recorded, request)
        is_new = await self._engine.start(start, spec)
        if not is_new:
            await self._check_same(start)
        await self._link(run, start.run_id)
        log.info(
            "run retried from the start",
            extra={"run_id": start.run_id, "retry_of": run.run_id, "tenant": run.tenant},
        )
        body = RetryResponse(
            run_id=start.run_id,
            pipeline=spec.name,
            status="running",
            retry_of=run.run_id,
            links=links(start.run_id),
        )
        return json_response(body, 201 if is_new else 200, {"location": body.links["self"]})

    async def _link(self, run: RunInfo, retried_as: str) -> None:
        """Show on the earlier run which one retries it. The new run has started, whatever comes of this."""
        try:
            await self._streams.link_retry(await self._streams.locate(run.tenant, run.run_id), retried_as)
        except Unavailable as error:
            log.warning(
                "a retried run does not show which run retries it",
                extra={"run_id": run.run_id, "retried_as": retried_as, "error": error.detail},
            )

    def _build(
        self, call: ApiCall, run: RunInfo, spec: PipelineSpec, recorded: RecordedStart, request: RetryRun
    ) -> StartRequest[Struct]:
        edited = merge_input(recorded.input, request.input, spec.input)
        decoded = validation.decode(
            spec.input, edited, at="input", dec_hook=self._secret_hook(recorded.input)
        )
        digested = msgspec.json.encode(
            (spec.name, run.run_id, decoded), enc_hook=self._digest_secret, order="sorted"
        )
        key = idempotency_key(call)
        return StartRequest(
            run_id=new_run_id(spec.name)
            if key is None
            else IdempotencyKeys.derive(call.principal.tenant, f"retry {run.run_id} {key}"),
            pipeline=spec.name,
            input=decoded,
            tenant=run.tenant,
            started_by=call.principal.name,
            starter=call.principal.subject,
            digest=hashlib.sha256(digested).hexdigest(),
            priority=recorded.priority,
            retry_of=run.run_id,
            tags=run.tags,
        )

    def _secret_hook(self, recorded: msgspec.Raw) -> Callable[[type, object], object]:
        """A `dec_hook`: secrets of the recorded input stay sealed, all others are in clear and get sealed."""
        known = set(sealed_strings(msgspec.json.decode(recorded)))
        decode_clear = secret_decoder(self._payload_keys)

        def decode_secret(kind: type, value: object) -> object:
            if kind is Secret and isinstance(value, str) and value in known:
                return Secret(None, sealed=value)
            return decode_clear(kind, value)

        return decode_secret

    def _digest_secret(self, value: object) -> object:
        assert isinstance(value, Secret)
        if value.has_clear and self._payload_keys is not None:
            return self._payload_keys.fingerprint_hook(value)
        return value.sealed

    async def _check_same(self, start: StartRequest[Struct]) -> None:
        found = await self._engine.describe(start.key)
        if found is None or found.tenant != start.tenant or found.digest != start.digest:
            raise Conflict(
                "the Idempotency-Key was used for a different request; use a new key for another retry",
                code="key_reused",
            )


def _require_close(run: RunInfo, snapshot: Snapshot) -> None:
    """Check that a run whose last event is known has also ended in Temporal.

    Raises:
        Unavailable: it has not; a conflict would wrongly state that the run did not fail, or was retried.
    """
    if _is_closing(run, snapshot):
        raise Unavailable(
            f"run {run.run_id} is {snapshot.status}, but a worker has yet to close it in Temporal; try again"
        )


def _is_closing(run: RunInfo | None, snapshot: Snapshot) -> bool:
    """Whether the open execution is the one that has sent the last event, not one that a reset began later.

    Both times are Temporal's.
    """
    if run is None or run.status in ENDED or snapshot.status not in ENDED:
        return False
    return snapshot.ended_at is None or run.started_at <= snapshot.ended_at


def _continues(run: RunInfo, status: RunStatus) -> Response:
    return json_response(
        RetryResponse(
            run_id=run.run_id, pipeline=run.pipeline, status=status, retry_of=None, links=links(run.run_id)
        )
    )
