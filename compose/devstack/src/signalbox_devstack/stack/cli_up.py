"""`signalbox-dev up`: run the stack in the foreground until Ctrl-C, or in the background with `--detach`."""

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from signalbox_core.errors import Conflict, InvalidInput, Unavailable
from signalbox_devstack.stack.child import last_lines
from signalbox_devstack.stack.endpoints import Endpoints, read_endpoints, write_endpoints
from signalbox_devstack.stack.folder import PRIVATE_UMASK, StateFolder, open_log
from signalbox_devstack.stack.options import StackOptions, resolve_config
from signalbox_devstack.stack.supervisor import Stack, running_stack

ERROR_PREFIX: Final = "signalbox-dev: "
_DETACH_WITHIN_S: Final = 180.0
_POLL_S: Final = 0.05


async def up(options: StackOptions, endpoints_file: Path | None, environ: Mapping[str, str]) -> int:
    """Run the stack until SIGINT or SIGTERM, then stop every part."""
    folder = _unused_folder(options.state_dir)
    config, parts = resolve_config(options, environ)
    writer = EndpointsWriter([path for path in (folder.endpoints, endpoints_file) if path])
    main = asyncio.current_task()
    assert main is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, main.cancel)
    started_at = time.monotonic()
    try:
        async with running_stack(config, parts, report=_print, on_change=writer.on_change) as stack:
            writer.enable(stack)
            _print(summary(stack.endpoints(), time.monotonic() - started_at))
            if sys.stdout.isatty():
                _print("Press Ctrl-C to stop.")
            await asyncio.Event().wait()
    except asyncio.CancelledError:
        _print("the stack has stopped")
    finally:
        writer.disable()
    return 0


def detach(options: StackOptions, endpoints_file: Path | None, arguments: list[str]) -> int:
    """Run the same command in the background; return when every part is ready or the start has failed."""
    folder = _unused_folder(options.state_dir)
    log = folder.log("supervisor")
    log.unlink(missing_ok=True)
    folder.endpoints.unlink(missing_ok=True)
    foreground = [argument for argument in arguments if argument != "--detach"]
    with open_log(log) as out:
        child = subprocess.Popen(
            [sys.executable, "-m", "signalbox_devstack.stack", *foreground],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=PRIVATE_UMASK,
        )
    deadline = time.monotonic() + _DETACH_WITHIN_S
    while child.poll() is None and time.monotonic() < deadline:
        if folder.endpoints.exists() and (endpoints_file is None or endpoints_file.exists()):
            print(summary(read_endpoints(folder.endpoints)))
            print(f"Stop it with: signalbox-dev down --state-dir {options.state_dir}")
            return 0
        time.sleep(_POLL_S)
    return _raise_start_failure(child, log)


def _raise_start_failure(child: "subprocess.Popen[bytes]", log: Path) -> int:
    if child.poll() is None:
        child.terminate()
        child.wait(60)
        raise Unavailable(f"the stack was not ready within {_DETACH_WITHIN_S:g} s; see {log}")
    message = error_in_log(last_lines(log, 40))
    if child.returncode == 2:
        raise InvalidInput(message or f"see {log}")
    raise Unavailable(message or f"the stack exited with code {child.returncode}; see {log}")


def error_in_log(lines: list[str]) -> str:
    """The last error message in the supervisor's log, with the lines that follow it; empty when there is
    none.
    """
    starts = [number for number, line in enumerate(lines) if line.startswith(ERROR_PREFIX)]
    return "\n".join(lines[starts[-1] :]).removeprefix(ERROR_PREFIX) if starts else ""


def _unused_folder(state_dir: Path) -> StateFolder:
    folder = StateFolder.create(state_dir)
    if folder.supervisor_pid() is not None:
        raise Conflict(
            f"a stack is already running in {state_dir}; "
            f"stop it with: signalbox-dev down --state-dir {state_dir}",
            field="--state-dir",
        )
    return folder


class EndpointsWriter:
    """Writes the endpoints files once every part is ready, and again whenever a pid changes.

    The files exist only while the stack is ready, so programs can wait for them to appear.
    """

    def __init__(self, files: list[Path]) -> None:
        self._files = files
        self._is_enabled = False
        self.disable()

    def enable(self, stack: Stack) -> None:
        self._is_enabled = True
        self.on_change(stack)

    def on_change(self, stack: Stack) -> None:
        if self._is_enabled:
            for path in self._files:
                write_endpoints(path, stack.endpoints())

    def disable(self) -> None:
        """Remove the files."""
        self._is_enabled = False
        for path in self._files:
            path.unlink(missing_ok=True)


def summary(endpoints: Endpoints, took_s: float | None = None) -> str:
    """The addresses a person needs first, and the admin key."""
    lines = ["ready" if took_s is None else f"ready after {took_s:.1f} s"]
    if endpoints.gateway:
        lines += [
            f"  console and API  {endpoints.gateway}",
            f"  admin API key    {endpoints.api_keys.get('admin', '')}",
        ]
    if endpoints.temporal_ui:
        lines.append(f"  Temporal UI      {endpoints.temporal_ui}")
    if endpoints.demo_site:
        lines.append(f"  demo shop        {endpoints.demo_site}")
    for name in ("temporal", "redis", "pubsub", "receiver", "autoscaler", "portal", "model_api"):
        address = getattr(endpoints, name)
        if address:
            lines.append(f"  {name:<16} {address}")
    return "\n".join(lines)


def _print(line: str) -> None:
    # With --detach this is a log file. The stack must outlive a full disk; the line follows with a later one.
    with contextlib.suppress(OSError):
        print(line, flush=True)
