"""`signalbox-dev up`: in the foreground until Ctrl-C, or detached."""

import asyncio
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
from signalbox_devstack.stack.options import Wish, settle_site
from signalbox_devstack.stack.supervisor import Stack, running_stack

_DETACH_WITHIN_S: Final = 180.0
_EVERY_S: Final = 0.05
_ERROR: Final = "signalbox-dev: "


async def up(wish: Wish, endpoints_file: Path | None, environ: Mapping[str, str]) -> int:
    """Run until SIGINT or SIGTERM, then end every part."""
    folder = _unused_folder(wish.state_dir)
    site, parts = settle_site(wish, environ)
    writer = EndpointsWriter([path for path in (folder.endpoints, endpoints_file) if path])
    main = asyncio.current_task()
    assert main is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, main.cancel)
    began = time.monotonic()
    try:
        async with running_stack(site, parts, report=_say, on_change=writer.changed) as stack:
            writer.open(stack)
            _say(summary(stack.endpoints(), time.monotonic() - began))
            await asyncio.Event().wait()
    except asyncio.CancelledError:
        _say("ended")
    finally:
        writer.close()
    return 0


def detach(wish: Wish, endpoints_file: Path | None, arguments: list[str]) -> int:
    """Start the same command in the background; return when everything is ready, or when it gave up."""
    folder = _unused_folder(wish.state_dir)
    log = folder.log("supervisor")
    log.unlink(missing_ok=True)
    folder.endpoints.unlink(missing_ok=True)
    argv = [
        sys.executable,
        "-m",
        "signalbox_devstack.stack",
        *(word for word in arguments if word != "--detach"),
    ]
    with open_log(log) as out:
        child = subprocess.Popen(
            argv,
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
            return 0
        time.sleep(_EVERY_S)
    return _gave_up(child, log)


def _gave_up(child: "subprocess.Popen[bytes]", log: Path) -> int:
    if child.poll() is None:
        child.terminate()
        child.wait(60)
        raise Unavailable(f"the stack was not ready within {_DETACH_WITHIN_S:g} s; see {log}")
    said = error_told(last_lines(log, 40))
    if child.returncode == 2:
        raise InvalidInput(said or f"see {log}")
    raise Unavailable(said or f"the stack ended with exit code {child.returncode}; see {log}")


def error_told(lines: list[str]) -> str:
    """What a supervisor that gave up said: its error line and the log lines under it."""
    starts = [place for place, line in enumerate(lines) if line.startswith(_ERROR)]
    return "\n".join(lines[starts[-1] :]).removeprefix(_ERROR) if starts else ""


def _unused_folder(state_dir: Path) -> StateFolder:
    folder = StateFolder.create(state_dir)
    if folder.holder() is not None:
        remedy = f"signalbox-dev down --state-dir {state_dir}"
        raise Conflict(
            f"a stack is already running in {state_dir}; end it with: {remedy}", field="--state-dir"
        )
    return folder


class EndpointsWriter:
    """Writes the endpoints once everything is ready (so that the file's existence says so) and again when a pid changes."""

    def __init__(self, files: list[Path]) -> None:
        self._files = files
        self._is_open = False
        self.close()

    def open(self, stack: Stack) -> None:
        self._is_open = True
        self.changed(stack)

    def changed(self, stack: Stack) -> None:
        if self._is_open:
            for path in self._files:
                write_endpoints(path, stack.endpoints())

    def close(self) -> None:
        self._is_open = False
        for path in self._files:
            path.unlink(missing_ok=True)


def summary(endpoints: Endpoints, took_s: float | None = None) -> str:
    """What a person needs next: addresses and the key that may do everything."""
    lines = ["ready" if took_s is None else f"ready after {took_s:.1f} s"]
    if endpoints.gateway:
        lines += [
            f"  console and API  {endpoints.gateway}",
            f"  key (admin)      {endpoints.api_keys.get('admin', '')}",
        ]
    if endpoints.temporal_ui:
        lines.append(f"  Temporal UI      {endpoints.temporal_ui}")
    if endpoints.demo_site:
        lines.append(f"  demo shop        {endpoints.demo_site}")
    for name in ("temporal", "redis", "pubsub", "receiver", "autoscaler", "model_api"):
        address = getattr(endpoints, name)
        if address:
            lines.append(f"  {name:<16} {address}")
    return "\n".join(lines)


def _say(line: str) -> None:
    print(line, flush=True)
