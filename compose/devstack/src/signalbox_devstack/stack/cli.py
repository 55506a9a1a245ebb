"""`signalbox-dev`: runs the whole system on this machine.

`up` and `down` start and stop the stack, `status` and `logs` inspect it, `stop` and `start` control one part.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from signalbox_core.errors import InvalidInput, Rejected, SignalboxError
from signalbox_devstack.stack import cli_inspect, cli_up
from signalbox_devstack.stack.endpoints import check_endpoints_file
from signalbox_devstack.stack.folder import DISK_FULL
from signalbox_devstack.stack.options import StackOptions

_DEFAULT_DIR: Final = Path(".state/dev")
_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
_Run: TypeAlias = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Exit codes: 0 success, 1 a part failed, 2 invalid usage (one line names the remedy)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    namespace = _parser().parse_args(arguments, argparse.Namespace(arguments=arguments))
    try:
        return int(namespace.run(namespace))
    except SignalboxError as error:
        print(f"{cli_up.ERROR_PREFIX}{error.detail}", file=sys.stderr)
        return 2 if isinstance(error, Rejected) else 1
    except OSError as error:
        if error.errno in DISK_FULL:
            print(
                f"{cli_up.ERROR_PREFIX}{error.filename or 'state'}: the disk is full; free some space",
                file=sys.stderr,
            )
            return 1
        if not error.filename or not error.strerror:
            raise
        print(f"{cli_up.ERROR_PREFIX}{error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="signalbox-dev",
        description="Run the whole system on one machine, without containers.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_up(commands)
    _add_down(commands)
    _add_status(commands)
    _add_logs(commands)
    stop = _add(
        commands,
        "stop",
        "stop one part and keep it stopped",
        lambda given: cli_inspect.stop_part(given.state_dir, given.name),
    )
    stop.add_argument("name", metavar="NAME", help="the part to stop")
    start = _add(
        commands,
        "start",
        "start a part that was stopped",
        lambda given: cli_inspect.start_part(given.state_dir, given.name),
    )
    start.add_argument("name", metavar="NAME", help="the part to start")
    return parser


def _add_up(commands: _Commands) -> None:
    up = _add(commands, "up", "start the stack and keep it running", _up)
    up.add_argument(
        "--endpoints",
        type=Path,
        metavar="FILE",
        help="write the addresses and keys to FILE as well (always in DIR/endpoints.json)",
    )
    up.add_argument(
        "--ports",
        default="default",
        metavar="PORTS",
        help="`auto` for free ports, NAME=PORT,… to override the defaults, or both",
    )
    up.add_argument("--only", default="", metavar="NAME,…", help="only these parts and their dependencies")
    up.add_argument(
        "--with",
        dest="also",
        default="",
        metavar="NAME,…",
        help="optional parts to start as well: model_api, a simulated model server",
    )
    up.add_argument("--workers", type=int, default=1, metavar="N", help="number of workers (default 1)")
    up.add_argument("--headless", action="store_true", help="run without Temporal's web UI")
    up.add_argument(
        "--detach",
        action="store_true",
        help="run in the background and return when every part is ready; stop with `signalbox-dev down`",
    )


def _add_down(commands: _Commands) -> None:
    down = _add(
        commands,
        "down",
        "stop a running stack",
        lambda given: cli_inspect.down(given.state_dir, given.within),
    )
    down.add_argument(
        "--within",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="how long to wait until every part has stopped (default 60)",
    )


def _add_status(commands: _Commands) -> None:
    status = _add(
        commands,
        "status",
        "show the state of every part",
        lambda given: cli_inspect.status(given.state_dir, as_json=given.json),
    )
    status.add_argument("--json", action="store_true", help="print JSON")


def _add_logs(commands: _Commands) -> None:
    logs = _add(
        commands,
        "logs",
        "show the log of one part",
        lambda given: cli_inspect.logs(given.state_dir, given.name, lines=given.lines, follow=given.follow),
    )
    logs.add_argument("name", metavar="NAME", help="the part, or `supervisor`")
    logs.add_argument("--follow", "-f", action="store_true", help="keep printing new lines until Ctrl-C")
    logs.add_argument(
        "--lines", "-n", type=int, default=200, help="number of last lines to print (default 200)"
    )


def _add(commands: _Commands, name: str, description: str, run: _Run) -> argparse.ArgumentParser:
    sentence = f"{description[0].upper()}{description[1:]}."
    parser = commands.add_parser(name, help=description, description=sentence, allow_abbrev=False)
    parser.add_argument(
        "--state-dir",
        type=Path,
        default=_DEFAULT_DIR,
        metavar="DIR",
        help=f"folder that holds all state of the stack (default {_DEFAULT_DIR})",
    )
    parser.set_defaults(run=run)
    return parser


def _up(given: argparse.Namespace) -> int:
    only = _split(given.only)
    if given.only and not only:
        raise InvalidInput("--only: name at least one part", field="--only")
    options = StackOptions(
        state_dir=given.state_dir,
        ports=given.ports,
        only=only,
        also=_split(given.also),
        workers=given.workers,
        headless=given.headless,
    )
    if given.endpoints is not None:
        check_endpoints_file(given.endpoints)
    if given.detach:
        return cli_up.detach(options, given.endpoints, given.arguments)
    return asyncio.run(cli_up.up(options, given.endpoints, dict(os.environ)))


def _split(names: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in names.split(",") if name.strip())
