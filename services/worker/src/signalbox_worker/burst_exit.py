"""When a burst worker exits: idle, retired, or past its lifetime. Its exit is a graceful shutdown."""

import asyncio
import logging
import os
import random
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import RedisError
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from signalbox_core.errors import InvalidInput, Unavailable
from signalbox_core.redis.client import map_redis_errors
from signalbox_core.scaling.burst import retire_key
from signalbox_worker.activity_slots import ActivitySlots
from signalbox_worker.settings import Settings

log = logging.getLogger(__name__)

POLL_WAIT_VARIABLE: Final = "TEMPORAL_POLL_SHUTDOWN_INTERRUPT_WAIT_MS"
"""How long the SDK waits at shutdown for open polls; without it the tasks that they receive are lost."""
POLL_WAIT_MS: Final = 3_000
_INDEX_VARIABLES: Final = ("SIGNALBOX_WORKER_BURST_INDEX", "CLOUD_RUN_TASK_INDEX", "JOB_COMPLETION_INDEX")
_CHECK_INTERVAL_S: Final = 1.0
_MAX_LIFETIME_FACTOR: Final = 1.25
_MAX_IDLE_FACTOR: Final = 4
_JITTER: Final = 0.1
_RPC_TIMEOUT: Final = timedelta(seconds=2)


class BurstLimits(Struct, frozen=True, kw_only=True):
    """When to exit.

    Attributes:
        idle_s: after this long without an activity and with no backlog; after four times as long in any case
            (a queue may be paused, and tasks of ended runs stay until a worker discards them).
        lifetime_s: at this age with no backlog; at 1.25 times this age in any case.
    """

    idle_s: float
    lifetime_s: float


def burst_limits(settings: Settings, rng: random.Random) -> BurstLimits:
    """Return the limits, with the lifetime shortened by up to 10 % so that a launch's workers exit apart."""
    lifetime_s = settings.burst_max_lifetime_s * (1 - rng.uniform(0, _JITTER))
    return BurstLimits(idle_s=settings.burst_idle_s, lifetime_s=lifetime_s)


def exit_reason(
    limits: BurstLimits, *, age_s: float, idle_s: float, is_retired: bool, backlog: int | None
) -> str | None:
    """Return why to drain now; None to keep running.

    Args:
        idle_s: 0 while an activity runs.
        backlog: waiting tasks; None when unknown, which counts as a backlog.
    """
    if is_retired:
        return "retired"
    if idle_s >= limits.idle_s * _MAX_IDLE_FACTOR or (idle_s >= limits.idle_s and backlog == 0):
        return "idle"
    if age_s >= limits.lifetime_s * _MAX_LIFETIME_FACTOR or (age_s >= limits.lifetime_s and backlog == 0):
        return "old"
    return None


def worker_index(environ: Mapping[str, str]) -> int:
    """Return this worker's index within its launch: our variable, Cloud Run's or a Kubernetes Job's.

    Raises:
        InvalidInput: the variable is not a number.
    """
    for name in _INDEX_VARIABLES:
        if name in environ:
            if not environ[name].isdecimal():
                raise InvalidInput(
                    f"{name} must be a whole number from 0 (it is {environ[name]!r})", field=name
                )
            return int(environ[name])
    return 0


def configure_poll_wait() -> None:
    """Let shutdown wait for open polls. Must be called before the SDK starts."""
    os.environ.setdefault(POLL_WAIT_VARIABLE, str(POLL_WAIT_MS))


class BurstExitMonitor:
    """Checks every second whether the worker should exit."""

    def __init__(
        self,
        slots: ActivitySlots,
        limits: BurstLimits,
        *,
        client: Client,
        redis: Redis | None,
        task_queues: Sequence[str],
    ) -> None:
        self._slots = slots
        self._limits = limits
        self._client = client
        self._redis = redis
        self._task_queues = task_queues
        self._started_at = time.monotonic()

    async def run(self, stop: asyncio.Event) -> None:
        """Set `stop` when the worker should exit; return then, or when it is set elsewhere."""
        while not stop.is_set():
            age_s, idle_s = time.monotonic() - self._started_at, self._slots.idle_s()
            may_exit = age_s >= self._limits.lifetime_s or idle_s >= self._limits.idle_s
            backlog = await self._backlog() if may_exit else None
            reason = exit_reason(
                self._limits, age_s=age_s, idle_s=idle_s, is_retired=await self._is_retired(), backlog=backlog
            )
            if reason is not None:
                log.info(
                    "burst worker exits",
                    extra={"reason": reason, "age_s": round(age_s, 1), "running": self._slots.used},
                )
                stop.set()
                return
            await asyncio.sleep(_CHECK_INTERVAL_S)

    async def _is_retired(self) -> bool:
        if self._redis is None:
            return False
        try:
            with map_redis_errors("retirement"):
                return bool(await self._redis.exists(retire_key(self._client.identity)))
        except (Unavailable, RedisError):
            return False  # the idle and lifetime limits still apply

    async def _backlog(self) -> int | None:
        try:
            return sum([await self._queue_backlog(queue) for queue in self._task_queues])
        except RPCError:
            return None

    async def _queue_backlog(self, queue: str) -> int:
        request = DescribeTaskQueueRequest(
            namespace=self._client.namespace,
            task_queue=TaskQueue(name=queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
            report_stats=True,
        )
        return (
            await self._client.workflow_service.describe_task_queue(request, timeout=_RPC_TIMEOUT)
        ).stats.approximate_backlog_count
