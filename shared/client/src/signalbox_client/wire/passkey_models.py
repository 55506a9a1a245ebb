"""The responses of /v1/passkeys."""

from datetime import datetime

from msgspec import Struct


class Passkey(Struct, frozen=True, kw_only=True):
    """A passkey of a subject. `is_backed_up`: it is synchronized between devices."""

    id: str
    name: str
    subject: str
    created_at: datetime
    is_backed_up: bool = False
    revoked_at: datetime | None = None
    revoked_by: str | None = None


class PasskeyList(Struct, frozen=True, kw_only=True):
    passkeys: tuple[Passkey, ...]
