"""Portal sessions between activities: in Redis until the token's own end, and never in a history, a log or an error.

`gdt:session:{MST}:RUN_ID` holds a run's session, sealed under the payload keys where the worker has some; `gdt:captcha:KEY` the cookies of
a picture until it is answered.
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
from signalbox_pipelines.invoice_import.messages import Account
from signalbox_pipelines.invoice_import.portal.faults import SessionOver
from signalbox_pipelines.invoice_import.portal.login import Session

_CAPTCHA_LIFE: Final = timedelta(minutes=5)
_WHAT: Final = "portal session"


class _Sealed(Struct, frozen=True, tag="sealed"):
    key_id: str
    body: bytes


class _Kept(Struct, frozen=True, tag="clear"):
    token: str
    cookies: str
    expires_at: datetime


class Sessions:
    """One for each worker process."""

    def __init__(self, redis: Redis, ring: KeyRing | None) -> None:
        self._redis = redis
        self._ring = ring

    async def keep(self, account: Account, session: Session) -> None:
        kept = _Kept(session.token.reveal(), session.cookies.reveal(), session.expires_at)
        body = msgspec.json.encode(kept)
        if self._ring is not None:
            body = msgspec.json.encode(_Sealed(*self._ring.seal(body, _key(account).encode())))
        with map_redis_errors(_WHAT):
            await self._redis.set(_key(account), body, exat=session.expires_at)

    async def open(self, account: Account) -> Session:
        """The run's session.

        Raises:
            SessionOver: there is none, or it has ended.
            Unavailable: Redis does not answer.
        """
        with map_redis_errors(_WHAT):
            body = await self._redis.get(_key(account))
        kept = self._opened(body, _key(account)) if body is not None else None
        if kept is None or kept.expires_at <= datetime.now(UTC):
            raise SessionOver("the portal's session is over; sign in again")
        return Session(token=Secret(kept.token), expires_at=kept.expires_at, cookies=Secret(kept.cookies))

    def _opened(self, body: bytes | str, key: str) -> _Kept | None:
        found = msgspec.json.decode(body, type=_Kept | _Sealed)
        if isinstance(found, _Kept):
            return found
        try:
            clear = (
                self._ring.open(found.key_id, found.body, key.encode()) if self._ring is not None else None
            )
        except Unavailable:
            clear = None
        # A session that nobody can open any more is signed in for again.
        return None if clear is None else msgspec.json.decode(clear, type=_Kept)

    async def close(self, account: Account) -> None:
        with map_redis_errors(_WHAT):
            await self._redis.delete(_key(account))

    async def keep_cookies(self, captcha_key: str, cookies: str) -> None:
        with map_redis_errors(_WHAT):
            await self._redis.set(f"gdt:captcha:{captcha_key}", cookies, ex=_CAPTCHA_LIFE)

    async def take_cookies(self, captcha_key: str) -> str:
        with map_redis_errors(_WHAT):
            found = await self._redis.getdel(f"gdt:captcha:{captcha_key}")
        return found.decode() if isinstance(found, bytes) else ""


def _key(account: Account) -> str:
    return f"gdt:session:{{{account.tax_code}}}:{account.run_id}"
