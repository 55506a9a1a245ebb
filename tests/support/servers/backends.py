"""Single backends for tests that start, kill and restart them. Other tests use `support.servers.stack`."""

import asyncio
import os
import random
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final

from signalbox_devstack.stack.child import kill_with_parent
from signalbox_devstack.stack.options import StackOptions, resolve_config
from signalbox_devstack.stack.ports import is_free
from support.assertions.eventually import eventually

# Below the ephemeral range of Linux, where any outgoing connection may take a free port before it is bound,
# and below the range of the dev stack. Each of up to four workers of pytest has a share of its own.
_FIRST_PORT: Final = 10_000
_SHARE: Final = 2_500
_SHARES: Final = 4


def _own_ports() -> Iterator[int]:
    """Cycle through the ports of this pytest worker, beginning with a random one."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first, start = _FIRST_PORT + worker % _SHARES * _SHARE, random.randrange(_SHARE)
    return (first + number % _SHARE for number in count(start))


_PORTS: Final = _own_ports()


def free_port() -> int:
    """A port that nobody listens on, and that no other test is given soon."""
    return next(port for port in _PORTS if is_free(port))


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
