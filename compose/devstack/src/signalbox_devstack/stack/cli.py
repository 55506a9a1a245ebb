"""`signalbox-dev`: the whole system on this machine. `up` and `down`, `status` and `logs`, `stop` and `start` of one part."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from signalbox_core.errors import InvalidInput, Rejected, SignalboxError
from signalbox_devstack.stack import cli_inspect, cli_up
from signalbox_devstack.stack.options import Wish

_DEFAULT_DIR: Final = Path(".state/dev")


def main(argv: Sequence[str] | None = None) -> int:
    """Exit codes: 0 done · 1 a part failed · 2 the person must change something (one line says what)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    options = _parser().parse_args(arguments, argparse.Namespace(arguments=arguments))
    try:
        return int(options.command(options))
    except SignalboxError as error:
        print(f"signalbox-dev: {error.detail}", file=sys.stderr)
        return 2 if isinstance(error, Rejected) else 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="signalbox-dev", description="The whole system on one machine, without containers."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_up(commands)
    down = _add(
        commands,
        "down",
        "end the stack of a state folder",
        lambda options: cli_inspect.down(options.state_dir, options.within),
    )
    down.add_argument(
        "--within",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="how long to wait for the end (default 60)",
    )
    status = _add(
        commands,
        "status",
        "show the parts",
        lambda options: cli_inspect.status(options.state_dir, as_json=options.json),
    )
    status.add_argument("--json", action="store_true", help="for programs")
    logs = _add(commands, "logs", "show the log of one part", _logs)
    logs.add_argument("name", metavar="NAME")
    logs.add_argument("--follow", "-f", action="store_true", help="go on until Ctrl-C")
    logs.add_argument("--lines", "-n", type=int, default=200, help="how many of the last lines (default 200)")
    stop = _add(
        commands,
        "stop",
        "end one part and keep it down",
        lambda options: cli_inspect.hold(options.state_dir, options.name),
    )
    stop.add_argument("name", metavar="NAME")
    start = _add(
        commands,
        "start",
        "let a stopped part run again",
        lambda options: cli_inspect.release(options.state_dir, options.name),
    )
    start.add_argument("name", metavar="NAME")
    return parser


def _logs(options: argparse.Namespace) -> int:
    return cli_inspect.logs(options.state_dir, options.name, lines=options.lines, follow=options.follow)


def _add_up(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    up = _add(commands, "up", "start the stack and keep it up", _up)
    up.add_argument(
        "--endpoints",
        type=Path,
        metavar="FILE",
        help="also write the endpoints here (always in DIR/endpoints.json)",
    )
    up.add_argument(
        "--ports",
        default="default",
        metavar="PORTS",
        help="auto: free ones; or NAME=PORT,… on top of the usual ones",
    )
    up.add_argument("--only", default="", metavar="NAME,…", help="these parts and what they need")
    up.add_argument(
        "--with",
        dest="also",
        default="",
        metavar="NAME,…",
        help="optional parts too: model_api, a simulated model server",
    )
    up.add_argument("--workers", type=int, default=1, metavar="N", help="how many workers (default 1)")
    up.add_argument("--headless", action="store_true", help="without Temporal's web UI")
    up.add_argument(
        "--detach", action="store_true", help="return once everything is ready; end with `signalbox-dev down`"
    )


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, about: str, command: object
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=about, description=about)
    parser.add_argument(
        "--state-dir",
        type=Path,
        default=_DEFAULT_DIR,
        metavar="DIR",
        help=f"state folder (default {_DEFAULT_DIR})",
    )
    parser.set_defaults(command=command)
    return parser


def _up(options: argparse.Namespace) -> int:
    only, also = _names(options.only), _names(options.also)
    if options.only and not only:
        raise InvalidInput("--only: name at least one part", field="--only")
    wish = Wish(
        state_dir=options.state_dir,
        ports=options.ports,
        only=only,
        also=also,
        workers=options.workers,
        headless=options.headless,
    )
    if options.detach:
        return cli_up.detach(wish, options.endpoints, options.arguments)
    return asyncio.run(cli_up.up(wish, options.endpoints, dict(os.environ)))


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
