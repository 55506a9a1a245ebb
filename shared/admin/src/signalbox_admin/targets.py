"""Which Pub/Sub a command works on: options, else the variables that the client's own library uses."""

import argparse
import os
from typing import Protocol

from signalbox_core.errors import InvalidInput


class Subparsers(Protocol):
    """What `ArgumentParser.add_subparsers()` returns."""

    def add_parser(self, name: str, *, help: str) -> argparse.ArgumentParser: ...  # noqa: A002 - argparse's own name


def add_pubsub_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--project",
        default=os.environ.get("GOOGLE_CLOUD_PROJECT"),
        help="Google Cloud project ($GOOGLE_CLOUD_PROJECT)",
    )
    parser.add_argument(
        "--emulator-host",
        default=os.environ.get("PUBSUB_EMULATOR_HOST"),
        metavar="HOST:PORT",
        help="a local Pub/Sub server instead of Google's ($PUBSUB_EMULATOR_HOST)",
    )


def project_of(options: argparse.Namespace) -> str:
    if not options.project:
        raise InvalidInput(
            "name the Google Cloud project: --project or GOOGLE_CLOUD_PROJECT", field="project"
        )
    return str(options.project)
