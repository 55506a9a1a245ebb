"""A task queue sized by autoscaler processes, with access to its runs, ledger, decision log and workers."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from datetime import UTC
from pathlib import Path

from redis.asyncio import Redis
from temporalio.api.worker.v1 import WorkerHeartbeat
from temporalio.api.workflowservice.v1 import ListWorkersRequest
from temporalio.client import Client, WorkflowHandle

from signalbox_autoscaler.actuate.launch_ledger import LEASE_KEYS, LaunchLedger
from signalbox_autoscaler.audit.decision_log import DecisionLog
from signalbox_autoscaler.model import Launch, ScalingDecisionRecord
from signalbox_core.redis.client import open_redis
from signalbox_core.redis.lease import Lease
from signalbox_core.temporal import connect
from signalbox_core.temporal.names import MEMO_TENANT
from support.installed.nap.contract import NapInput, NapResult
from support.servers.autoscaler import autoscaler, autoscaler_environment
from support.servers.nap_worker import nap_environment, nap_worker

POLICY = {
    "slots_per_worker": 20,
    "workers_per_launch": 1,
    "slo_s": 10,
    "cold_start_s": 4,
    "idle_exit_s": 4,
    "heartbeat_s": 1,
}


class Scaled:
    """Drives one task queue.

    Attributes:
        queue: unique, so that tests on one server do not share a backlog.
    """

    def __init__(
        self, client: Client, redis: Redis, folder: Path, *, temporal_address: str, redis_url: str
    ) -> None:
        self.queue = f"nap-{uuid.uuid4().hex[:8]}"
        self.redis = redis
        self.folder = folder
        self._client = client
        self._temporal_address = temporal_address
        self._redis_url = redis_url
        self._log = DecisionLog(redis)

    def worker_environment(self, **settings: object) -> dict[str, str]:
        return nap_environment(
            self.folder, self._temporal_address, self._redis_url, queue=self.queue, **settings
        )

    @contextlib.asynccontextmanager
    async def base(self, *, slots: int = 10) -> AsyncIterator[asyncio.subprocess.Process]:
        async with nap_worker(
            self.worker_environment(max_activities=slots), self.folder / "base.log"
        ) as process:
            yield process

    @contextlib.asynccontextmanager
    async def autoscaler(
        self, policy: dict[str, object] | None = None, *, log: str = "autoscaler.log", **settings: object
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        merged = {**POLICY, **(policy or {})}
        text = f"[queues.{self.queue}]\n" + "".join(f"{name} = {value}\n" for name, value in merged.items())
        merged_settings = {"provider": "local", "local_folder": self.folder / "launches", **settings}
        environment = autoscaler_environment(
            self.folder,
            self._temporal_address,
            self._redis_url,
            text,
            self.worker_environment(),
            **merged_settings,
        )
        async with autoscaler(environment, self.folder / log) as process:
            yield process

    async def start(self, request: NapInput) -> WorkflowHandle[object, NapResult]:
        run_id = f"nap-{uuid.uuid4().hex[:8]}"
        return await self._client.start_workflow(
            "nap",
            request,
            id=run_id,
            task_queue=self.queue,
            memo={MEMO_TENANT: "acme"},
            result_type=NapResult,
        )

    async def launches(self) -> list[Launch]:
        """The open launches of the queue."""
        return [
            launch
            for launch in await LaunchLedger(self.redis, Lease(self.redis, LEASE_KEYS)).launches()
            if launch.queue == self.queue
        ]

    async def records(self) -> list[ScalingDecisionRecord]:
        """Every decision, oldest first."""
        return list(reversed(await self._log.newest(self.queue, limit=2_000)))

    async def launched(self) -> list[Launch]:
        """The launches of all decisions."""
        return [launch for record in await self.records() for launch in record.launches]

    async def last(self) -> ScalingDecisionRecord | None:
        found = await self._log.newest(self.queue, limit=1)
        return found[0] if found else None

    async def heartbeats(self) -> list[WorkerHeartbeat]:
        """The last heartbeats of the burst workers, newest first."""
        request = ListWorkersRequest(namespace="default", query=f'TaskQueue = "{self.queue}"')
        found = [
            info.worker_heartbeat
            for info in (await self._client.workflow_service.list_workers(request)).workers_info
        ]
        bursts = [beat for beat in found if beat.worker_identity.startswith("burst:")]
        return sorted(bursts, key=lambda beat: beat.heartbeat_time.ToDatetime(UTC), reverse=True)


@contextlib.asynccontextmanager
async def scaled_queue(folder: Path, temporal_address: str, redis_url: str) -> AsyncIterator[Scaled]:
    """A new queue. Redis is flushed first, because all queues share one lease."""
    client = await connect(temporal_address, "default")
    async with open_redis(redis_url) as redis:
        await redis.flushall()
        yield Scaled(client, redis, folder, temporal_address=temporal_address, redis_url=redis_url)
