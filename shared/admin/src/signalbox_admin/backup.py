"""`signalbox-admin backup`: copies the object store into a folder."""

import argparse
import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

from signalbox_admin.command_line import (
    Subparsers,
    add_command,
    add_objects_option,
    print_line,
    required_objects,
)
from signalbox_core.crypto.sealing import VARIABLE, decode_payload_keys
from signalbox_core.errors import InvalidInput


def add_parser(subparsers: Subparsers) -> None:
    parser = add_command(
        subparsers,
        "backup",
        "copy artifacts, uploads, large payloads, ledgers and passkeys into a folder",
        "Back up Temporal's database first, and the key files with your secret store: they are not in the "
        "folder. Repeated for the same folder, it copies only what is new. Services may keep running.",
    )
    parser.add_argument("folder", metavar="FOLDER", help="an empty folder, or an earlier backup")
    add_objects_option(parser)
    parser.set_defaults(run=lambda options: asyncio.run(run(options)))


async def run(options: argparse.Namespace) -> int:
    # The stores load a large client library; `signalbox-admin --help` needs none.
    from signalbox_admin.backup_folder import BackupFolder, make_backup
    from signalbox_core.objects import open_object_store

    source = open_object_store(required_objects(options))
    manifest = await make_backup(source, BackupFolder(Path(options.folder)), payload_key_ids(os.environ))
    size_mb = manifest.size_bytes / 1e6
    print_line(f"{options.folder} has {len(manifest.objects)} objects ({size_mb:.1f} MB)")
    if manifest.payload_keys:
        print_line(f"keep these payload keys with your secrets: {', '.join(manifest.payload_keys)}")
    return 0


def payload_key_ids(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The ids of the payload keys in the file that SIGNALBOX_PAYLOAD_KEYS_FILE names; none if it is unset.

    Raises:
        InvalidInput: the file cannot be read or is not a key file.
    """
    name = environ.get(VARIABLE)
    if not name:
        return ()
    try:
        return tuple(key.id for key in decode_payload_keys(Path(name).read_bytes(), name).keys)
    except OSError as error:
        raise InvalidInput(f"cannot read {name}: {error.strerror}; set {VARIABLE} to the key file") from None
