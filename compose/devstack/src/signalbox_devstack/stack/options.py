"""From what a person asked for to a site and its parts: folder made, programs found, ports chosen, keys made."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from signalbox_core.errors import InvalidInput
from signalbox_devstack.emulators.portal.companies import companies, password_of
from signalbox_devstack.stack.folder import StateFolder
from signalbox_devstack.stack.keys import ensure_keys, ensure_portal_secrets
from signalbox_devstack.stack.parts import Part, with_needs
from signalbox_devstack.stack.plan import NAMES, OPTIONAL, Programs, Site, plan, worker_names
from signalbox_devstack.stack.ports import check_free, read_ports, settle
from signalbox_devstack.stack.programs import redis_program, temporal_program

_MAX_WORKERS = 32
_COMPANIES = 100


class Wish(Struct, frozen=True, kw_only=True):
    """What a person asks for. `only` empty means everything but the optional parts; `also` names those that are wanted."""

    state_dir: Path
    ports: str = "default"
    only: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    workers: int = 1
    headless: bool = False


def settle_site(wish: Wish, environ: Mapping[str, str]) -> tuple[Site, tuple[Part, ...]]:
    """Decide everything before anything starts.

    Raises:
        InvalidInput: an unknown part, a port in use, a missing program, a folder that cannot be written; the message has the remedy.
    """
    _check(wish)
    folder = StateFolder.create(wish.state_dir)
    ensure_portal_secrets(folder, {mst: password_of(mst) for mst in companies(_COMPANIES)})
    site = Site(
        folder=folder,
        ports=settle(_asked_ports(wish)),
        keys=ensure_keys(folder),
        programs=Programs(temporal=temporal_program(), redis=redis_program()),
        workers=wish.workers,
        has_temporal_ui=not wish.headless,
        has_model_api="model_api" in (*wish.only, *wish.also),
        environ=environ,
    )
    every = plan(site)
    parts = with_needs(_named((*wish.only, *wish.also), wish.workers), every) if wish.only else every
    check_free(_used(site, parts))
    return site, parts


def _check(wish: Wish) -> None:
    unknown = [name for name in wish.only if name not in (*NAMES, *OPTIONAL)]
    if unknown:
        raise InvalidInput(
            f"--only: no part is called {unknown[0]!r}; parts are: {', '.join((*NAMES, *OPTIONAL))}",
            field="--only",
        )
    strange = [name for name in wish.also if name not in OPTIONAL]
    if strange:
        raise InvalidInput(
            f"--with: {strange[0]!r} is no optional part; these are: {', '.join(OPTIONAL)}", field="--with"
        )
    if not 1 <= wish.workers <= _MAX_WORKERS:
        raise InvalidInput(f"--workers must be 1 to {_MAX_WORKERS} (it is {wish.workers})", field="--workers")


def _asked_ports(wish: Wish) -> Mapping[str, int]:
    """Every further worker has a port of its own: the first one's successor, or a free one."""
    ports = dict(read_ports(wish.ports))
    first = ports["worker"]
    ports.update(
        {name: first + number if first else 0 for number, name in enumerate(worker_names(wish.workers))}
    )
    return ports


def _named(only: Sequence[str], workers: int) -> tuple[str, ...]:
    return tuple(part for name in only for part in (worker_names(workers) if name == "worker" else (name,)))


def _used(site: Site, parts: Sequence[Part]) -> Mapping[str, int]:
    names = {part.name for part in parts} | (
        {"temporal_ui"} if site.has_temporal_ui and "temporal" in {p.name for p in parts} else set()
    )
    return {name: port for name, port in site.ports.items() if name in names}
