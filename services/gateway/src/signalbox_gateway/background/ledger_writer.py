"""Writes recorded events from Pub/Sub to the tenants' ledgers; the gateways elect one that writes."""

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from msgspec import Struct
from redis.asyncio import Redis

from signalbox_core.bounded_dict import BoundedDict
from signalbox_core.errors import InvalidInput, SignalboxError, Unavailable
from signalbox_core.events import CloudEvent
from signalbox_core.ledger.entries import is_recorded
from signalbox_core.ledger.log import TenantLog
from signalbox_core.ledger.notes import NoteSigner, read_signer
from signalbox_core.process.tasks import cancel_and_wait
from signalbox_core.pubsub import EventSource, Received, SubscriberLimits
from signalbox_core.redis.lease import LEASE_TTL, Lease, LeaseKeys
from signalbox_gateway.http.metrics import LedgerMetrics

log = logging.getLogger(__name__)
LEASE_KEYS: Final = LeaseKeys(lease="signalbox:{ledger}:lease", epoch="signalbox:{ledger}:fence")
# Google Cloud Storage limits the writes of one object, here the checkpoint, to about one a second.
FLUSH_INTERVAL: Final = timedelta(seconds=1)
LEDGER_LIMITS: Final = SubscriberLimits(concurrency=1_000, max_outstanding=1_000)
_MAX_BATCH: Final = 1_000
_MAX_LOGS: Final = 1_000


class _QueuedEvent(Struct, frozen=True):
    event: CloudEvent
    written: "asyncio.Future[None]"


class LedgerWriter:
    """Appends events in batches. An event is acknowledged once a checkpoint covers its entry.

    The lease keeps the work with one gateway; two writers at once lose and double nothing (`TenantLog`).

    Args:
        source: the subscription `ledger`.
        open_log: opens the log of a tenant.
        interval: the least time between two checkpoints of a tenant.
    """

    def __init__(
        self,
        redis: Redis,
        source: EventSource,
        open_log: Callable[[str], TenantLog],
        metrics: LedgerMetrics,
        *,
        interval: timedelta = FLUSH_INTERVAL,
        ttl: timedelta = LEASE_TTL,
    ) -> None:
        self._source = source
        self._open_log = open_log
        self._metrics = metrics
        self._interval_s = interval.total_seconds()
        self._ttl = ttl
        self._lease = Lease(redis, LEASE_KEYS, ttl=ttl)
        self._logs = BoundedDict[str, TenantLog](_MAX_LOGS)
        self._queues: defaultdict[str, deque[_QueuedEvent]] = defaultdict(deque)
        self._arrived = asyncio.Event()
        self._failures: dict[str, str] = {}
        metrics.observe_lag(self.lag_s)

    async def run(self) -> None:
        """Write while leading, until cancelled."""
        try:
            while True:
                await self._write_if_leading()
                await asyncio.sleep(self._ttl.total_seconds() / 3)
        finally:
            await self._lease.release()

    async def is_healthy(self) -> bool:
        """Whether the last batch of every tenant was written.

        Raises:
            Unavailable: one was not; the message names the cause.
        """
        for failure in self._failures.values():
            raise Unavailable(failure)
        return True

    def lag_s(self) -> float:
        """The age of the oldest event that waits to be written, in seconds; 0 when none waits."""
        waiting = [queue[0].event.time for queue in self._queues.values() if queue]
        return max(0.0, (datetime.now(UTC) - min(waiting)).total_seconds()) if waiting else 0.0

    async def record(self, received: Received) -> None:
        """Queue one event and wait until it is in the ledger.

        Raises:
            Unavailable: it could not be written; the event is redelivered.
        """
        event = received.event
        if not is_recorded(event.name):
            return
        queued = _QueuedEvent(event, asyncio.get_running_loop().create_future())
        self._queues[event.tenantid].append(queued)
        self._arrived.set()
        await queued.written

    async def _write_if_leading(self) -> None:
        try:
            if await self._lease.renew() is None:
                return
            # Another gateway may have appended since this one led before.
            self._logs.clear()
            async with self._lease.renewed():
                await self._write()
        except* Unavailable as errors:
            log.warning("ledger writer stopped leading", extra={"error": str(errors.exceptions[0])[:300]})

    async def _write(self) -> None:
        async with asyncio.TaskGroup() as group:
            flushing = group.create_task(self._flush_until_cancelled())
            try:
                await self._source.run(self.record)
            finally:
                self._queues.clear()
                await cancel_and_wait(flushing)

    async def _flush_until_cancelled(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            async with asyncio.TaskGroup() as group:
                for tenant in [tenant for tenant, queue in self._queues.items() if queue]:
                    group.create_task(self._flush(tenant))
            for tenant in [tenant for tenant, queue in self._queues.items() if not queue]:
                del self._queues[tenant]
            if self._queues:
                self._arrived.set()
            await asyncio.sleep(self._interval_s)

    async def _flush(self, tenant: str) -> None:
        queue = self._queues[tenant]
        batch = [queue.popleft() for _ in range(min(len(queue), _MAX_BATCH))]
        try:
            added = await self._log_of(tenant).append([item.event for item in batch])
        except SignalboxError as error:
            self._fail(tenant, batch, error.detail)
            return
        except Exception:  # edge: a bug that one tenant's event reaches must not stop the others
            log.exception("ledger not written", extra={"tenant": tenant})
            self._fail(tenant, batch, "internal error; see the log")
            return
        self._failures.pop(tenant, None)
        self._metrics.entries.inc(added)
        for item in batch:
            if not item.written.done():
                item.written.set_result(None)

    def _fail(self, tenant: str, batch: list[_QueuedEvent], detail: str) -> None:
        """Fail the batch as unavailable: a rejected event would be acknowledged, and never be recorded."""
        self._failures[tenant] = f"ledger of {tenant}: {detail}"
        self._metrics.failures.inc()
        log.error("ledger not written", extra={"tenant": tenant, "events": len(batch), "error": detail})
        for item in batch:
            if not item.written.done():
                item.written.set_exception(Unavailable(detail))

    def _log_of(self, tenant: str) -> TenantLog:
        found = self._logs.get(tenant)
        if found is None:
            found = self._logs[tenant] = self._open_log(tenant)
        return found


def read_signers(key_file: str | None, witness_key_file: str | None) -> list[NoteSigner]:
    """Read the keys that sign checkpoints; without a key of the log no ledger is kept.

    Raises:
        InvalidInput: a file is not a key, or its key has the other use; the message names it.
    """
    if key_file is None:
        return []
    signer = read_signer(Path(key_file))
    if signer.verifier.use != "log":
        raise InvalidInput(f"{key_file} is the key of a witness, not of a log", field="ledger_key_file")
    if witness_key_file is None:
        return [signer]
    witness = read_signer(Path(witness_key_file))
    if witness.verifier.use != "witness":
        raise InvalidInput(
            f"{witness_key_file} is the key of a log, not of a witness; "
            "create one: signalbox-admin audit new-key --witness",
            field="ledger_witness_key_file",
        )
    return [signer, witness]
