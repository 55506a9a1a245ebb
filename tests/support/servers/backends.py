"""Single backends for tests that start, kill and restart them. Other tests use `support.servers.stack`."""

import asyncio
import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from signalbox_devstack.stack.child import kill_with_parent
from signalbox_devstack.stack.options import StackOptions, resolve_config
from support.assertions.eventually import eventually


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def server(command: Sequence[str], port: int, log: Path) -> Iterator[str]:
    """Run the command for the duration of the block; yields `host:port` once it listens there."""
    with log.open("wb") as out:
        child = subprocess.Popen(
            command,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=kill_with_parent(os.getpid()),  # noqa: PLW1509
        )
    try:

        def ready() -> bool:
            assert child.poll() is None, log.read_text()[-2000:]
            return is_listening(port)

        asyncio.run(eventually(ready, within_s=30))
        yield f"127.0.0.1:{port}"
    finally:
        child.kill()
        child.wait(10)


def redis_command(port: int, folder: Path) -> list[str]:
    return _command("redis", port, folder)


def temporal_command(port: int, folder: Path) -> list[str]:
    return _command("temporal", port, folder)


def pubsub_command(port: int, folder: Path) -> list[str]:
    return _command("pubsub", port, folder)


def _command(name: str, port: int, folder: Path) -> list[str]:
    """The command that the dev stack uses for this part."""
    options = StackOptions(state_dir=folder, ports=f"auto,{name}={port}", only=(name,), headless=True)
    _, (part,) = resolve_config(options, os.environ)
    return list(part.argv)
