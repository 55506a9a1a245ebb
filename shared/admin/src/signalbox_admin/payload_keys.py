"""`signalbox-admin payload-keys`: the keys that encrypt payloads and secrets (docs/security.md)."""

import argparse
from pathlib import Path

import msgspec
from msgspec.structs import replace

from signalbox_admin.command_line import Subparsers, add_command, key_file, print_line
from signalbox_core.crypto.sealing import (
    VARIABLE,
    PayloadKey,
    PayloadKeyFile,
    decode_payload_keys,
    new_payload_key,
)
from signalbox_core.errors import Conflict, InvalidInput, NotFound
from signalbox_core.signatures.keyfile import replace_file


def add_parser(subparsers: Subparsers) -> None:
    group = add_command(
        subparsers,
        "payload-keys",
        "manage the keys that encrypt payloads and secrets",
        "The newest key encrypts once `rotate` has activated it; every key in the file decrypts.",
    )
    actions = group.add_subparsers(required=True, metavar="COMMAND", title="commands")
    for name, meaning, run in (
        ("new", "add a key that decrypts; the first key of a file also encrypts", _new),
        (
            "rotate",
            "encrypt with the newest key from now on; if it is active already, add a key first",
            _rotate,
        ),
        ("list", "list key ids and creation times, never the keys", _list),
    ):
        _action(actions, name, meaning).set_defaults(run=run)
    removed = _action(actions, "remove", "delete a key: what it encrypted can never be decrypted again")
    removed.add_argument("--keyid", required=True, metavar="ID", help="the key to delete, see `list`")
    removed.set_defaults(run=_remove)


def _action(actions: Subparsers, name: str, summary: str) -> argparse.ArgumentParser:
    action = add_command(actions, name, summary)
    action.add_argument("--file", metavar="FILE", help=f"the key file (default: ${VARIABLE})")
    return action


def _new(args: argparse.Namespace) -> int:
    path, file = _path(args), _read(_path(args))
    key = _write_with_new_key(path, file)
    if file is None:
        return _print_done(f"payload key {key.id} encrypts and decrypts")
    return _print_done(
        f"payload key {key.id} decrypts; once every service has loaded the file, run: payload-keys rotate"
    )


def _rotate(args: argparse.Namespace) -> int:
    path, file = _path(args), _read_existing(args)
    newest = file.keys[-1]
    if newest.id == file.active:
        newest = _write_with_new_key(path, file)
        file = _read_existing(args)
    _write(path, replace(file, active=newest.id))
    return _print_done(f"payload key {newest.id} encrypts from now on; the older keys still decrypt")


def _list(args: argparse.Namespace) -> int:
    file = _read_existing(args)
    for key in file.keys:
        use = "encrypts and decrypts" if key.id == file.active else "decrypts"
        print_line(f"{key.id}  {key.made_at.isoformat()}  {use}")
    return 0


def _remove(args: argparse.Namespace) -> int:
    path, file = _path(args), _read_existing(args)
    if args.keyid == file.active:
        raise Conflict(f"payload key {args.keyid} is active: rotate first", field="keyid")
    kept = tuple(key for key in file.keys if key.id != args.keyid)
    if len(kept) == len(file.keys):
        raise NotFound(
            f"{path} has no payload key {args.keyid}; `payload-keys list` shows them", field="keyid"
        )
    _write(path, replace(file, keys=kept))
    return _print_done(f"payload key {args.keyid} is deleted; what it encrypted can no longer be decrypted")


def _write_with_new_key(path: Path, file: PayloadKeyFile | None) -> PayloadKey:
    key = new_payload_key()
    _write(
        path,
        PayloadKeyFile(active=key.id, keys=(key,)) if file is None else replace(file, keys=(*file.keys, key)),
    )
    return key


def _write(path: Path, file: PayloadKeyFile) -> None:
    replace_file(path, msgspec.json.encode(file))


def _read_existing(args: argparse.Namespace) -> PayloadKeyFile:
    file = _read(_path(args))
    if file is None:
        raise NotFound(f"{_path(args)} does not exist; create it: payload-keys new", field="file")
    return file


def _read(path: Path) -> PayloadKeyFile | None:
    try:
        return decode_payload_keys(path.read_bytes(), str(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}", field="file") from None


def _path(args: argparse.Namespace) -> Path:
    return key_file(args, VARIABLE)


def _print_done(line: str) -> int:
    print_line(line)
    return 0
