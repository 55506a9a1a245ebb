"""Starts a run, once per run id or `Idempotency-Key`; queues the start while Temporal is unavailable."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, NamedTuple

from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import RedisError
from starlette.responses import Response

from signalbox_core.crypto.sealing import KeyRing
from signalbox_core.errors import Conflict, InvalidInput
from signalbox_core.events.snapshot import RunStatus
from signalbox_core.ids import derived_id, new_run_id, parse_run_id
from signalbox_core.pipeline.spec import PipelineSpec
from signalbox_gateway.api.endpoint import MAX_INPUT_BYTES, ApiCall, json_response
from signalbox_gateway.api.schemas import StartResponse, StartRun
from signalbox_gateway.auth.principal import Principal
from signalbox_gateway.auth.scoped_tokens import ScopedTokens
from signalbox_gateway.runs.pending_starts import PendingStart, PendingStarts
from signalbox_gateway.runs.starts.run_starter import RunStarter
from signalbox_gateway.runs.starts.start_request import StartRequest
from signalbox_gateway.runs.starts.start_requests import RequestedRun, build_start_request
from signalbox_gateway.runs.temporal import TemporalRuns
from signalbox_gateway.runs.views import links

log = logging.getLogger(__name__)
_KEY_LIFETIME_S: Final = 7 * 24 * 3600


class StartRunHandler:
    """The handler of POST /v1/runs."""

    def __init__(
        self,
        engine: TemporalRuns,
        starter: RunStarter,
        pipelines: Mapping[str, PipelineSpec],
        run_ids: "RunIds",
        waiting: PendingStarts,
        payload_keys: KeyRing | None,
    ) -> None:
        self._engine = engine
        self._starter = starter
        self._pipelines = pipelines
        self._run_ids = run_ids
        self._waiting = waiting
        self._payload_keys = payload_keys

    async def handle(self, call: ApiCall) -> Response:
        body = await call.body(StartRun, max_bytes=MAX_INPUT_BYTES)
        if call.principal.scope is not None:
            chooses_more = body.run_id is not None or body.priority is not None or bool(body.tags)
            call.principal.scope.check_start(body.pipeline, chooses_more=chooses_more)
        spec = find_pipeline(self._pipelines, body.pipeline)
        run_id, is_unused = await self._run_ids.choose(call, body)
        requested = RequestedRun(input=body.input, run_id=run_id, priority=body.priority, tags=body.tags)
        request = build_start_request(requested, spec, call.principal, self._payload_keys)
        await self._run_ids.count_start(call.principal, request)
        if not is_unused and (response := await self._check_queued(request)) is not None:
            return response
        outcome = await self._starter.start(request, spec, is_unused=is_unused)
        if isinstance(outcome, PendingStart):
            return _queued(request, outcome)
        if not outcome:
            return await self._check_existing(request)
        log.info("run started", extra={"run_id": run_id, "tenant": request.tenant, "pipeline": spec.name})
        return _started(request, "running", 201)

    async def _check_queued(self, request: StartRequest[Struct]) -> Response | None:
        """The response, if the tenant has queued a start of this run id and withdrawn it.

        Raises:
            Conflict: a different request with this run id is queued.
        """
        queued = await self._waiting.find(request.key)
        if queued is None:
            return None
        if queued.digest != request.digest:
            raise _run_id_taken(request.run_id)
        return _started(request, "cancelled", 200) if queued.is_withdrawn else None

    async def _check_existing(self, request: StartRequest[Struct]) -> Response:
        """The run that an identical request started before.

        Raises:
            Conflict: the run is of a different request.
        """
        found = await self._engine.describe(request.key)
        if found is None or found.tenant != request.tenant or found.digest != request.digest:
            raise _run_id_taken(request.run_id)
        return _started(request, found.status, 200)


def find_pipeline(pipelines: Mapping[str, PipelineSpec], name: str) -> PipelineSpec:
    """Raises: InvalidInput: no pipeline of that name is installed."""
    spec = pipelines.get(name)
    if spec is None:
        installed = ", ".join(sorted(pipelines)) or "none"
        raise InvalidInput(
            f"there is no pipeline {name[:60]!r}; installed: {installed}",
            field="pipeline",
            code="unknown_pipeline",
        )
    return spec


class ChosenRunId(NamedTuple):
    """The run id of a start; `is_unused`: made for this start, so that no run can have it yet."""

    run_id: str
    is_unused: bool


class RunIds:
    """Chooses the run id of a start, and counts the starts of scoped tokens."""

    def __init__(self, keys: "IdempotencyKeys", scoped_tokens: ScopedTokens) -> None:
        self._keys = keys
        self._scoped_tokens = scoped_tokens

    async def choose(self, call: ApiCall, body: StartRun) -> ChosenRunId:
        requested = parse_run_id(body.run_id) if body.run_id is not None else None
        key = idempotency_key(call)
        is_generated = requested is None and key is None
        if call.principal.scope is not None:
            return ChosenRunId(call.principal.scope.new_run_id(key), is_generated)
        if key is None:
            return ChosenRunId(requested or new_run_id(body.pipeline), is_generated)
        return await self._keys.claim(call.principal.tenant, key, requested)

    async def count_start(self, principal: Principal, request: StartRequest[Struct]) -> None:
        """Raises: Forbidden: the principal's scoped token is used up."""
        if principal.scope is not None:
            await self._scoped_tokens.take_start(principal.scope, request.pipeline, request.run_id)


class IdempotencyKeys:
    """Maps each tenant's `Idempotency-Key` values to run ids, for a week."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    @staticmethod
    def derive(tenant: str, key: str) -> str:
        """The run id that a key gives when the request names none."""
        return f"run-{derived_id(tenant, key)}"

    async def first_value(self, tenant: str, key: str, value: str) -> str:
        """Return the value that the key was first used with; `value` when that is now."""
        first, _ = await self._first_use(tenant, key, value)
        return first

    async def forget(self, tenant: str, key: str) -> None:
        """Make a key new again, after its request was refused."""
        with _tolerate_outage(tenant):
            await self._redis.delete(_redis_key(tenant, key))

    async def replace(self, tenant: str, key: str, value: str) -> None:
        """Replace the value of a key, whose lifetime stays."""
        with _tolerate_outage(tenant):
            await self._redis.set(_redis_key(tenant, key), value, xx=True, keepttl=True)

    async def known_value(self, tenant: str, key: str) -> str | None:
        """Return the value that the key was first used with; None if it is new."""
        stored = None
        with _tolerate_outage(tenant):
            stored = await self._redis.get(_redis_key(tenant, key))
        return _decoded(stored)

    async def _first_use(self, tenant: str, key: str, value: str) -> tuple[str, bool]:
        """Return the value that the key was first used with, and whether that is now."""
        redis_key, is_first, stored = _redis_key(tenant, key), False, None
        with _tolerate_outage(tenant):
            is_first = bool(await self._redis.set(redis_key, value, nx=True, ex=_KEY_LIFETIME_S))
            stored = None if is_first else await self._redis.get(redis_key)
        return _decoded(stored) or value, is_first

    async def claim(self, tenant: str, key: str, requested: str | None) -> ChosenRunId:
        """Return the run id of the key: the first one used with it, `requested` or derived.

        Raises:
            Conflict: the key was used with a different run id.
        """
        derived = self.derive(tenant, key)
        # The run id alone makes the start idempotent, and a start must not need Redis.
        run_id, is_first = await self._first_use(tenant, key, requested or derived)
        if requested is not None and run_id != requested:
            raise Conflict(
                f"the Idempotency-Key was used for run {run_id}; use a new key for another run",
                code="key_reused",
            )
        return ChosenRunId(run_id, is_first and requested is None)


@contextmanager
def _tolerate_outage(tenant: str) -> Iterator[None]:
    """Log an outage of Redis, without which requests are accepted too."""
    try:
        yield
    except RedisError:
        log.warning("idempotency key not checked: Redis is unavailable", extra={"tenant": tenant})


def _decoded(stored: bytes | str | None) -> str | None:
    return stored.decode() if isinstance(stored, bytes) else stored


def _redis_key(tenant: str, key: str) -> str:
    return f"signalbox:idempotency:run-{derived_id(tenant, key)}"


def idempotency_key(call: ApiCall) -> str | None:
    key = call.request.headers.get("idempotency-key")
    if key is not None and not 1 <= len(key) <= 255:
        raise InvalidInput(
            "the header Idempotency-Key must have 1 to 255 characters", field="Idempotency-Key"
        )
    return key


def _queued(request: StartRequest[Struct], pending: PendingStart) -> Response:
    """The response of a start that was queued. Raises: Conflict: another request has the run id."""
    if pending.digest != request.digest:
        raise _run_id_taken(request.run_id)
    if pending.is_withdrawn:
        return _started(request, "cancelled", 200)
    return _started(request, "queued", 202)


def _started(request: StartRequest[Struct], status: RunStatus, http_status: int) -> Response:
    body = StartResponse(
        run_id=request.run_id, pipeline=request.pipeline, status=status, links=links(request.run_id)
    )
    return json_response(body, http_status, {"location": body.links["self"]})


def _run_id_taken(run_id: str) -> Conflict:
    return Conflict(
        f"the run id {run_id} is in use by a different request; "
        "repeat the identical request to get its run, or choose another run_id or Idempotency-Key",
        field="run_id",
        code="run_id_taken",
    )
