"""`signalbox-admin`: one subcommand per module of COMMANDS.

Each gives `add_parser(subparsers)` and sets `run`, which takes the parsed arguments and returns the exit status.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

from signalbox_core.errors import SignalboxError, Unavailable

COMMANDS: Final = ("provision", "replay", "keys", "payload_keys")
EXIT_REJECTED: Final = 2
EXIT_UNAVAILABLE: Final = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Exit 0 when done, 2 when the caller must change something, 3 when a server is away."""
    # gRPC's own lines about an absent server would bury ours; it reads this when the client library is imported.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    options = _parser().parse_args(argv)
    try:
        status: int = options.run(options)
        return status
    except SignalboxError as error:
        print(f"signalbox-admin: {error.detail}", file=sys.stderr)
        return EXIT_UNAVAILABLE if isinstance(error, Unavailable) else EXIT_REJECTED
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="signalbox-admin", description="The operator's side of Signalbox.")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for name in COMMANDS:
        import_module(f"signalbox_admin.{name}").add_parser(subparsers)
    return parser
