"""`signalbox-dev down, status, logs, stop, start`: inspect and control a running stack through its state
folder.
"""

import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from signalbox_core.errors import NotFound, Unavailable
from signalbox_devstack.stack.child import last_lines
from signalbox_devstack.stack.folder import StateFolder
from signalbox_devstack.stack.part_supervisor import PartState

_POLL_S: Final = 0.05
_CONNECT_TIMEOUT_S: Final = 5.0
_HEALTHY: Final = frozenset({"ready", "on_demand"})


def down(state_dir: Path, within_s: float) -> int:
    """Stop the stack and wait until every part has exited."""
    folder = _existing_folder(state_dir)
    pid = folder.supervisor_pid()
    if pid is None:
        print(f"no stack is running in {state_dir}")
        return 0
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + within_s
    while folder.supervisor_pid() is not None:
        if time.monotonic() > deadline:
            raise Unavailable(
                f"the stack (pid {pid}) is still stopping after {within_s:g} s; "
                f"see {folder.log('supervisor')}"
            )
        time.sleep(_POLL_S)
    print("the stack has stopped")
    return 0


def status(state_dir: Path, *, as_json: bool) -> int:
    """Print the state of every part, and why the disk is a problem if it is one.

    Returns:
        0 when every part is ready or starts on demand, else 1.
    """
    folder = _existing_folder(state_dir)
    pid = folder.supervisor_pid()
    states = _read_states(folder) if pid is not None else []
    if as_json:
        document = {"supervisor": pid, "parts": states, "problem": folder.disk_problem()}
        print(msgspec.json.encode(document).decode())
    elif pid is None:
        print(f"no stack is running in {state_dir}")
    else:
        # Imported here, since the supervisor, which stays in memory, never prints a table.
        from signalbox_devstack.stack.status_table import print_states

        print_states(states, f"{state_dir} (supervisor pid {pid})")
        if problem := folder.disk_problem():
            print(problem)
    return 0 if states and all(state.status in _HEALTHY for state in states) else 1


def logs(state_dir: Path, name: str, *, lines: int, follow: bool) -> int:
    """Print the last lines of a log; with `follow`, print new lines until interrupted."""
    path = _existing_folder(state_dir).log(name)
    if not path.exists():
        existing = ", ".join(sorted(log.stem for log in path.parent.glob("*.log"))) or "none yet"
        raise NotFound(f"no log for {name!r}; logs exist for: {existing}", field="NAME")
    with path.open("rb") as file:
        print("\n".join(last_lines(path, lines)), flush=True)
        file.seek(0, os.SEEK_END)
        while follow:
            sys.stdout.write(file.read().decode(errors="replace"))
            sys.stdout.flush()
            time.sleep(_POLL_S)
    return 0


def stop_part(state_dir: Path, name: str) -> int:
    """Stop one part; the supervisor does not restart it until `start_part`."""
    folder = _existing_folder(state_dir)
    state = _read_state(folder, name)
    (folder.holds / name).touch(mode=0o600)
    if state.pid is not None and state.status != "held":
        os.kill(state.pid, signal.SIGTERM)
    _wait_for_status(folder, name, "held")
    print(f"{name} is stopped; start it with: signalbox-dev start {name} --state-dir {state_dir}")
    return 0


def start_part(state_dir: Path, name: str) -> int:
    """Start a part that `stop_part` stopped, or that starts on demand, and wait until it is ready."""
    folder = _existing_folder(state_dir)
    state = _read_state(folder, name)
    if state.status == "on_demand":
        address = urlsplit(state.address)
        socket.create_connection((address.hostname, address.port), _CONNECT_TIMEOUT_S).close()
    (folder.holds / name).unlink(missing_ok=True)
    _wait_for_status(folder, name, "ready")
    print(f"{name} is ready")
    return 0


def _wait_for_status(folder: StateFolder, name: str, expected: str, within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while _read_state(folder, name).status != expected:
        if time.monotonic() > deadline:
            raise Unavailable(f"{name} is not {expected} after {within_s:g} s; see {folder.log(name)}")
        time.sleep(_POLL_S)


def _existing_folder(state_dir: Path) -> StateFolder:
    if not state_dir.is_dir():
        raise NotFound(
            f"there is no state folder {state_dir}: pass the --state-dir that `signalbox-dev up` was given",
            field="--state-dir",
        )
    return StateFolder(state_dir.expanduser().resolve())


def _read_states(folder: StateFolder) -> list[PartState]:
    if not folder.status.exists():
        return []
    return msgspec.json.decode(folder.status.read_bytes(), type=list[PartState])


def _read_state(folder: StateFolder, name: str) -> PartState:
    if folder.supervisor_pid() is None:
        raise NotFound(f"no stack is running in {folder.root}", field="--state-dir")
    states = {state.name: state for state in _read_states(folder)}
    if name not in states:
        raise NotFound(f"unknown part {name!r}; this stack runs: {', '.join(states)}", field="NAME")
    return states[name]
