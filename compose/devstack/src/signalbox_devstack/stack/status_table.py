"""The table that `signalbox-dev status` prints."""

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table

from signalbox_devstack.stack.part_supervisor import PartState

_LABELS: Final = {"held": "stopped", "on_demand": "starts on demand"}
_COLOURS: Final = {
    "ready": "green",
    "on_demand": "cyan",
    "starting": "yellow",
    "unhealthy": "red",
    "restarting": "red",
    "held": "magenta",
}


def print_states(states: Sequence[PartState], title: str) -> None:
    table = Table(title=title, title_justify="left")
    for column in ("part", "status", "pid", "restarts", "address"):
        table.add_column(column)
    for state in states:
        colour = _COLOURS.get(state.status, "dim")
        table.add_row(
            state.name,
            f"[{colour}]{_LABELS.get(state.status, state.status)}[/]",
            str(state.pid or ""),
            str(state.restarts),
            state.address,
        )
    Console().print(table)
