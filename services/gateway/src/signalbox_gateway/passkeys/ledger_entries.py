"""The ledger's entries of passkeys: `passkey.registered` and `passkey.revoked`. They belong to no run."""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Struct

from signalbox_core.events import CloudEvent, full_type
from signalbox_core.ledger.log import TenantLog
from signalbox_core.subjects import Subject
from signalbox_gateway.passkeys.store import RegisteredPasskey

RecordEvent = Callable[[CloudEvent], Awaitable[None]]


class PasskeyChange(Struct, frozen=True, kw_only=True):
    """A passkey was registered or revoked.

    Attributes:
        owner: the subject whose decisions it signs.
        by: who did it: the owner, or an admin who revokes it.
    """

    credential_id: str
    public_key: str
    rp_id: str
    owner: str
    by: Subject


def record_in_ledger(open_log: Callable[[str], TenantLog] | None) -> RecordEvent:
    """Return a function that appends an event to the ledger of its tenant, and fails if it cannot.

    It writes concurrently with the elected writer, which the log permits (ADR 0013), so that a passkey does
    not sign before the ledger has it.

    Args:
        open_log: None when this deployment keeps no ledger; nothing is recorded then.
    """

    async def record(event: CloudEvent) -> None:
        if open_log is not None:
            await open_log(event.tenantid).append([event])

    return record


def passkey_event(
    change: Literal["registered", "revoked"], passkey: RegisteredPasskey, by: Subject, at: datetime
) -> CloudEvent:
    """The event of a change; the same id each time, so that the ledger has it once."""
    name = hashlib.sha256(passkey.credential_id.encode()).hexdigest()
    data = PasskeyChange(
        credential_id=passkey.credential_id,
        public_key=passkey.public_key,
        rp_id=passkey.rp_id,
        owner=passkey.owner,
        by=by,
    )
    return CloudEvent(
        id=f"passkey-{change}-{name}",
        source="/signalbox/gateway",
        type=full_type(f"passkey.{change}"),
        time=at,
        subject="",
        tenantid=passkey.tenant,
        runid="",
        data=msgspec.Raw(msgspec.json.encode(data)),
    )
