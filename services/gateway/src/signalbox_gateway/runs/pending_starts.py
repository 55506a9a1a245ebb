"""Starts accepted while Temporal is unavailable: durable in Pub/Sub, visible through Redis.

An accepted start is a message on the topic `start-requests`. Redis stores what the API shows of it, and
whether start or withdrawal came first. If Redis loses an entry, the next delivery of the message restores it.
"""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, cast

import msgspec
from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import RedisError

from signalbox_core.crypto.sealing import KeyRing
from signalbox_core.errors import InvalidInput, Unavailable
from signalbox_core.events import CloudEvent, full_type
from signalbox_core.ids import derived_id, run_id_of, run_key
from signalbox_core.pipeline.contract.messages import CancelReason
from signalbox_core.pubsub import Publisher
from signalbox_core.redis.client import disk_problem, map_redis_errors
from signalbox_core.secret import encode_hook
from signalbox_core.subjects import Subject
from signalbox_core.topology import START_REQUESTS
from signalbox_core.traces import current_context
from signalbox_gateway.runs.starts.start_request import StartRequest

log = logging.getLogger(__name__)
REQUESTED: Final = "start.requested"
WITHDRAWN: Final = "start.withdrawn"
_SEAL_CONTEXT: Final = b"signalbox start request"
_UNPUBLISHED_TTL: Final = timedelta(seconds=60)
_TTL: Final = timedelta(days=7)
PendingState = Literal["starting", "withdrawn"]


class PendingStart(Struct, frozen=True, kw_only=True):
    """What the API shows of a pending start; its input is only in the message."""

    run_id: str
    pipeline: str
    tenant: str
    started_by: str
    digest: str
    requested_at: datetime
    is_withdrawn: bool = False
    starter: Subject | None = None
    tags: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return run_key(self.tenant, self.run_id)


class Withdrawal(Struct, frozen=True, kw_only=True):
    """The data of `start.withdrawn`."""

    run_id: str
    reason: CancelReason


class _SealedRequest(Struct, frozen=True, kw_only=True):
    """A start request sealed with the key `key_id`; both fields are empty when the request is not sealed."""

    key_id: str = ""
    sealed: bytes = b""


class PendingStarts:
    """Accepts, shows and withdraws starts while Temporal is unavailable. A key ring seals the messages."""

    def __init__(self, redis: Redis, publisher: Publisher, ring: KeyRing | None = None) -> None:
        self._redis = redis
        self._publisher = publisher
        self._ring = ring

    async def enqueue(self, request: StartRequest[Struct]) -> PendingStart:
        """Publish the request durably; idempotent by run key and digest.

        Returns:
            The pending start of this run key: this request's, or that of another request that came first.

        Raises:
            Unavailable: Pub/Sub is unavailable too, or the input is too large for a message.
        """
        wanted = _pending_start(request, datetime.now(UTC))
        is_new, found = await self._record(wanted)
        if found.digest != request.digest or found.is_withdrawn:
            return found
        try:
            await self._publish(REQUESTED, found, self._encode_request(request))
        except (Unavailable, InvalidInput) as error:
            if is_new:
                await self._delete(request.key)
            raise Unavailable(
                f"Temporal is unavailable, and the start could not be queued: {error.detail}"
                f"{await self._disk_problem()}",
                code="temporal_unavailable",
            ) from error
        await self._extend(request.key)
        return found

    def decode_request(self, data: bytes) -> StartRequest[msgspec.Raw]:
        """Decode the data of a `start.requested` event.

        Raises:
            msgspec.DecodeError: the data is not a start request.
            Unavailable: the key it is sealed with is not configured here (yet).
        """
        sealed = msgspec.json.decode(data, type=_SealedRequest)
        if not sealed.key_id:
            return msgspec.json.decode(data, type=StartRequest[msgspec.Raw])
        if self._ring is None:
            raise Unavailable("a start request is sealed, but this gateway has no payload keys")
        opened = self._ring.open(sealed.key_id, sealed.sealed, _SEAL_CONTEXT)
        return msgspec.json.decode(opened, type=StartRequest[msgspec.Raw])

    def _encode_request(self, request: StartRequest[Struct]) -> Struct:
        if self._ring is None:
            return request
        key_id, sealed = self._ring.seal(msgspec.json.encode(request, enc_hook=encode_hook), _SEAL_CONTEXT)
        return _SealedRequest(key_id=key_id, sealed=sealed)

    async def restore(self, request: StartRequest[msgspec.Raw], requested_at: datetime) -> None:
        """Restore the Redis entry of a delivered request, in case Redis has lost it."""
        await self._record(_pending_start(request, requested_at), _TTL)

    async def find(self, key: str) -> PendingStart | None:
        """The pending or withdrawn start of this run key; None also while Redis is unavailable."""
        try:
            fields = cast("Mapping[bytes, bytes]", await self._redis.hgetall(_redis_key(key)))
        except RedisError:
            return None
        return _decoded(fields)

    async def withdraw(self, key: str, reason: CancelReason) -> PendingStart | None:
        """Withdraw a pending start. A start in progress is cancelled by the withdrawal message.

        Returns:
            None when no start is pending under this run key.

        Raises:
            Unavailable: Redis or Pub/Sub is unavailable; nothing was changed.
        """
        waiting = await self.find(key)
        if waiting is None or waiting.is_withdrawn:
            return waiting
        with map_redis_errors(f"start of {waiting.run_id}"):
            is_first = await self._set_state(key, "withdrawn")
        try:
            await self._publish(WITHDRAWN, waiting, Withdrawal(run_id=waiting.run_id, reason=reason))
        except Unavailable:
            if is_first:
                await self._clear_state(key)
            raise
        return msgspec.structs.replace(waiting, is_withdrawn=is_first)

    async def claim(self, key: str) -> bool:
        """Claim the start; False when it was withdrawn.

        True while Redis is unavailable: a withdrawal that follows in the topic then cancels the run.
        """
        try:
            return (
                await self._set_state(key, "starting")
                or await self._redis.hget(_redis_key(key), "fate") == b"starting"
            )
        except RedisError:
            return True

    async def release(self, key: str) -> None:
        """Give up a claim, because the run could not be started yet."""
        await self._clear_state(key)

    async def complete(self, key: str) -> None:
        """Remove the entry of a start that succeeded or failed permanently."""
        await self._delete(key)

    async def _disk_problem(self) -> str:
        """Backends on one machine often share a disk, and Redis is the one that reports that it is full."""
        try:
            await self._redis.ping()
        except RedisError as error:
            return f"; {problem}" if (problem := disk_problem(error)) else ""
        return ""

    async def _record(
        self, wanted: PendingStart, ttl: timedelta = _UNPUBLISHED_TTL
    ) -> tuple[bool, PendingStart]:
        """Create the entry unless the run key has one. It expires if this process dies before publishing.

        Returns:
            Whether the entry is new, and the entry that exists now.
        """
        key = _redis_key(wanted.key)
        try:
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.hsetnx(key, "start", msgspec.json.encode(wanted))
                pipe.hgetall(key)
                is_new, fields = await pipe.execute()
            if is_new:
                await self._redis.expire(key, ttl)
        except RedisError:
            log.warning("pending start not visible: Redis is unavailable", extra={"run_id": wanted.run_id})
            return False, wanted
        return bool(is_new), _decoded(fields) or wanted

    async def _set_state(self, key: str, state: PendingState) -> bool:
        """Set the state if it is unset; the first writer wins."""
        stored = _redis_key(key)
        is_first = bool(await self._redis.hsetnx(stored, "fate", state))
        if is_first:
            await self._redis.expire(stored, _TTL)
        return is_first

    async def _clear_state(self, key: str) -> None:
        try:
            await self._redis.hdel(_redis_key(key), "fate")
        except RedisError:
            log.warning("pending start not released: Redis is unavailable", extra={"run_id": run_id_of(key)})

    async def _extend(self, key: str) -> None:
        # No effect when the run was started in the meantime and its entry was deleted.
        try:
            await self._redis.expire(_redis_key(key), _TTL)
        except RedisError:
            log.warning("pending start not visible: Redis is unavailable", extra={"run_id": run_id_of(key)})

    async def _delete(self, key: str) -> None:
        try:
            await self._redis.delete(_redis_key(key))
        except RedisError:
            log.warning(
                "entry of a started run not deleted: Redis is unavailable", extra={"run_id": run_id_of(key)}
            )

    async def _publish(self, name: str, start: PendingStart, data: Struct) -> None:
        trace = current_context()
        event = CloudEvent(
            id=derived_id(start.key, name, start.digest),
            source="/signalbox/gateway",
            type=full_type(name),
            time=datetime.now(UTC),
            subject=start.run_id,
            tenantid=start.tenant,
            runid=start.run_id,
            traceparent=trace.traceparent if trace is not None else None,
            data=msgspec.Raw(msgspec.json.encode(data)),
        )
        # One ordering key per run, so a withdrawal is delivered only after its request was handled.
        await self._publisher.publish(START_REQUESTS, event, ordering_key=start.key)


def _pending_start(request: StartRequest[Any], requested_at: datetime) -> PendingStart:
    return PendingStart(
        run_id=request.run_id,
        pipeline=request.pipeline,
        tenant=request.tenant,
        started_by=request.started_by,
        starter=request.starter,
        tags=request.tags,
        digest=request.digest,
        requested_at=requested_at,
    )


def _decoded(fields: Mapping[bytes, bytes]) -> PendingStart | None:
    if b"start" not in fields:
        return None
    start = msgspec.json.decode(fields[b"start"], type=PendingStart)
    return msgspec.structs.replace(start, is_withdrawn=fields.get(b"fate") == b"withdrawn")


def _redis_key(key: str) -> str:
    return f"signalbox:waiting:{{{key}}}"
