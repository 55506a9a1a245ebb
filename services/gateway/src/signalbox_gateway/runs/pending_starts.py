"""Starts that wait because Temporal was away: kept by Pub/Sub, seen in Redis.

An accepted start is an acknowledged message of the topic `start-requests`; Redis holds only what people see of it, and
which of start and withdrawal came first. A Redis that lost it learns it again from the next delivery.
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
from signalbox_core.ids import derived_id
from signalbox_core.pipeline.contract.messages import CancelReason
from signalbox_core.pubsub import Publisher
from signalbox_core.redis.client import unavailable_when_away
from signalbox_core.secret import encode_hook
from signalbox_core.topology import START_REQUESTS
from signalbox_gateway.runs.temporal import StartRequest

log = logging.getLogger(__name__)
REQUESTED: Final = "start.requested"
WITHDRAWN: Final = "start.withdrawn"
_SEALED_AS: Final = b"signalbox start request"
_CLAIMED: Final = timedelta(seconds=60)
_KEPT: Final = timedelta(days=7)
Fate = Literal["starting", "withdrawn"]


class WaitingStart(Struct, frozen=True, kw_only=True):
    """What is shown of a start that waits; its input is in the message alone."""

    run_id: str
    pipeline: str
    tenant: str
    started_by: str
    digest: str
    requested_at: datetime
    is_withdrawn: bool = False


class Withdrawal(Struct, frozen=True, kw_only=True):
    """The data of `start.withdrawn`."""

    run_id: str
    reason: CancelReason


class _Sealed(Struct, frozen=True, kw_only=True):
    """A request sealed under the key `key_id`; both fields are empty for one that is not sealed."""

    key_id: str = ""
    sealed: bytes = b""


class WaitingStarts:
    """Accepts, shows and withdraws starts while Temporal is away. With a ring of keys, what the topic holds of them is sealed."""

    def __init__(self, redis: Redis, publisher: Publisher, ring: KeyRing | None = None) -> None:
        self._redis = redis
        self._publisher = publisher
        self._ring = ring

    async def keep(self, request: StartRequest[Struct]) -> WaitingStart:
        """Store the request durably, unless another one with its run id is queued; returns the one that is.

        Raises:
            Unavailable: Pub/Sub is unavailable too, or the input is too large for a message.
        """
        wanted = _shown(request, datetime.now(UTC))
        is_ours, found = await self._claim(wanted)
        if found.digest != request.digest or found.is_withdrawn:
            return found
        try:
            await self._publish(REQUESTED, found, self._sealed(request))
        except (Unavailable, InvalidInput) as error:
            if is_ours:
                await self._forget(request.run_id)
            raise Unavailable(
                f"Temporal is away, and the start could not be kept: {error.detail}",
                code="temporal_unavailable",
            ) from error
        await self._remember(request.run_id)
        return found

    def request_in(self, data: bytes) -> StartRequest[msgspec.Raw]:
        """The request in the data of a `start.requested`; its input is not decoded yet.

        Raises:
            msgspec.DecodeError: the data is not a request.
            Unavailable: the key it is sealed with is not (yet) here.
        """
        sealed = msgspec.json.decode(data, type=_Sealed)
        if not sealed.key_id:
            return msgspec.json.decode(data, type=StartRequest[msgspec.Raw])
        if self._ring is None:
            raise Unavailable("a start request is sealed and there are no payload keys here")
        opened = self._ring.open(sealed.key_id, sealed.sealed, _SEALED_AS)
        return msgspec.json.decode(opened, type=StartRequest[msgspec.Raw])

    def _sealed(self, request: StartRequest[Struct]) -> Struct:
        if self._ring is None:
            return request
        encoded = msgspec.json.encode(request, enc_hook=encode_hook)
        key_id, sealed = self._ring.seal(encoded, _SEALED_AS)
        return _Sealed(key_id=key_id, sealed=sealed)

    async def show_again(self, request: StartRequest[msgspec.Raw], requested_at: datetime) -> None:
        """Make a delivered request visible, in case Redis has lost it."""
        await self._claim(_shown(request, requested_at), _KEPT)

    async def find(self, run_id: str) -> WaitingStart | None:
        """What waits (or was withdrawn) under this run id. Without Redis nobody knows: None."""
        try:
            fields = cast("Mapping[bytes, bytes]", await self._redis.hgetall(_key(run_id)))
        except RedisError:
            return None
        return _decoded(fields)

    async def withdraw(self, run_id: str, reason: CancelReason) -> WaitingStart | None:
        """See that the start is not made, or is cancelled at once if it is being made just now; None when nothing waits.

        Raises:
            Unavailable: Redis or Pub/Sub is away; nothing was changed.
        """
        waiting = await self.find(run_id)
        if waiting is None or waiting.is_withdrawn:
            return waiting
        with unavailable_when_away(f"start of {run_id}"):
            is_first = await self._set_fate(run_id, "withdrawn")
        try:
            await self._publish(WITHDRAWN, waiting, Withdrawal(run_id=run_id, reason=reason))
        except Unavailable:
            if is_first:
                await self._clear_fate(run_id)
            raise
        return msgspec.structs.replace(waiting, is_withdrawn=is_first)

    async def take(self, run_id: str) -> bool:
        """Begin to start; False when it was withdrawn. Without Redis the withdrawal that follows in the topic cancels the run."""
        try:
            return (
                await self._set_fate(run_id, "starting")
                or await self._redis.hget(_key(run_id), "fate") == b"starting"
            )
        except RedisError:
            return True

    async def put_back(self, run_id: str) -> None:
        """It could not be started yet."""
        await self._clear_fate(run_id)

    async def drop(self, run_id: str) -> None:
        """It is started: the run speaks for itself."""
        await self._forget(run_id)

    async def _claim(self, wanted: WaitingStart, kept: timedelta = _CLAIMED) -> tuple[bool, WaitingStart]:
        """Show it, unless its run id waits already; what is shown then. A claim of a process that died goes by itself."""
        key = _key(wanted.run_id)
        try:
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.hsetnx(key, "start", msgspec.json.encode(wanted))
                pipe.hgetall(key)
                is_ours, fields = await pipe.execute()
            if is_ours:
                await self._redis.expire(key, kept)
        except RedisError:
            log.warning("a waiting start is not shown: Redis is away", extra={"run_id": wanted.run_id})
            return False, wanted
        return bool(is_ours), _decoded(fields) or wanted

    async def _set_fate(self, run_id: str, fate: Fate) -> bool:
        """Whoever is first decides."""
        key = _key(run_id)
        is_first = bool(await self._redis.hsetnx(key, "fate", fate))
        if is_first:
            await self._redis.expire(key, _KEPT)
        return is_first

    async def _clear_fate(self, run_id: str) -> None:
        try:
            await self._redis.hdel(_key(run_id), "fate")
        except RedisError:
            log.warning("a waiting start was not put back: Redis is away", extra={"run_id": run_id})

    async def _remember(self, run_id: str) -> None:
        # Changes nothing when the run was started in between and its entry is gone.
        try:
            await self._redis.expire(_key(run_id), _KEPT)
        except RedisError:
            log.warning("a waiting start is not shown: Redis is away", extra={"run_id": run_id})

    async def _forget(self, run_id: str) -> None:
        try:
            await self._redis.delete(_key(run_id))
        except RedisError:
            log.warning(
                "a waiting start is shown for longer than it waits: Redis is away", extra={"run_id": run_id}
            )

    async def _publish(self, name: str, start: WaitingStart, data: Struct) -> None:
        event = CloudEvent(
            id=derived_id(start.run_id, name, start.digest),
            source="/signalbox/gateway",
            type=full_type(name),
            time=datetime.now(UTC),
            subject=start.run_id,
            tenantid=start.tenant,
            runid=start.run_id,
            data=msgspec.Raw(msgspec.json.encode(data)),
        )
        # One key a run, so a withdrawal is never delivered before the request that it withdraws is settled.
        await self._publisher.publish(START_REQUESTS, event, ordering_key=start.run_id)


def _shown(request: StartRequest[Any], requested_at: datetime) -> WaitingStart:
    return WaitingStart(
        run_id=request.run_id,
        pipeline=request.pipeline,
        tenant=request.tenant,
        started_by=request.started_by,
        digest=request.digest,
        requested_at=requested_at,
    )


def _decoded(fields: Mapping[bytes, bytes]) -> WaitingStart | None:
    if b"start" not in fields:
        return None
    start = msgspec.json.decode(fields[b"start"], type=WaitingStart)
    return msgspec.structs.replace(start, is_withdrawn=fields.get(b"fate") == b"withdrawn")


def _key(run_id: str) -> str:
    return f"signalbox:waiting:{{{run_id}}}"
