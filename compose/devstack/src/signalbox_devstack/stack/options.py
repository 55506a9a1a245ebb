"""From command-line options to a stack configuration: creates the folder, finds programs, chooses ports,
makes keys.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from signalbox_core.errors import InvalidInput
from signalbox_devstack.emulators.portal.companies import companies, password_of
from signalbox_devstack.stack.config import Programs, StackConfig
from signalbox_devstack.stack.folder import StateFolder
from signalbox_devstack.stack.keys import ensure_keys, ensure_portal_secrets
from signalbox_devstack.stack.parts.part import Part, with_dependencies
from signalbox_devstack.stack.plan import OPTIONAL_PARTS, PART_NAMES, plan, worker_names
from signalbox_devstack.stack.ports import assign_ports, check_free, parse_ports
from signalbox_devstack.stack.programs import redis_program, temporal_program

_MAX_WORKERS: Final = 32
_COMPANIES: Final = 100


class StackOptions(Struct, frozen=True, kw_only=True):
    """What the caller requests.

    Attributes:
        only: start these parts and their dependencies; empty: all but the optional ones.
        also: optional parts to start as well.
    """

    state_dir: Path
    ports: str = "default"
    only: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    workers: int = 1
    headless: bool = False


def resolve_config(options: StackOptions, environ: Mapping[str, str]) -> tuple[StackConfig, tuple[Part, ...]]:
    """Validate the options and prepare everything a start needs, so that nothing is running when this fails.

    Raises:
        InvalidInput: an unknown part, a port in use, a missing program or a folder that cannot be written.
    """
    _validate(options)
    folder = StateFolder.create(options.state_dir)
    ensure_portal_secrets(folder, {mst: password_of(mst) for mst in companies(_COMPANIES)})
    config = StackConfig(
        folder=folder,
        ports=assign_ports(_requested_ports(options)),
        keys=ensure_keys(folder),
        programs=Programs(temporal=temporal_program(), redis=redis_program()),
        workers=options.workers,
        has_temporal_ui=not options.headless,
        has_model_api="model_api" in (*options.only, *options.also),
        environ=environ,
    )
    parts = _selected(options, plan(config))
    check_free(_ports_in_use(config, parts))
    return config, parts


def _validate(options: StackOptions) -> None:
    known = (*PART_NAMES, *OPTIONAL_PARTS)
    for name in options.only:
        if name not in known:
            raise InvalidInput(
                f"--only: unknown part {name!r}; the parts are: {', '.join(known)}", field="--only"
            )
    for name in options.also:
        if name not in OPTIONAL_PARTS:
            raise InvalidInput(
                f"--with: {name!r} is not an optional part; the optional parts are: "
                f"{', '.join(OPTIONAL_PARTS)}",
                field="--with",
            )
    if not 1 <= options.workers <= _MAX_WORKERS:
        raise InvalidInput(
            f"--workers must be between 1 and {_MAX_WORKERS} (got {options.workers})", field="--workers"
        )


def _requested_ports(options: StackOptions) -> Mapping[str, int]:
    """The ports with one for each further worker: the next number after the first worker's, or a free one."""
    ports = dict(parse_ports(options.ports))
    first = ports["worker"]
    for number, name in enumerate(worker_names(options.workers)):
        ports[name] = first + number if first else 0
    return ports


def _selected(options: StackOptions, parts: tuple[Part, ...]) -> tuple[Part, ...]:
    if not options.only:
        return parts
    names: list[str] = []
    for name in (*options.only, *options.also):
        names += worker_names(options.workers) if name == "worker" else (name,)
    return with_dependencies(names, parts)


def _ports_in_use(config: StackConfig, parts: Sequence[Part]) -> Mapping[str, int]:
    names = {part.name for part in parts}
    if config.has_temporal_ui and "temporal" in names:
        names.add("temporal_ui")
    return {name: port for name, port in config.ports.items() if name in names}
