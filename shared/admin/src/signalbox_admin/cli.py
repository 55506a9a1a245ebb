"""`signalbox-admin`: one subcommand per module of COMMANDS.

Each module has `add_parser(subparsers)`, which sets `run`, a function from arguments to an exit code.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Final, NoReturn

from signalbox_core.errors import InvalidInput, SignalboxError, Unavailable

COMMANDS: Final = (
    "doctor",
    "backup",
    "restore",
    "provision",
    "keys",
    "payload_keys",
    "audit",
    "replay_runs",
    "redrive",
    "capacity",
)
EXIT_REJECTED: Final = 2
EXIT_UNAVAILABLE: Final = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0: done; 2: the caller must change something; 3: a server is unavailable; 130: Ctrl-C.
    """
    # Silences gRPC's own messages about unreachable servers; it is read when the client library is imported.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        options = _parser().parse_args(argv)
        status: int = options.run(options)
        return status
    except SignalboxError as error:
        print(f"signalbox-admin: {' '.join(error.detail.split())}", file=sys.stderr)
        return EXIT_UNAVAILABLE if isinstance(error, Unavailable) else EXIT_REJECTED
    except KeyboardInterrupt:
        return 130


class _OneLineErrorParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InvalidInput(f"{message}; see {self.prog} --help")


def _parser() -> argparse.ArgumentParser:
    parser = _OneLineErrorParser(
        prog="signalbox-admin",
        description="Set up and operate Signalbox: topics, keys, ledger, backups, dead letters, capacity.",
        epilog="`signalbox-admin COMMAND --help` describes a command. "
        "Exit codes: 0 success, 2 invalid options or input, 3 a server is unavailable.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('signalbox-admin')}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")
    for name in COMMANDS:
        import_module(f"signalbox_admin.{name}").add_parser(subparsers)
    return parser
