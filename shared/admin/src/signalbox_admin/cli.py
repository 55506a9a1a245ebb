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
    "rollout",
    "deployments",
    "redrive",
    "objects",
    "capacity",
)
EXIT_REJECTED: Final = 2
EXIT_UNAVAILABLE: Final = 3
EXIT_BROKEN_PIPE: Final = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0: done; 2: the caller must change something; 3: a server is unavailable; 4: a canary was rolled back;
        130: Ctrl-C; 141: the reader of the output has exited, so the command ended early.
    """
    # Silences gRPC's own messages about unreachable servers; it is read when the client library is imported.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        options = _parser().parse_args(argv)
        status: int = options.run(options)
        return status
    except SignalboxError as error:
        return _report(error)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader (head, less) has exited. Without this, Python reports the error again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except Exception as error:
        translated = translate_error(error)
        if translated is None:
            raise
        return _report(translated)


def _report(error: SignalboxError) -> int:
    print(f"signalbox-admin: {' '.join(error.detail.split())}", file=sys.stderr)
    return EXIT_UNAVAILABLE if isinstance(error, Unavailable) else EXIT_REJECTED


def translate_error(error: Exception) -> SignalboxError | None:
    """The error of a client library or of the file system as a message with a remedy; None: it is a bug."""
    from google.auth.exceptions import GoogleAuthError
    from temporalio.service import RPCError, RPCStatusCode

    match error:
        case GoogleAuthError():
            kind = Unavailable if error.retryable else InvalidInput
            return kind(f"no Google credentials: {error}; set GOOGLE_APPLICATION_CREDENTIALS")
        case RPCError(status=RPCStatusCode.UNAVAILABLE | RPCStatusCode.DEADLINE_EXCEEDED):
            return Unavailable(f"Temporal does not respond: {error.message}")
        case RPCError():
            return InvalidInput(
                f"Temporal refused a request: {error.message} ({error.status.name});"
                " check the namespace and the credentials"
            )
        case OSError(filename=str() as name, strerror=str() as reason):
            return InvalidInput(f"{name}: {reason}; name a file or folder that you can use")
        case _:
            return None


class _OneLineErrorParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InvalidInput(f"{message}; see {self.prog} --help")


def _parser() -> argparse.ArgumentParser:
    parser = _OneLineErrorParser(
        prog="signalbox-admin",
        allow_abbrev=False,
        description="Set up and operate Signalbox: topics, keys, ledger, backups, dead letters, builds.",
        epilog="`signalbox-admin COMMAND --help` describes a command. "
        "Exit codes: 0 success, 2 invalid options or input, or a fault found, 3 a server is unavailable, "
        "4 a canary was rolled back.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('signalbox-admin')}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")
    for name in COMMANDS:
        import_module(f"signalbox_admin.{name}").add_parser(subparsers)
    return parser
