"""The dev stack for tests: `signalbox-dev up` as a child process on free ports."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from signalbox_client import AsyncSignalbox
from signalbox_devstack.stack.child import kill_with_parent, last_lines
from signalbox_devstack.stack.endpoints import Endpoints, read_endpoints
from signalbox_devstack.stack.part_supervisor import PartState
from support.assertions.eventually import eventually


class RunningStack:
    """A running stack. `endpoints` is re-read on every access, because restarts change pids."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def endpoints(self) -> Endpoints:
        return read_endpoints(self.folder / "endpoints.json")

    def client(self, role: str = "admin") -> AsyncSignalbox:
        endpoints = self.endpoints
        return AsyncSignalbox(str(endpoints.gateway), endpoints.api_keys[role])

    def state(self, name: str) -> PartState:
        states = msgspec.json.decode((self.folder / "status.json").read_bytes(), type=list[PartState])
        return {state.name: state for state in states}[name]

    def kill(self, name: str) -> int:
        """Send SIGKILL to a part; return its pid."""
        pid = self.endpoints.pids[name]
        os.kill(pid, signal.SIGKILL)
        return pid

    async def until_replaced(self, name: str, pid: int) -> None:
        """Wait until the part is ready in a process other than `pid`."""

        def replaced() -> bool:
            state = self.state(name)
            return state.status == "ready" and state.pid not in (None, pid)

        await eventually(replaced, within_s=60)

    def command(self, *arguments: str) -> str:
        """Run `signalbox-dev ARGUMENTS --state-dir …` and return its output."""
        done = subprocess.run(
            [*DEV, *arguments, "--state-dir", str(self.folder)],
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def log(self, name: str, lines: int = 40) -> str:
        return "\n".join(last_lines(self.folder / "logs" / f"{name}.log", lines))


DEV = (sys.executable, "-m", "signalbox_devstack.stack")


@contextmanager
def running_stack(
    folder: Path, *arguments: str, environ: Mapping[str, str] | None = None
) -> Iterator[RunningStack]:
    """Run `signalbox-dev up` for the duration of the block. The kernel kills it if the test process dies.

    Args:
        environ: added to the environment of the test process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command = [*DEV, "up", "--state-dir", str(folder), "--ports", "auto", "--headless", *arguments]
    output: list[str] = []
    own = {**os.environ, **(environ or {})}
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=kill_with_parent(os.getpid()),  # noqa: PLW1509
        env=own,
    ) as process:
        assert process.stdout is not None
        drain = threading.Thread(target=output.extend, args=(process.stdout,))
        try:
            for line in process.stdout:
                output.append(line)
                if line.startswith("ready"):
                    break
            assert output, "the supervisor printed nothing"
            assert output[-1].startswith("ready"), "".join(output)
            # The pipe would be full after some restarts, and the supervisor would wait until it is read.
            drain.start()
            yield RunningStack(folder)
        finally:
            process.terminate()
            if drain.ident is None:  # It did not get ready.
                drain.start()
            drain.join()
    assert process.returncode == 0, "".join(output)
