"""Portal sessions in Redis until their token expires; never in a history, a log or an error.

`gdt:session:{MST}:RUN_ID` holds the session of a run, sealed when the worker has payload keys;
`gdt:captcha:KEY` holds the cookies of a captcha until it is answered.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from signalbox_core.crypto.sealing import KeyRing
from signalbox_core.errors import Unavailable
from signalbox_core.redis.client import map_redis_errors
from signalbox_core.settings import Secret
from signalbox_pipelines.invoice_import.messages import ImportAccount
from signalbox_pipelines.invoice_import.portal.faults import SessionExpired
from signalbox_pipelines.invoice_import.portal.login import PortalSession

_CAPTCHA_TTL: Final = timedelta(minutes=5)
_WHAT: Final = "portal session"


class _SealedSession(Struct, frozen=True, tag="sealed"):
    key_id: str
    body: bytes


class _StoredSession(Struct, frozen=True, tag="clear"):
    token: str
    cookies: str
    expires_at: datetime


class PortalSessionStore:
    """Stores sessions and captcha cookies; one instance per worker process."""

    def __init__(self, redis: Redis, ring: KeyRing | None) -> None:
        self._redis = redis
        self._ring = ring

    async def save(self, account: ImportAccount, session: PortalSession) -> None:
        stored = _StoredSession(session.token.reveal(), session.cookies.reveal(), session.expires_at)
        body = msgspec.json.encode(stored)
        if self._ring is not None:
            body = msgspec.json.encode(_SealedSession(*self._ring.seal(body, _key(account).encode())))
        with map_redis_errors(_WHAT):
            await self._redis.set(_key(account), body, exat=session.expires_at)

    async def load(self, account: ImportAccount) -> PortalSession:
        """Load the session of the run.

        Raises:
            SessionExpired: there is none, or it has expired.
            Unavailable: Redis does not respond.
        """
        with map_redis_errors(_WHAT):
            body = await self._redis.get(_key(account))
        stored = self._decode(body, _key(account)) if body is not None else None
        if stored is None or stored.expires_at <= datetime.now(UTC):
            raise SessionExpired("the portal session has expired; sign in again")
        return PortalSession(
            token=Secret(stored.token), expires_at=stored.expires_at, cookies=Secret(stored.cookies)
        )

    def _decode(self, body: bytes | str, key: str) -> _StoredSession | None:
        found = msgspec.json.decode(body, type=_StoredSession | _SealedSession)
        if isinstance(found, _StoredSession):
            return found
        try:
            clear = (
                self._ring.open(found.key_id, found.body, key.encode()) if self._ring is not None else None
            )
        except Unavailable:
            clear = None
        # The key is gone: treat the session as expired, so that the run signs in again.
        return None if clear is None else msgspec.json.decode(clear, type=_StoredSession)

    async def delete(self, account: ImportAccount) -> None:
        with map_redis_errors(_WHAT):
            await self._redis.delete(_key(account))

    async def save_cookies(self, captcha_key: str, cookies: str) -> None:
        with map_redis_errors(_WHAT):
            await self._redis.set(f"gdt:captcha:{captcha_key}", cookies, ex=_CAPTCHA_TTL)

    async def pop_cookies(self, captcha_key: str) -> str:
        with map_redis_errors(_WHAT):
            found = await self._redis.getdel(f"gdt:captcha:{captcha_key}")
        return found.decode() if isinstance(found, bytes) else ""


def _key(account: ImportAccount) -> str:
    return f"gdt:session:{{{account.tax_code}}}:{account.session_owner}"
