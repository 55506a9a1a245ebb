"""`signalbox-dev down, status, logs, stop, start`: looking at a running stack from outside, through its state folder."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from signalbox_core.errors import NotFound, Unavailable
from signalbox_devstack.stack.child import last_lines
from signalbox_devstack.stack.folder import StateFolder
from signalbox_devstack.stack.part_supervisor import PartState

_EVERY_S: Final = 0.05
_COLOURS: Final = {"ready": "green", "starting": "yellow", "restarting": "red", "held": "magenta"}


def down(state_dir: Path, within_s: float) -> int:
    """End the stack and wait until it is gone."""
    folder = _existing(state_dir)
    pid = folder.holder()
    if pid is None:
        print(f"nothing is running in {state_dir}")
        return 0
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + within_s
    while folder.holder() is not None:
        if time.monotonic() > deadline:
            raise Unavailable(
                f"the stack (pid {pid}) has not ended within {within_s:g} s; see {folder.log('supervisor')}"
            )
        time.sleep(_EVERY_S)
    print("ended")
    return 0


def status(state_dir: Path, *, as_json: bool) -> int:
    """Exit code 0 when every part is ready, 1 otherwise."""
    folder = _existing(state_dir)
    pid = folder.holder()
    states = _states(folder) if pid is not None else []
    if as_json:
        print(msgspec.json.encode({"supervisor": pid, "parts": states}).decode())
    elif pid is None:
        print(f"nothing is running in {state_dir}")
    else:
        Console().print(_table(states, f"{state_dir} (supervisor {pid})"))
    return 0 if states and all(state.status == "ready" for state in states) else 1


def logs(state_dir: Path, name: str, *, lines: int, follow: bool) -> int:
    path = _existing(state_dir).log(name)
    if not path.exists():
        known = ", ".join(sorted(log.stem for log in path.parent.glob("*.log"))) or "none yet"
        raise NotFound(f"no log of {name!r}; there are logs of: {known}", field="NAME")
    with path.open("rb") as file:
        print("\n".join(last_lines(path, lines)), flush=True)
        file.seek(0, os.SEEK_END)
        while follow:
            sys.stdout.write(file.read().decode(errors="replace"))
            sys.stdout.flush()
            time.sleep(_EVERY_S)
    return 0


def hold(state_dir: Path, name: str) -> int:
    """End one part and keep it down until `start`."""
    folder = _existing(state_dir)
    state = _state(folder, name)
    (folder.holds / name).touch(mode=0o600)
    if state.pid is not None and state.status != "held":
        os.kill(state.pid, signal.SIGTERM)
    _await_status(folder, name, "held")
    print(f"{name} is down until: signalbox-dev start {name} --state-dir {state_dir}")
    return 0


def release(state_dir: Path, name: str) -> int:
    folder = _existing(state_dir)
    _state(folder, name)
    (folder.holds / name).unlink(missing_ok=True)
    _await_status(folder, name, "ready")
    print(f"{name} is ready")
    return 0


def _await_status(folder: StateFolder, name: str, wanted: str, within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while _state(folder, name).status != wanted:
        if time.monotonic() > deadline:
            raise Unavailable(f"{name} is not {wanted} after {within_s:g} s; see {folder.log(name)}")
        time.sleep(_EVERY_S)


def _existing(state_dir: Path) -> StateFolder:
    if not state_dir.is_dir():
        raise NotFound(
            f"no state folder {state_dir}: name the one given to `signalbox-dev up`", field="--state-dir"
        )
    return StateFolder(state_dir.expanduser().resolve())


def _states(folder: StateFolder) -> list[PartState]:
    return (
        msgspec.json.decode(folder.status.read_bytes(), type=list[PartState])
        if folder.status.exists()
        else []
    )


def _state(folder: StateFolder, name: str) -> PartState:
    if folder.holder() is None:
        raise NotFound(f"nothing is running in {folder.root}", field="--state-dir")
    states = {state.name: state for state in _states(folder)}
    if name not in states:
        raise NotFound(f"no part is called {name!r}; running are: {', '.join(states)}", field="NAME")
    return states[name]


def _table(states: list[PartState], title: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in ("part", "status", "pid", "restarts", "address"):
        table.add_column(column)
    for state in states:
        colour = _COLOURS.get(state.status, "dim")
        table.add_row(
            state.name,
            f"[{colour}]{state.status}[/]",
            str(state.pid or ""),
            str(state.restarts),
            state.address,
        )
    return table
