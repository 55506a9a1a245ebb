"""A part of the stack: one command, its readiness probe and its dependencies. Data only."""

import sys
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct


class HttpOk(Struct, frozen=True):
    """Ready when a GET returns 200."""

    port: int
    path: str = "/readyz"


class RedisPong(Struct, frozen=True):
    """Ready when PING returns PONG; a server that is still loading its file returns an error."""

    port: int


class GrpcAnswers(Struct, frozen=True):
    """Ready when a unary call succeeds. `argument` is sent as field 1 of the request."""

    port: int
    method: str
    argument: str


Probe: TypeAlias = HttpOk | RedisPong | GrpcAnswers


class Part(Struct, frozen=True, kw_only=True):
    """One child process.

    Attributes:
        depends_on: parts, or the setup step `topology`, that must be ready before this one starts.
        env: added to the supervisor's own environment.
        address: where people and programs reach it.
        demand_port: starts on the first connection to this port; the part takes the listening socket as
            `--listen-fd`. None starts it with the stack.
    """

    name: str
    argv: tuple[str, ...]
    probe: Probe
    address: str
    env: Mapping[str, str] = {}
    depends_on: tuple[str, ...] = ()
    ready_within_s: float = 60.0
    stop_within_s: float = 10.0
    demand_port: int | None = None


def python_module(name: str) -> tuple[str, ...]:
    """The command that runs a module with this interpreter."""
    return (sys.executable, "-m", name)


def with_dependencies(names: Sequence[str], parts: Sequence[Part]) -> tuple[Part, ...]:
    """The named parts and their transitive dependencies, in the order of `parts`."""
    by_name = {part.name: part for part in parts}
    selected: set[str] = set()
    pending = list(names)
    while pending:
        name = pending.pop()
        if name not in selected:
            selected.add(name)
            pending.extend(by_name[name].depends_on if name in by_name else ())
    return tuple(part for part in parts if part.name in selected)


def start_order(parts: Sequence[Part]) -> list[list[Part]]:
    """Group the parts so that each depends on parts of earlier groups only.

    Dependencies that are not among `parts` are ignored.

    Raises:
        ValueError: some parts depend on each other.
    """
    known = {part.name for part in parts}
    placed: set[str] = set()
    remaining, groups = list(parts), []
    while remaining:
        group = [part for part in remaining if known.intersection(part.depends_on) <= placed]
        if not group:
            names = ", ".join(part.name for part in remaining)
            raise ValueError(f"circular dependency between the parts {names}")
        groups.append(group)
        placed |= {part.name for part in group}
        remaining = [part for part in remaining if part.name not in placed]
    return groups
