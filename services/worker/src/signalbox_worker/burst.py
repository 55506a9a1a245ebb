"""When a burst worker leaves: idle, told to, or old enough. It is never killed while busy: leaving is draining."""

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

from signalbox_core.errors import InvalidInput
from signalbox_core.scaling.burst import retire_key
from signalbox_worker.settings import Settings
from signalbox_worker.slots import Slots

log = logging.getLogger(__name__)

POLL_WAIT_VARIABLE: Final = "TEMPORAL_POLL_SHUTDOWN_INTERRUPT_WAIT_MS"
"""How long the SDK waits at shutdown for polls that may be bringing a task; without it a leaving worker loses some."""
POLL_WAIT_MS: Final = 3_000
_INDEX_VARIABLES: Final = ("SIGNALBOX_WORKER_BURST_INDEX", "CLOUD_RUN_TASK_INDEX", "JOB_COMPLETION_INDEX")
_LOOK_EVERY_S: Final = 1.0
_OVERTIME: Final = 1.25
_PATIENCE: Final = 4
_JITTER: Final = 0.1
_RPC: Final = timedelta(seconds=2)


class Limits(Struct, frozen=True, kw_only=True):
    """When to leave.

    Attributes:
        idle_s: after this long without an activity, once nothing waits; four times as long in any case (a queue may be held back, and
            tasks of runs that are gone wait until a worker discards them).
        lifetime_s: at this age, once nothing waits; at a quarter more in any case.
    """

    idle_s: float
    lifetime_s: float


def limits_of(settings: Settings, chance: random.Random) -> Limits:
    """The lifetime is cut by up to a tenth at random, so that a launch's workers do not leave together."""
    lifetime_s = settings.burst_max_lifetime_s * (1 - chance.uniform(0, _JITTER))
    return Limits(idle_s=settings.burst_idle_s, lifetime_s=lifetime_s)


def reason_to_leave(
    limits: Limits, *, age_s: float, idle_s: float, is_retired: bool, backlog: int | None
) -> str | None:
    """Why to begin draining now; None: stay.

    Args:
        idle_s: 0 while an activity runs.
        backlog: tasks that wait; None: not known, which counts as some.
    """
    if is_retired:
        return "retired"
    if idle_s >= limits.idle_s * _PATIENCE or (idle_s >= limits.idle_s and backlog == 0):
        return "idle"
    if age_s >= limits.lifetime_s * _OVERTIME or (age_s >= limits.lifetime_s and backlog == 0):
        return "old"
    return None


def index_of(environ: Mapping[str, str]) -> int:
    """This worker's number within its launch: ours, Cloud Run's or a Kubernetes Job's.

    Raises:
        InvalidInput: it is no number.
    """
    for name in _INDEX_VARIABLES:
        if name in environ:
            if not environ[name].isdecimal():
                raise InvalidInput(f"{name} must be a number from 0 (it is {environ[name]!r})", field=name)
            return int(environ[name])
    return 0


def wait_for_polls() -> None:
    """Before the SDK starts: let shutdown wait for polls under way."""
    os.environ.setdefault(POLL_WAIT_VARIABLE, str(POLL_WAIT_MS))


class Watch:
    """Looks every second whether it is time to leave."""

    def __init__(
        self, slots: Slots, limits: Limits, *, client: Client, redis: Redis | None, task_queues: Sequence[str]
    ) -> None:
        self._slots = slots
        self._limits = limits
        self._client = client
        self._redis = redis
        self._task_queues = task_queues
        self._began_at = time.monotonic()

    async def run(self, stop: asyncio.Event) -> None:
        """Sets `stop` when it is."""
        while not stop.is_set():
            age_s, idle_s = time.monotonic() - self._began_at, self._slots.idle_s()
            may_leave = age_s >= self._limits.lifetime_s or idle_s >= self._limits.idle_s
            backlog = await self._backlog() if may_leave else None
            reason = reason_to_leave(
                self._limits, age_s=age_s, idle_s=idle_s, is_retired=await self._is_retired(), backlog=backlog
            )
            if reason is not None:
                log.info(
                    "burst worker leaves",
                    extra={"reason": reason, "age_s": round(age_s, 1), "running": self._slots.used},
                )
                stop.set()
                return
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _is_retired(self) -> bool:
        if self._redis is None:
            return False
        try:
            return bool(await self._redis.exists(retire_key(self._client.identity)))
        except (RedisError, OSError):
            return False  # idleness and age still end it

    async def _backlog(self) -> int | None:
        try:
            return sum([await self._waiting(queue) for queue in self._task_queues])
        except RPCError:
            return None

    async def _waiting(self, queue: str) -> int:
        request = DescribeTaskQueueRequest(
            namespace=self._client.namespace,
            task_queue=TaskQueue(name=queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
            report_stats=True,
        )
        return (
            await self._client.workflow_service.describe_task_queue(request, timeout=_RPC)
        ).stats.approximate_backlog_count
