"""A ledger writer in a process of its own, which tests kill; also the program that the process runs."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from datetime import timedelta
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry

from signalbox_core.ledger.layout import LogKeys
from signalbox_core.ledger.log import TenantLog
from signalbox_core.ledger.notes import Checkpoint, parse_checkpoint, read_signer
from signalbox_core.objects import open_object_store
from signalbox_core.pubsub import Subscriber, SubscriberLimits
from signalbox_core.redis.client import open_redis
from signalbox_core.topology import LEDGER
from signalbox_gateway.background.ledger_writer import LEASE_KEYS, LedgerWriter
from signalbox_gateway.background.supervisor import supervise
from signalbox_gateway.http.metrics import LedgerMetrics

# The shortest lease of Pub/Sub: what a killed writer had received is redelivered after it.
LIMITS = SubscriberLimits(concurrency=100, max_outstanding=100, lease_s=10)
INTERVAL = timedelta(milliseconds=20)


class WriterProcess:
    """A writer that can be killed and started again.

    Args:
        redis_url: writers with Redis databases of their own do not share a lease, so all of them write.
    """

    def __init__(
        self, folder: Path, key_file: Path, *, redis_url: str, pubsub_host: str, project: str
    ) -> None:
        self._redis_url = redis_url
        self._arguments = [str(folder), str(key_file), redis_url, pubsub_host, project]
        self._log = folder.parent / f"writer-{redis_url.rpartition('/')[2]}.log"
        self._process: Process | None = None

    async def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, __file__, *self._arguments, stdout=log, stderr=log
            )

    async def kill(self) -> None:
        """Send SIGKILL, and end its lease. No error if it has ended or was never started."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
            await self._process.wait()
            async with open_redis(self._redis_url) as redis:
                await redis.delete(LEASE_KEYS.lease)

    @property
    def output(self) -> str:
        """What it has logged, over all its lives."""
        return self._log.read_text()


def checkpoint_in(folder: Path, tenant: str) -> Checkpoint | None:
    """The checkpoint of a tenant's log in the folder of an object store."""
    path = folder / LogKeys(tenant).checkpoint
    return parse_checkpoint(path.read_text()) if path.exists() else None


async def write(folder: Path, key_file: Path, redis_url: str, pubsub_host: str, project: str) -> None:
    """Write until the process is killed."""
    store, signer = open_object_store(folder.as_uri()), read_signer(key_file)
    writer = LedgerWriter(
        open_redis(redis_url),
        Subscriber(project, LEDGER, emulator_host=pubsub_host, limits=LIMITS),
        partial(TenantLog, store, signers=[signer]),
        LedgerMetrics(CollectorRegistry()),
        interval=INTERVAL,
    )
    await supervise("ledger", writer.run)


if __name__ == "__main__":
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    asyncio.run(write(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]))
