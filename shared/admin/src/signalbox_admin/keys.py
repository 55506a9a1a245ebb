"""`signalbox-admin keys new|import|list|rotate|revoke --kind sender|api`: the command; the work is in the two modules it calls."""

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

import msgspec
from msgspec.structs import replace

from signalbox_admin.api_keys import ApiKeys, make_api_key, parse_roles, record_of
from signalbox_admin.sender_keys import (
    Grant,
    SenderKeys,
    fresh_keyid,
    new_key,
    overlap_end,
    revoke_key,
    rotate_key,
)
from signalbox_core.crypto.api_keys import ApiKey
from signalbox_core.errors import InvalidInput
from signalbox_core.signatures import Algorithm, KeyRecord

_FILES: Final = {"sender": "SIGNALBOX_RECEIVER_KEYS", "api": "SIGNALBOX_GATEWAY_API_KEYS_FILE"}


_MAX_DAYS: Final = 36_500
_FOR_EVER: Final = datetime.max.replace(tzinfo=UTC)


class Subparsers(Protocol):
    """What `ArgumentParser.add_subparsers()` returns."""

    def add_parser(self, name: str, *, help: str) -> argparse.ArgumentParser: ...  # noqa: A002  argparse's own name


def add_parser(subparsers: Subparsers) -> None:
    """Add `keys`; each of its commands sets `run`, which takes the parsed arguments and returns the exit status."""
    actions = subparsers.add_parser("keys", help="keys of event senders and of API users").add_subparsers(
        required=True, metavar="COMMAND"
    )
    new = _action(actions, "new", "make a key; a private key goes to a file (0600), an API key is shown once")
    _grant_arguments(new)
    new.add_argument("--private", metavar="FILE", help="sender: where the private key is written")
    new.set_defaults(run=lambda args: _new_api(args) if args.kind == "api" else _new_sender(args))
    imported = _action(
        actions, "import", "add a sender's public key or HMAC secret, or an API key that exists"
    )
    _grant_arguments(imported)
    imported.add_argument(
        "--alg", default=Algorithm.ED25519.value, choices=[each.value for each in Algorithm]
    )
    imported.add_argument("--public", metavar="FILE", help="sender: the public key in PEM")
    imported.add_argument(
        "--secret",
        metavar="FILE",
        help="sender: a file with the HMAC secret, which stays there; api: with the key",
    )
    imported.set_defaults(run=lambda args: _import_api(args) if args.kind == "api" else _import_sender(args))
    listed = _action(actions, "list", "show the keys; never a secret")
    listed.add_argument("--json", action="store_true", help="as JSON")
    listed.set_defaults(
        run=lambda args: _list(
            _api(args).records if args.kind == "api" else _senders(args).records, as_json=args.json
        )
    )
    rotated = _action(actions, "rotate", "make the key that follows; the old one stays good for the overlap")
    rotated.add_argument("--keyid", required=True, help="the key to replace")
    rotated.add_argument(
        "--new-keyid", help="sender: keyid of the new key (default: sender, date and six digits)"
    )
    rotated.add_argument("--private", metavar="FILE", help="sender: where the new private key is written")
    rotated.add_argument("--overlap-hours", type=float, default=24.0, help="how long both keys are good (24)")
    rotated.add_argument(
        "--expires-in-days",
        type=float,
        help="api: how long the new key is good (default: until it is revoked)",
    )
    rotated.set_defaults(run=lambda args: _rotate_api(args) if args.kind == "api" else _rotate_sender(args))
    revoked = _action(actions, "revoke", "let a key count no more")
    revoked.add_argument("--keyid", required=True)
    revoked.set_defaults(run=_revoke)


def _action(actions: Subparsers, name: str, meaning: str) -> argparse.ArgumentParser:
    action = actions.add_parser(name, help=meaning)
    action.add_argument(
        "--kind",
        choices=list(_FILES),
        default="sender",
        help="sender: signs events (default); api: calls the gateway",
    )
    action.add_argument(
        "--file",
        metavar="FILE",
        help=f"the key file; default: the variable {_FILES['sender']} or {_FILES['api']}",
    )
    return action


def _grant_arguments(action: argparse.ArgumentParser) -> None:
    action.add_argument("--keyid", help="sender: the name of the key in signatures")
    action.add_argument("--sender", help="sender: whose key it is")
    action.add_argument("--tenant", required=True, help="the tenant; for a sender also *, which is any")
    action.add_argument(
        "--events", default="*", help="sender: event names it may send, as in 'run.*,invoice.*'"
    )
    action.add_argument("--roles", default="", help="api: viewer, operator, approver, admin")
    action.add_argument("--name", help="api: whose key it is, for people")
    action.add_argument(
        "--expires-in-days", type=float, help="api: how long it is good (default: until it is revoked)"
    )


def _new_sender(args: argparse.Namespace) -> int:
    sender = _required(args.sender, "--sender")
    keyid = args.keyid or fresh_keyid(sender, datetime.now(UTC))
    private_file = Path(_required(args.private, "--private"))
    record = new_key(_senders(args), _grant(args), keyid=keyid, private_file=private_file)
    return _say(f"key {record.keyid} of {record.sender} may sign; its private key is in {private_file}")


def _new_api(args: argparse.Namespace) -> int:
    name, expires_at = _required(args.name, "--name"), _expiry(args)
    return _add_api(
        _api(args),
        *make_api_key(tenant=args.tenant, roles=parse_roles(args.roles), name=name, expires_at=expires_at),
    )


def _add_api(keys: ApiKeys, key: str, record: ApiKey) -> int:
    keys.add(record)
    return _say(f"API key {record.id} of {record.name}; it is shown this once:\n{key}")


def _import_sender(args: argparse.Namespace) -> int:
    grant = _grant(args)
    record = KeyRecord(
        keyid=_required(args.keyid, "--keyid"),
        alg=Algorithm(args.alg),
        sender=grant.sender,
        tenant=grant.tenant,
        events=grant.events,
        public_pem=_read(args.public, "--public") if args.public else None,
        secret_file=str(Path(args.secret).resolve()) if args.secret else None,
    )
    _senders(args).add(record)
    return _say(f"key {record.keyid} of {record.sender} may sign")


def _import_api(args: argparse.Namespace) -> int:
    key = _read(_required(args.secret, "--secret"), "--secret").strip()
    name, expires_at = _required(args.name, "--name"), _expiry(args)
    record = record_of(
        key, tenant=args.tenant, roles=parse_roles(args.roles), name=name, expires_at=expires_at
    )
    _api(args).add(record)
    return _say(f"API key {record.id} of {record.name} may call the gateway")


def _list(records: Sequence[KeyRecord] | Sequence[ApiKey], *, as_json: bool) -> int:
    if as_json:
        return _say(msgspec.json.format(msgspec.json.encode({"keys": records}), indent=2).decode())
    for record in records:
        match record:
            case ApiKey():
                until = f"  until {record.expires_at.isoformat()}" if record.expires_at else ""
                _say(f"{record.id}  {record.tenant}  {','.join(sorted(record.roles))}  {record.name}{until}")
            case KeyRecord():
                until = f"  until {record.not_after.isoformat()}" if record.not_after else ""
                _say(
                    f"{record.keyid}  {record.alg}  {record.sender}  {record.tenant}  {','.join(record.events)}  {record.state}{until}"
                )
    return 0


def _rotate_sender(args: argparse.Namespace) -> int:
    keys, now = _senders(args), datetime.now(UTC)
    old = keys.get(args.keyid)
    until = overlap_end(now, args.overlap_hours)
    private_file = Path(_required(args.private, "--private"))
    new = rotate_key(
        keys,
        old,
        keyid=args.new_keyid or fresh_keyid(old.sender, now),
        private_file=private_file,
        until=until,
    )
    return _say(
        f"key {new.keyid} may sign, its private key is in {private_file}; {old.keyid} is good until {until.isoformat()}"
    )


def _rotate_api(args: argparse.Namespace) -> int:
    keys = _api(args)
    old = keys.get(args.keyid)
    key, record = make_api_key(tenant=old.tenant, roles=old.roles, name=old.name, expires_at=_expiry(args))
    until = min(overlap_end(datetime.now(UTC), args.overlap_hours), old.expires_at or _FOR_EVER)
    keys.change(replace(old, expires_at=until))
    _add_api(keys, key, record)
    return _say(
        f"{old.id} is good until {until.isoformat()}; end it sooner: keys revoke --kind api --keyid {old.id}"
    )


def _revoke(args: argparse.Namespace) -> int:
    if args.kind == "api":
        _api(args).remove(args.keyid)
    else:
        revoke_key(_senders(args), args.keyid)
    return _say(f"{args.keyid} counts no more; services take the file over within seconds")


def _senders(args: argparse.Namespace) -> SenderKeys:
    return SenderKeys(_file(args))


def _api(args: argparse.Namespace) -> ApiKeys:
    return ApiKeys(_file(args))


def _file(args: argparse.Namespace) -> Path:
    variable = _FILES[args.kind]
    name = args.file or os.environ.get(variable)
    if not name:
        raise InvalidInput(f"name the key file: --file FILE, or the variable {variable}", field="file")
    return Path(name)


def _grant(args: argparse.Namespace) -> Grant:
    events = tuple(part.strip() for part in args.events.split(",") if part.strip())
    return Grant(sender=_required(args.sender, "--sender"), tenant=args.tenant, events=events)


def _expiry(args: argparse.Namespace) -> datetime | None:
    days = args.expires_in_days
    if days is None:
        return None
    if not 0 < days <= _MAX_DAYS:
        raise InvalidInput(
            f"--expires-in-days must be more than 0 and at most {_MAX_DAYS}", field="expires_in_days"
        )
    return (datetime.now(UTC) + timedelta(days=days)).replace(microsecond=0)


def _required(value: str | None, option: str) -> str:
    if not value:
        raise InvalidInput(f"{option} is needed for this kind of key", field=option.lstrip("-"))
    return value


def _read(name: str, option: str) -> str:
    try:
        return Path(name).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{option}: cannot read {name}: {error}", field=option.lstrip("-")) from None


def _say(line: str) -> int:
    sys.stdout.write(f"{line}\n")
    return 0
