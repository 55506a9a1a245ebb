"""`signalbox-admin restore`: copies a backup into the object store."""

import argparse
import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from signalbox_admin.backup import payload_key_ids
from signalbox_admin.command_line import (
    Subparsers,
    add_command,
    add_objects_option,
    print_line,
    required_objects,
)
from signalbox_core.crypto.sealing import VARIABLE
from signalbox_core.errors import InvalidInput


def add_parser(subparsers: Subparsers) -> None:
    parser = add_command(
        subparsers,
        "restore",
        "copy a backup of `signalbox-admin backup` into the object store",
        "Stop the services, restore the key files and the objects, then Temporal's database "
        "(docs/runbooks.md). Every object is compared with its digest before anything is written.",
    )
    parser.add_argument("folder", metavar="FOLDER", help="a backup")
    add_objects_option(parser)
    parser.add_argument("--check", action="store_true", help="only compare the backup with its digests")
    parser.add_argument("--overwrite", action="store_true", help="replace objects of the store that differ")
    parser.set_defaults(run=lambda options: asyncio.run(run(options)))


async def run(options: argparse.Namespace) -> int:
    from signalbox_admin.backup_folder import BackupFolder, check_backup, restore_objects
    from signalbox_core.objects import open_object_store

    folder = BackupFolder.existing(Path(options.folder))
    manifest = await check_backup(folder)
    size_mb, made = manifest.size_bytes / 1e6, f"{manifest.made_at:%Y-%m-%d %H:%M} UTC"
    whole = f"{len(manifest.objects)} objects ({size_mb:.1f} MB), made on {made}"
    if options.check:
        print_line(f"the backup is sound: {whole}")
        return 0
    _check_payload_keys(manifest.payload_keys, payload_key_ids(os.environ))
    target = open_object_store(required_objects(options))
    written = await restore_objects(folder, manifest, target, overwrite=options.overwrite)
    print_line(f"restored {written} of {whole}")
    return 0


def _check_payload_keys(needed: Sequence[str], present: Sequence[str]) -> None:
    """Check that the payload keys of the backup are available.

    Raises:
        InvalidInput: some are not; what they encrypted could not be read.
    """
    missing = [key for key in needed if key not in present]
    if missing:
        raise InvalidInput(
            f"the payload keys {', '.join(missing)} are missing, without which runs cannot be read; restore"
            f" the key file from your secret store, and set {VARIABLE} to it",
            field=VARIABLE,
        )
