"""`signalbox-admin audit`: keys of the ledger, offline verification, erasure of personal values."""

import argparse
import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from signalbox_admin.command_line import Subparsers, add_command, print_line
from signalbox_admin.sender_keys import write_private_key
from signalbox_core.errors import InvalidInput, InvalidSignature
from signalbox_core.ledger.audit import ReadTile, find_damage, read_log
from signalbox_core.ledger.commitments import DisclosedValue
from signalbox_core.ledger.entries import LedgerEntry
from signalbox_core.ledger.erasure import IsSelected, erase_values
from signalbox_core.ledger.notes import (
    Checkpoint,
    NoteVerifier,
    new_signer,
    open_checkpoint,
    parse_verifier,
)
from signalbox_core.ledger.receipts import decode_receipt, verify_receipt
from signalbox_core.ledger.tiles import TileRef
from signalbox_core.objects import open_object_store

_SHOWN: Final = ("subject", "name", "answer", "reason")


def add_parser(subparsers: Subparsers) -> None:
    group = add_command(
        subparsers,
        "audit",
        "verify and list the ledger of decisions, create its keys, erase personal values",
        "`verify` works offline, with the public key alone (docs/ledger.md).",
    )
    actions = group.add_subparsers(required=True, metavar="COMMAND", title="commands")
    _add_new_key(actions)
    _add_verify(actions)
    _add_list(actions)
    _add_erase(actions)


def _add_new_key(actions: Subparsers) -> None:
    new = add_command(
        actions,
        "new-key",
        "create a key that signs checkpoints, and print its public key",
        "The private key is written to a new file with mode 0600. Publish the public key where auditors "
        "find it, outside of this system.",
    )
    new.add_argument(
        "--name", required=True, metavar="NAME", help="the key's name, such as signalbox.example.com/ledger"
    )
    new.add_argument("--private", required=True, metavar="FILE", help="the new file for the private key")
    new.add_argument("--public", metavar="FILE", help="also write the public key to this file")
    new.add_argument(
        "--witness", action="store_true", help="the key of a witness, which cosigns the checkpoints"
    )
    new.set_defaults(run=_new_key)


def _add_verify(actions: Subparsers) -> None:
    verify = add_command(
        actions,
        "verify",
        "verify receipts, a copy of a tenant's log, or both",
        "With both, the log must extend the checkpoint of each receipt. "
        "If the log is damaged, the first damaged entry is named.",
    )
    verify.add_argument("receipts", nargs="*", metavar="FILE", help="a receipt")
    verify.add_argument("--log", metavar="DIR", help="a copy of the folder ledger/TENANT of the object store")
    verify.add_argument(
        "--public-key", required=True, metavar="FILE", help="the file with the public key of the log"
    )
    verify.add_argument("--witness-key", metavar="FILE", help="also require the cosignature of this witness")
    verify.set_defaults(run=_verify)


def _add_list(actions: Subparsers) -> None:
    listing = add_command(
        actions,
        "list",
        "verify a copy of a tenant's log and list its entries",
        "The entries have no personal values, which are not part of the log.",
    )
    listing.add_argument(
        "--log", required=True, metavar="DIR", help="a copy of the folder ledger/TENANT of the object store"
    )
    listing.add_argument(
        "--public-key", required=True, metavar="FILE", help="the file with the public key of the log"
    )
    listing.add_argument(
        "--event",
        default="",
        metavar="PREFIX",
        help="only events whose names begin with this, such as api_key. or policy.changed",
    )
    listing.set_defaults(run=_list)


def _add_erase(actions: Subparsers) -> None:
    erase = add_command(
        actions,
        "erase",
        "erase personal values from the ledger (without --apply, only list the entries)",
        "The entries and their digests stay, so the log still verifies. Artifacts, events and Temporal's "
        "history are not touched.",
    )
    erase.add_argument(
        "--objects", required=True, metavar="URL", help="the object store, as SIGNALBOX_GATEWAY_OBJECTS_URL"
    )
    erase.add_argument("--tenant", required=True, metavar="NAME", help="the tenant")
    erase.add_argument("--person", metavar="TEXT", help="only entries of this subject or display name")
    erase.add_argument("--run", dest="run_id", metavar="ID", help="only entries of this run")
    erase.add_argument("--apply", action="store_true", help="erase the values; this cannot be undone")
    erase.set_defaults(run=lambda options: asyncio.run(_erase(options)))


def _new_key(options: argparse.Namespace) -> int:
    signer = new_signer(options.name, use="witness" if options.witness else "log")
    private, public = Path(options.private), signer.verifier.text
    write_private_key(private, f"{signer.private_text}\n".encode())
    if options.public:
        try:
            Path(options.public).write_text(f"{public}\n")
        except OSError as error:
            private.unlink()
            raise InvalidInput(f"cannot write {options.public}: {error.strerror}", field="public") from None
    print_line(public)
    return 0


def _verify(options: argparse.Namespace) -> int:
    if not options.receipts and not options.log:
        raise InvalidInput("name a receipt, or a copy of the log with --log DIR", field="receipts")
    verifiers = [_read_verifier(options.public_key)]
    if options.witness_key:
        verifiers.append(_read_verifier(options.witness_key))
    checkpoints = [_verify_receipt(Path(name), verifiers) for name in options.receipts]
    if options.log:
        checkpoint = _verify_log(Path(options.log), verifiers, checkpoints)
        print_line(f"verified: {checkpoint.origin} has {checkpoint.size} entries, as signed")
    return 0


def _list(options: argparse.Namespace) -> int:
    folder = Path(options.log)
    checkpoint = _verify_log(folder, [_read_verifier(options.public_key)], [])
    for entry in read_log(_tile_reader(folder), checkpoint.size):
        if entry.event.startswith(options.event):
            print_line(_summary(entry))
    return 0


def _summary(entry: LedgerEntry) -> str:
    """`entry 12: api_key.removed ops-2025 at 2026-11-30T09:00:00+00:00`."""
    of_approval = f" of approval {entry.approval_id}" if entry.approval_id else ""
    of_run = f" of run {entry.run_id}" if entry.run_id else ""
    item = f" {entry.item}" if entry.item else ""
    return f"entry {entry.index}: {entry.event}{item}{of_approval}{of_run} at {entry.at.isoformat()}"


def _verify_receipt(path: Path, verifiers: list[NoteVerifier]) -> Checkpoint:
    receipt = decode_receipt(_read(path))
    verified = verify_receipt(receipt, verifiers)
    print_line(f"verified: {path} is entry {verified.entry.index} of {verified.origin}")
    for line in _describe(verified.entry, verified.disclosed):
        print_line(f"  {line}")
    for signature in verified.signatures:
        print_line(f"  signed by {signature.statement.subject} with passkey {signature.credential_id}")
        print_line(f"    for {signature.rp_id}, public key {signature.public_key}")
    return open_checkpoint(receipt.checkpoint, verifiers)


def _verify_log(folder: Path, verifiers: list[NoteVerifier], earlier: list[Checkpoint]) -> Checkpoint:
    """Raises: InvalidSignature: the log is not exactly what was signed."""
    note = _read(folder / "checkpoint").decode(errors="replace")
    checkpoint = open_checkpoint(note, verifiers)
    if damage := find_damage(checkpoint, _tile_reader(folder), earlier):
        raise InvalidSignature(f"{checkpoint.origin}: {damage.message}", code="damaged_log")
    return checkpoint


def _describe(entry: LedgerEntry, disclosed: Mapping[str, DisclosedValue]) -> list[str]:
    of = f"approval {entry.approval_id} of run {entry.run_id}" if entry.approval_id else f"run {entry.run_id}"
    lines = [f"{entry.event} of {of} at {entry.at.isoformat()}"]
    if entry.question_digest:
        lines.append(f"question: {entry.question_digest}")
    for name in _SHOWN:
        value = disclosed[name].value if name in disclosed else msgspec.UNSET
        if not isinstance(value, msgspec.UnsetType):
            lines.append(f"{name}: {bytes(value).decode()}")
    return lines


def _tile_reader(folder: Path) -> ReadTile:
    def read_tile(ref: TileRef) -> bytes | None:
        try:
            return (folder / ref.path).read_bytes()
        except FileNotFoundError:
            return None

    return read_tile


async def _erase(options: argparse.Namespace) -> int:
    if not options.person and not options.run_id:
        raise InvalidInput("name whose values to erase: --person TEXT, --run ID, or both", field="person")
    count = 0
    store, selected = open_object_store(options.objects), _selection(options.person, options.run_id)
    async for entry in erase_values(store, options.tenant, selected, apply=options.apply):
        count += 1
        print_line(_summary(entry))
    outcome = "erased" if options.apply else "would be erased (use --apply)"
    print_line(f"the values of {count} entries {outcome}")
    return 0


def _selection(person: str | None, run_id: str | None) -> IsSelected:
    def is_selected(entry: LedgerEntry, values: Mapping[str, msgspec.Raw]) -> bool:
        named = [msgspec.json.decode(values[name]) for name in ("subject", "name") if name in values]
        return (person is None or person in named) and run_id in (None, entry.run_id)

    return is_selected


def _read_verifier(name: str) -> NoteVerifier:
    return parse_verifier(_read(Path(name)).decode(errors="replace"))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}") from None
