"""What a part is: a command, what it waits for and how its readiness is seen. Data only; starting it is the supervisor's work."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct


class HttpOk(Struct, frozen=True):
    """Ready when a GET answers 200."""

    port: int
    path: str = "/readyz"


class RedisPong(Struct, frozen=True):
    """Ready when PING answers PONG; a server that is still loading its file answers an error."""

    port: int


class GrpcAnswers(Struct, frozen=True):
    """Ready when a unary call whose request has `argument` as field 1 succeeds."""

    port: int
    method: str
    argument: str


Probe: TypeAlias = HttpOk | RedisPong | GrpcAnswers


class Part(Struct, frozen=True, kw_only=True):
    """One child process.

    Attributes:
        after: names of the parts, or of the chore `topology`, that must be ready before this one starts.
        env: what is added to the supervisor's own environment.
        address: what people and programs use to reach it.
    """

    name: str
    argv: tuple[str, ...]
    probe: Probe
    address: str
    env: Mapping[str, str] = {}
    after: tuple[str, ...] = ()
    ready_within_s: float = 60.0
    stop_within_s: float = 10.0


def with_needs(names: Sequence[str], parts: Sequence[Part]) -> tuple[Part, ...]:
    """The named parts and everything they wait for, in the order of `parts`."""
    by_name = {part.name: part for part in parts}
    wanted: set[str] = set()
    rest = list(names)
    while rest:
        name = rest.pop()
        if name not in wanted:
            wanted.add(name)
            rest.extend(by_name[name].after if name in by_name else ())
    return tuple(part for part in parts if part.name in wanted)


def layers(parts: Sequence[Part]) -> list[list[Part]]:
    """Groups in starting order: each waits only for parts of earlier groups. Ending goes through them backwards."""
    here = {part.name for part in parts}
    placed: set[str] = set()
    rest, groups = list(parts), []
    while rest:
        group = [part for part in rest if {name for name in part.after if name in here} <= placed]
        if not group:
            raise ValueError(f"the parts {', '.join(part.name for part in rest)} wait for each other")
        groups.append(group)
        placed |= {part.name for part in group}
        rest = [part for part in rest if part.name not in placed]
    return groups
