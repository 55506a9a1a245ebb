"""A receiver process that can be killed and restarted, and backends of one test that can be frozen."""

import asyncio
import os
import signal
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from support.assertions.eventually import eventually
from support.servers import backends


class ReceiverProcess:
    """`python -m signalbox_webhook_receiver` on one port; its settings stay the same over restarts."""

    def __init__(
        self,
        keys: Path,
        *,
        redis_url: str,
        pubsub_host: str,
        project: str,
        origin: str | None = None,
        environ: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
        **settings: object,
    ) -> None:
        self.port = backends.free_port()
        self.origin = origin or f"http://127.0.0.1:{self.port}"
        self._prefix = prefix
        self._log = keys.parent / f"receiver-{self.port}.log"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SIGNALBOX_")}
        more = {f"SIGNALBOX_RECEIVER_{name.upper()}": str(value) for name, value in settings.items()}
        self._environ = clean | more | dict(environ or {})
        self._environ |= {
            "REDIS_URL": redis_url,
            "PUBSUB_EMULATOR_HOST": pubsub_host,
            "GOOGLE_CLOUD_PROJECT": project,
        }
        self._environ |= {
            "SIGNALBOX_RECEIVER_PUBLIC_ORIGIN": self.origin,
            "SIGNALBOX_RECEIVER_KEYS": str(keys),
        }
        self._environ |= {"SIGNALBOX_RECEIVER_PORT": str(self.port)}
        self.process: Process | None = None

    @property
    def said(self) -> str:
        """Everything that it has logged, over all its lives."""
        return self._log.read_text()

    async def start(self) -> Self:
        command = (*self._prefix, sys.executable, "-m", "signalbox_webhook_receiver")
        with self._log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *command, env=self._environ, stdout=log, stderr=log
            )
        await eventually(lambda: backends.is_listening(self.port), within_s=60)
        return self

    async def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        await self.process.wait()

    async def stop(self) -> int:
        """SIGTERM; its exit status."""
        assert self.process is not None
        self.process.terminate()
        async with asyncio.timeout(60):
            return await self.process.wait()


@asynccontextmanager
async def running(receiver: ReceiverProcess) -> AsyncIterator[ReceiverProcess]:
    """Started until the block ends."""
    await receiver.start()
    try:
        yield receiver
    finally:
        await receiver.kill()


@asynccontextmanager
async def own_server(command: Sequence[str], port: int) -> AsyncIterator[Process]:
    """A server of this test alone, answering on the port."""
    child = await asyncio.create_subprocess_exec(
        *command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        await eventually(lambda: backends.is_listening(port), within_s=30)
        yield child
    finally:
        if child.returncode is None:
            child.send_signal(signal.SIGCONT)
            child.kill()
        await child.wait()


def freeze(process: Process) -> None:
    os.kill(process.pid, signal.SIGSTOP)


def thaw(process: Process) -> None:
    os.kill(process.pid, signal.SIGCONT)
