"""The key files: whether they can be read and by whom, and how old their keys are."""

import re
import stat
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from signalbox_admin.checks.findings import Finding, Reporter
from signalbox_core.crypto.api_keys import Role, read_api_keys
from signalbox_core.crypto.sealing import decode_payload_keys
from signalbox_core.errors import SignalboxError
from signalbox_core.ledger.notes import read_signer
from signalbox_core.signatures.keyfile import load_key_set, read_key_file
from signalbox_core.signatures.keys import KeyRecord

_OLD: Final = timedelta(days=365)
_SOON: Final = timedelta(days=14)
_DATE_OF_KEYID: Final = re.compile(r".*-(\d{8})-[0-9a-f]{6}")
"""A keyid that `signalbox-admin keys new` generated has the date."""
_PRIVATE: Final = frozenset({"SIGNALBOX_PAYLOAD_KEYS_FILE", "SIGNALBOX_GATEWAY_LEDGER_KEY_FILE"})
"""Files that hold secrets; the others hold hashes or public keys."""


def check_key_files(environ: Mapping[str, str], now: datetime | None = None) -> list[Finding]:
    at = now or datetime.now(UTC)
    return [
        finding
        for variable, (subject, check) in _FILES.items()
        for finding in _check(Reporter(subject), variable, environ.get(variable), check, at)
    ]


Check = Callable[[Reporter, Path, datetime], list[Finding]]


def _check(
    report: Reporter, variable: str, name: str | None, check: Check, now: datetime
) -> Sequence[Finding]:
    if not name:
        return [report.skipped(f"set {variable}")]
    path = Path(name)
    try:
        found = check(report, path, now)
    except (SignalboxError, OSError) as error:
        return [report.error(str(error), f"repair the file, or set {variable} to the right one")]
    return [*found, *([_mode(report, path)] if variable in _PRIVATE else [])]


def _mode(report: Reporter, path: Path) -> Finding:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o007:
        return report.error(f"{path} can be read by every user (mode {mode:04o})", f"chmod 0600 {path}")
    return report.ok(f"{path} has mode {mode:04o}")


def _api_keys(report: Reporter, path: Path, now: datetime) -> list[Finding]:
    keys = read_api_keys(path)
    good = [key for key in keys if key.is_good_at(now)]
    if not any(Role.ADMIN in key.roles for key in good):
        return [
            report.error(
                f"{path} has no valid key with the role admin",
                "signalbox-admin keys new --kind api --tenant TENANT --name TEXT --roles admin",
            )
        ]
    soon = [key.id for key in good if key.expires_at is not None and key.expires_at < now + _SOON]
    if soon:
        return [
            report.warning(
                f"{path}: {', '.join(soon)} will expire within {_SOON.days} days",
                f"signalbox-admin keys rotate --kind api --keyid {soon[0]} --file {path}",
            )
        ]
    if old := [
        key.id
        for key in good
        if key.created_at is not None and key.created_at + _OLD < now and not key.expires_at
    ]:
        return [
            report.warning(
                f"{path}: {', '.join(old)} never expire, and are older than {_OLD.days} days",
                f"signalbox-admin keys rotate --kind api --keyid {old[0]} --file {path}",
            )
        ]
    return [report.ok(f"{path}: {len(good)} of {len(keys)} keys are valid")]


def _sender_keys(report: Reporter, path: Path, now: datetime) -> list[Finding]:
    file = read_key_file(path)
    load_key_set(file.keys, path.parent)
    if not file.keys and not file.jwks:
        return [
            report.error(
                f"{path} has no key: every event is refused", "signalbox-admin keys new --kind sender"
            )
        ]
    usable = [key for key in file.keys if key.is_usable(now)]
    rotate = f"signalbox-admin keys rotate --kind sender --file {path} --private NEW_FILE --keyid"
    if file.keys and not usable and not file.jwks:
        return [
            report.error(
                f"{path}: no key is valid now: every event is refused", f"{rotate} {file.keys[0].keyid}"
            )
        ]
    if old := [key.keyid for key in usable if (made_at := made_on(key)) is not None and made_at + _OLD < now]:
        return [
            report.warning(f"{path}: {', '.join(old)} are older than {_OLD.days} days", f"{rotate} {old[0]}")
        ]
    return [report.ok(f"{path}: {len(usable)} keys, {len(file.jwks)} addresses of published keys")]


def made_on(key: KeyRecord) -> datetime | None:
    """When a sender's key was made, by its keyid or the start of its validity; None if neither has it."""
    found = _DATE_OF_KEYID.fullmatch(key.keyid)
    try:
        return datetime.strptime(found[1], "%Y%m%d").replace(tzinfo=UTC) if found else key.not_before
    except ValueError:
        return key.not_before


def _payload_keys(report: Reporter, path: Path, now: datetime) -> list[Finding]:
    file = decode_payload_keys(path.read_bytes(), str(path))
    active = next(key for key in file.keys if key.id == file.active)
    age = now - active.made_at
    if age > _OLD:
        return [
            report.warning(
                f"{path}: the active key {active.id} is {age.days} days old",
                f"signalbox-admin payload-keys new --file {path}, distribute it, then: payload-keys rotate",
            )
        ]
    return [report.ok(f"{path}: the active key {active.id} is {max(age.days, 0)} days old")]


def _ledger_key(report: Reporter, path: Path, _now: datetime) -> list[Finding]:
    return [report.ok(f"{path}: signs as {read_signer(path).verifier.name}")]


_FILES: Final[Mapping[str, tuple[str, Check]]] = {
    "SIGNALBOX_GATEWAY_API_KEYS_FILE": ("API keys", _api_keys),
    "SIGNALBOX_RECEIVER_KEYS": ("Sender keys", _sender_keys),
    "SIGNALBOX_PAYLOAD_KEYS_FILE": ("Payload keys", _payload_keys),
    "SIGNALBOX_GATEWAY_LEDGER_KEY_FILE": ("Ledger key", _ledger_key),
}
