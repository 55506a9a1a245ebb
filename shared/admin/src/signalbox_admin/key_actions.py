"""What the commands of `signalbox-admin keys` do, for sender keys and API keys."""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from signalbox_admin.api_keys import ApiKeyStore, generate_api_key, parse_roles, record_api_key
from signalbox_admin.command_line import KEY_FILE_VARIABLES, key_file, print_line
from signalbox_admin.sender_keys import (
    SenderGrant,
    SenderKeyStore,
    create_key,
    generate_keyid,
    overlap_end,
    revoke_key,
    rotate_key,
)
from signalbox_core.crypto.api_keys import ApiKey
from signalbox_core.errors import InvalidInput
from signalbox_core.signatures import Algorithm, KeyRecord
from signalbox_core.subjects import SUBJECT_KINDS

_MAX_DAYS: Final = 36_500
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


def new_sender(args: argparse.Namespace) -> int:
    sender = _required(args.sender, "--sender")
    keyid = args.keyid or generate_keyid(sender, datetime.now(UTC))
    private_file = Path(_required(args.private, "--private"))
    record = create_key(_senders(args), _grant(args), keyid=keyid, private_file=private_file)
    return _print_done(
        f"created key {record.keyid} of sender {record.sender}; the private key is in {private_file}"
    )


def new_api(args: argparse.Namespace) -> int:
    name, expires_at = _required(args.name, "--name"), _expiry(args)
    key, record = generate_api_key(
        tenant=args.tenant, roles=parse_roles(args.roles), name=name, expires_at=expires_at
    )
    return _add_api(_api(args), key, _with_subject(record, args))


def _with_subject(record: ApiKey, args: argparse.Namespace) -> ApiKey:
    """Add the kind and the groups of the key's user.

    Raises:
        InvalidInput: a group's name is invalid, or there are too many groups.
    """
    kind = next((kind for kind in SUBJECT_KINDS if kind == args.kind), "human")
    try:
        return replace(record, kind=kind, groups=tuple(dict.fromkeys(args.group)))
    except ValueError as error:
        raise InvalidInput(f"--group: {error}", field="group") from None


def _add_api(keys: ApiKeyStore, key: str, record: ApiKey) -> int:
    keys.add(record)
    return _print_done(f"created API key {record.id} of {record.name}; it is not shown again:\n{key}")


def import_sender(args: argparse.Namespace) -> int:
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
    return _print_done(f"imported key {record.keyid} of sender {record.sender}")


def import_api(args: argparse.Namespace) -> int:
    key = _read(_required(args.secret, "--secret"), "--secret").strip()
    name, expires_at = _required(args.name, "--name"), _expiry(args)
    record = record_api_key(
        key, tenant=args.tenant, roles=parse_roles(args.roles), name=name, expires_at=expires_at
    )
    _api(args).add(_with_subject(record, args))
    return _print_done(f"imported API key {record.id} of {record.name}")


def records(args: argparse.Namespace) -> Sequence[KeyRecord] | Sequence[ApiKey]:
    return _api(args).records if args.kind == "api" else _senders(args).records


def print_records(records: Sequence[KeyRecord] | Sequence[ApiKey], *, as_json: bool) -> int:
    if as_json:
        return _print_done(msgspec.json.format(msgspec.json.encode({"keys": records}), indent=2).decode())
    for record in records:
        print_line("  ".join(_columns(record)))
    return 0


def _columns(record: KeyRecord | ApiKey) -> list[str]:
    if isinstance(record, ApiKey):
        columns = [record.id, record.tenant, ",".join(sorted(record.roles)), record.name]
        columns += [record.kind] if record.kind != "human" else []
        columns += [f"groups {','.join(record.groups)}"] if record.groups else []
        expires_at = record.expires_at
    else:
        columns = [
            record.keyid,
            record.alg,
            record.sender,
            record.tenant,
            ",".join(record.events),
            record.state,
        ]
        expires_at = record.not_after
    return [*columns, f"until {expires_at.isoformat()}"] if expires_at else columns


def rotate_sender(args: argparse.Namespace) -> int:
    keys, now = _senders(args), datetime.now(UTC)
    old = keys.get(args.keyid)
    until = overlap_end(now, args.overlap_hours)
    private_file = Path(_required(args.private, "--private"))
    keyid = args.new_keyid or generate_keyid(old.sender, now)
    new = rotate_key(keys, old, keyid=keyid, private_file=private_file, until=until)
    return _print_done(
        f"created key {new.keyid}; the private key is in {private_file}."
        f" {old.keyid} is valid until {until.isoformat()}"
    )


def rotate_api(args: argparse.Namespace) -> int:
    keys = _api(args)
    old = keys.get(args.keyid)
    key, record = generate_api_key(
        tenant=old.tenant, roles=old.roles, name=old.name, expires_at=_expiry(args)
    )
    # The same subject: the holder of both keys must not count twice during the overlap.
    record = replace(record, kind=old.kind, groups=old.groups, subject=old.stable_subject)
    until = min(overlap_end(datetime.now(UTC), args.overlap_hours), old.expires_at or _NEVER)
    keys.replace(replace(old, expires_at=until))
    _add_api(keys, key, record)
    return _print_done(
        f"{old.id} is valid until {until.isoformat()};"
        f" to end it now: signalbox-admin keys revoke --kind api --keyid {old.id}"
    )


def revoke(args: argparse.Namespace) -> int:
    if args.kind == "api":
        _api(args).remove(args.keyid)
    else:
        revoke_key(_senders(args), args.keyid)
    return _print_done(f"revoked {args.keyid}; services reload the file within seconds")


def _senders(args: argparse.Namespace) -> SenderKeyStore:
    return SenderKeyStore(key_file(args, KEY_FILE_VARIABLES["sender"]))


def _api(args: argparse.Namespace) -> ApiKeyStore:
    return ApiKeyStore(key_file(args, KEY_FILE_VARIABLES["api"]))


def _grant(args: argparse.Namespace) -> SenderGrant:
    events = tuple(part.strip() for part in args.events.split(",") if part.strip())
    return SenderGrant(sender=_required(args.sender, "--sender"), tenant=args.tenant, events=events)


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
        raise InvalidInput(f"{option} is required for this kind of key", field=option.lstrip("-"))
    return value


def _read(name: str, option: str) -> str:
    try:
        return Path(name).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{option}: cannot read {name}: {error}", field=option.lstrip("-")) from None


def _print_done(line: str) -> int:
    print_line(line)
    return 0
