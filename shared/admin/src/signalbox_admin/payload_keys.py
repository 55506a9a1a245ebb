"""`signalbox-admin payload-keys new|rotate|list|remove`: the ring that seals what Temporal keeps, and secrets (docs/security.md)."""

import argparse
import os
from pathlib import Path

import msgspec
from msgspec.structs import replace

from signalbox_admin.output import say
from signalbox_admin.targets import Subparsers
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
    actions = subparsers.add_parser(
        "payload-keys", help="keys that seal payloads and secrets"
    ).add_subparsers(required=True, metavar="COMMAND")
    for name, meaning, run in (
        ("new", "add a key, which opens; the first of a file seals too", _new),
        ("rotate", "let the newest key seal from now on; makes one if it does already", _rotate),
        ("list", "show ids and days; never a key", _list),
    ):
        _action(actions, name, meaning).set_defaults(run=run)
    removed = _action(actions, "remove", "take a key out: what it sealed can never be opened again")
    removed.add_argument("--keyid", required=True)
    removed.set_defaults(run=_remove)


def _action(actions: Subparsers, name: str, meaning: str) -> argparse.ArgumentParser:
    action = actions.add_parser(name, help=meaning)
    action.add_argument("--file", metavar="FILE", help=f"the key file; default: the variable {VARIABLE}")
    return action


def _new(args: argparse.Namespace) -> int:
    path, file = _path(args), _read(_path(args))
    key = _write_with_new_key(path, file)
    does = "seals and opens" if file is None else "opens; let every service see it, then: payload-keys rotate"
    return _done(f"payload key {key.id} {does}")


def _rotate(args: argparse.Namespace) -> int:
    path, file = _path(args), _present(args)
    newest = file.keys[-1]
    if newest.id == file.active:
        newest = _write_with_new_key(path, file)
        file = _present(args)
    _write(path, replace(file, active=newest.id))
    return _done(f"payload key {newest.id} seals from now on; the older ones go on opening")


def _list(args: argparse.Namespace) -> int:
    file = _present(args)
    for key in file.keys:
        say(f"{key.id}  {key.made_at.isoformat()}  {'seals and opens' if key.id == file.active else 'opens'}")
    return 0


def _remove(args: argparse.Namespace) -> int:
    path, file = _path(args), _present(args)
    if args.keyid == file.active:
        raise Conflict(f"payload key {args.keyid} seals; rotate first", field="keyid")
    kept = tuple(key for key in file.keys if key.id != args.keyid)
    if len(kept) == len(file.keys):
        raise NotFound(
            f"{path} has no payload key {args.keyid}; `payload-keys list` shows them", field="keyid"
        )
    _write(path, replace(file, keys=kept))
    return _done(f"payload key {args.keyid} is gone; what it sealed can no longer be opened")


def _write_with_new_key(path: Path, file: PayloadKeyFile | None) -> PayloadKey:
    key = new_payload_key()
    _write(
        path,
        PayloadKeyFile(active=key.id, keys=(key,)) if file is None else replace(file, keys=(*file.keys, key)),
    )
    return key


def _write(path: Path, file: PayloadKeyFile) -> None:
    """With the mode that it has; a new one is the owner's alone."""
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    replace_file(path, msgspec.json.encode(file), mode=mode)


def _present(args: argparse.Namespace) -> PayloadKeyFile:
    file = _read(_path(args))
    if file is None:
        raise NotFound(f"there is no file {_path(args)}; make one: payload-keys new", field="file")
    return file


def _read(path: Path) -> PayloadKeyFile | None:
    try:
        return decode_payload_keys(path.read_bytes(), str(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}", field="file") from None


def _path(args: argparse.Namespace) -> Path:
    name = args.file or os.environ.get(VARIABLE)
    if not name:
        raise InvalidInput(f"name the key file: --file FILE, or the variable {VARIABLE}", field="file")
    return Path(name)


def _done(line: str) -> int:
    say(line)
    return 0
