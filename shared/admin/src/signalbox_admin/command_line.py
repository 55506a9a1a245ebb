"""What several commands share: output, the key file, and the options for Pub/Sub."""

import argparse
import os
import sys
from pathlib import Path
from typing import Final, Protocol

from signalbox_core.errors import InvalidInput

KEY_FILE_VARIABLES: Final = {
    "sender": "SIGNALBOX_RECEIVER_KEYS",
    "api": "SIGNALBOX_GATEWAY_API_KEYS_FILE",
}


_OBJECTS: Final = "SIGNALBOX_GATEWAY_OBJECTS_URL"


class Subparsers(Protocol):
    """What `ArgumentParser.add_subparsers()` returns."""

    def add_parser(
        self,
        name: str,
        *,
        help: str,  # noqa: A002 - argparse's own name
        description: str,
        allow_abbrev: bool,
    ) -> argparse.ArgumentParser: ...


def add_command(
    subparsers: Subparsers, name: str, summary: str, details: str = ""
) -> argparse.ArgumentParser:
    """Add a command with a one-line summary; `details` follow it in the command's own help."""
    description = f"{summary[0].upper()}{summary[1:]}. {details}".strip()
    return subparsers.add_parser(name, help=summary, description=description, allow_abbrev=False)


def print_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def key_file(options: argparse.Namespace, variable: str) -> Path:
    """The path in --file, else in the environment variable.

    Raises:
        InvalidInput: both are absent.
    """
    name = options.file or os.environ.get(variable)
    if not name:
        raise InvalidInput(f"no key file given: use --file FILE, or set {variable}", field="file")
    return Path(name)


def add_objects_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--objects",
        default=os.environ.get(_OBJECTS),
        metavar="URL",
        help=f"the object store, as file:///folder or gs://bucket/prefix (default: ${_OBJECTS})",
    )


def required_objects(options: argparse.Namespace) -> str:
    """The address of the object store.

    Raises:
        InvalidInput: neither --objects nor SIGNALBOX_GATEWAY_OBJECTS_URL is set.
    """
    if not options.objects:
        raise InvalidInput(f"no object store given: use --objects URL, or set {_OBJECTS}", field="objects")
    return str(options.objects)


def add_pubsub_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--project",
        default=os.environ.get("GOOGLE_CLOUD_PROJECT"),
        metavar="ID",
        help="the Google Cloud project (default: $GOOGLE_CLOUD_PROJECT)",
    )
    parser.add_argument(
        "--emulator-host",
        default=os.environ.get("PUBSUB_EMULATOR_HOST"),
        metavar="HOST:PORT",
        help="use a local Pub/Sub server instead of Google's (default: $PUBSUB_EMULATOR_HOST)",
    )


def required_project(options: argparse.Namespace) -> str:
    """The Google Cloud project.

    Raises:
        InvalidInput: neither --project nor GOOGLE_CLOUD_PROJECT is set.
    """
    if not options.project:
        raise InvalidInput(
            "no Google Cloud project given: use --project ID, or set GOOGLE_CLOUD_PROJECT", field="project"
        )
    return str(options.project)
