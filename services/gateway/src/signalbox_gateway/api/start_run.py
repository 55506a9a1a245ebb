"""Starting runs: once per run id or idempotency key, whoever asks how often; kept for later while Temporal is away."""

import hashlib
import logging
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import RedisError
from starlette.responses import Response

from signalbox_core.crypto.sealing import KeyRing
from signalbox_core.errors import Conflict, InvalidInput, Unavailable
from signalbox_core.events.snapshot import RunStatus
from signalbox_core.ids import derived_id, new_run_id, parse_run_id
from signalbox_core.pipeline.spec import PipelineSpec
from signalbox_gateway.api.endpoint import Call, json_response
from signalbox_gateway.api.schemas import Started, StartRun
from signalbox_gateway.auth.principal import Principal
from signalbox_gateway.http import validation
from signalbox_gateway.runs.availability import TemporalAvailability
from signalbox_gateway.runs.pending_starts import PendingStarts
from signalbox_gateway.runs.temporal import StartRequest, TemporalRuns
from signalbox_gateway.runs.views import links

log = logging.getLogger(__name__)
_KEY_LIFETIME_S: Final = 7 * 24 * 3600


class Starts:
    """The handler of POST /v1/runs."""

    def __init__(
        self,
        engine: TemporalRuns,
        availability: TemporalAvailability,
        pipelines: Mapping[str, PipelineSpec],
        keys: "IdempotencyKeys",
        waiting: PendingStarts,
        payload_keys: KeyRing | None,
    ) -> None:
        self._engine = engine
        self._availability = availability
        self._pipelines = pipelines
        self._keys = keys
        self._waiting = waiting
        self._payload_keys = payload_keys

    async def start(self, call: Call) -> Response:
        request = await call.body(StartRun)
        spec = self._spec(request.pipeline)
        run_id = await self._run_id(call, request)
        order = order_of(request, spec, run_id, call.principal, self._payload_keys)
        if (answer := await self._if_waiting(call, request, order)) is not None:
            return answer
        # Whoever starts during an outage need not wait for the deadline of a call that is bound to fail.
        if self._availability.is_known_down and not await self._availability.check():
            return await self._keep(order)
        try:
            is_new = await self._engine.start(order, spec)
        except Unavailable:
            self._availability.mark_down()
            return await self._keep(order)
        if is_new:
            log.info("run started", extra={"run_id": run_id, "tenant": order.tenant, "pipeline": spec.name})
            return _answer(order, "running", 201)
        return await self._repeated(order)

    def _spec(self, name: str) -> PipelineSpec:
        spec = self._pipelines.get(name)
        if spec is None:
            known = ", ".join(sorted(self._pipelines)) or "none are installed"
            raise InvalidInput(
                f"there is no pipeline {name[:60]!r}; known are: {known}",
                field="pipeline",
                code="unknown_pipeline",
            )
        return spec

    async def _run_id(self, call: Call, request: StartRun) -> str:
        given = parse_run_id(request.run_id) if request.run_id is not None else None
        key = _idempotency_key(call)
        if key is None:
            return given or new_run_id(request.pipeline)
        return await self._keys.run_id(call.principal.tenant, key, given)

    async def _if_waiting(self, call: Call, request: StartRun, order: StartRequest) -> Response | None:
        """What an earlier start of this id means for this one, while that one still waits. An id of our own making is new."""
        if request.run_id is None and _idempotency_key(call) is None:
            return None
        earlier = await self._waiting.find(order.run_id)
        if earlier is not None and earlier.digest != order.digest:
            raise _other_order(order.run_id)
        return _answer(order, "cancelled", 200) if earlier is not None and earlier.is_withdrawn else None

    async def _keep(self, order: StartRequest) -> Response:
        """Temporal is away: the order waits, durably, and the run starts when Temporal is back."""
        kept = await self._waiting.enqueue(order)
        if kept.digest != order.digest:
            raise _other_order(order.run_id)
        if kept.is_withdrawn:
            return _answer(order, "cancelled", 200)
        log.warning("run queued: Temporal is away", extra={"run_id": order.run_id, "tenant": order.tenant})
        return _answer(order, "queued", 202)

    async def _repeated(self, order: StartRequest) -> Response:
        """A run of this id exists: the same order gives the same run; anything else is refused without telling whose it is."""
        found = await self._engine.describe(order.run_id)
        if found is None or found.tenant != order.tenant or found.digest != order.digest:
            raise _other_order(order.run_id)
        return _answer(order, found.status, 200)


class _Digested(Struct, frozen=True):
    pipeline: str
    input: Struct
    priority: int | None


def order_of(
    request: StartRun, spec: PipelineSpec, run_id: str, principal: Principal, keys: KeyRing | None
) -> StartRequest:
    """Check the input against the contract, seal its secrets, and make the order.

    Raises:
        InvalidInput: fields of the input are wrong; paths begin with `input.`.
        Unavailable: the input holds a secret, and this gateway has no keys.
    """
    given = validation.decode(spec.input, request.input, at="input")
    seal, fingerprint = (keys.seal_hook, keys.fingerprint_hook) if keys is not None else (_no_keys, _no_keys)
    # Of the decoded input, so spacing, order and spelled-out defaults make no other order.
    told = msgspec.json.encode(
        _Digested(spec.name, given, request.priority), enc_hook=fingerprint, order="sorted"
    )
    return StartRequest(
        run_id=run_id,
        pipeline=spec.name,
        input=msgspec.Raw(msgspec.json.encode(given, enc_hook=seal)),
        tenant=principal.tenant,
        started_by=principal.name,
        digest=hashlib.sha256(told).hexdigest(),
        priority=request.priority,
    )


def _no_keys(_value: object) -> object:
    raise Unavailable(
        "this gateway has no payload keys, so it takes no secrets; an operator sets them",
        code="secrets_unavailable",
    )


class IdempotencyKeys:
    """Which run an `Idempotency-Key` stands for, per tenant."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def run_id(self, tenant: str, key: str, given: str | None) -> str:
        """The run id of the key: the first one used with it, `given` or derived.

        Raises:
            Conflict: the key was used with another run id.
        """
        derived = f"run-{derived_id(tenant, key)}"
        name = f"signalbox:idempotency:{derived}"
        try:
            await self._redis.set(name, given or derived, nx=True, ex=_KEY_LIFETIME_S)
            held = await self._redis.get(name)
        except RedisError:
            # The run id alone makes the start idempotent, and a start must not need Redis.
            log.warning("idempotency key not checked: Redis is away", extra={"tenant": tenant})
            return given or derived
        holder = (held.decode() if isinstance(held, bytes) else held) or given or derived
        if given is not None and holder != given:
            raise Conflict(
                f"the Idempotency-Key already stands for run {holder}; use a new key for another run",
                code="key_reused",
            )
        return holder


def _idempotency_key(call: Call) -> str | None:
    key = call.request.headers.get("idempotency-key")
    if key is not None and not 1 <= len(key) <= 255:
        raise InvalidInput(
            "the header Idempotency-Key must have 1 to 255 characters", field="Idempotency-Key"
        )
    return key


def _answer(order: StartRequest, status: RunStatus, http_status: int) -> Response:
    body = Started(run_id=order.run_id, pipeline=order.pipeline, status=status, links=links(order.run_id))
    return json_response(body, http_status, {"location": body.links["self"]})


def _other_order(run_id: str) -> Conflict:
    return Conflict(
        f"the run id {run_id} is taken by another request; send the identical request to get its run, or choose a new run_id or key",
        field="run_id",
        code="run_id_taken",
    )
