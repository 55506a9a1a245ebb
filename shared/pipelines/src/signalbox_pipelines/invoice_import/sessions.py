"""Portal sessions between activities: in Redis until the token's own end, and never in a history, a log or an error.

`gdt:session:{MST}:RUN_ID` holds a run's session, `gdt:captcha:KEY` the cookies of a picture until it is answered.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from signalbox_core.redis_client import unavailable_when_away
from signalbox_core.settings import Secret
from signalbox_pipelines.invoice_import.exchange import Account
from signalbox_pipelines.invoice_import.portal.faults import SessionOver
from signalbox_pipelines.invoice_import.portal.logins import Session

_CAPTCHA_LIFE: Final = timedelta(minutes=5)
_WHAT: Final = "portal session"


class _Kept(Struct, frozen=True):
    token: str
    cookies: str
    expires_at: datetime


class Sessions:
    """One for each worker process."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def keep(self, account: Account, session: Session) -> None:
        kept = _Kept(session.token.reveal(), session.cookies.reveal(), session.expires_at)
        with unavailable_when_away(_WHAT):
            await self._redis.set(_key(account), msgspec.json.encode(kept), exat=session.expires_at)

    async def open(self, account: Account) -> Session:
        """The run's session.

        Raises:
            SessionOver: there is none, or it has ended.
            Unavailable: Redis does not answer.
        """
        with unavailable_when_away(_WHAT):
            body = await self._redis.get(_key(account))
        kept = msgspec.json.decode(body, type=_Kept) if body is not None else None
        if kept is None or kept.expires_at <= datetime.now(UTC):
            raise SessionOver("the portal's session is over; sign in again")
        return Session(token=Secret(kept.token), expires_at=kept.expires_at, cookies=Secret(kept.cookies))

    async def close(self, account: Account) -> None:
        with unavailable_when_away(_WHAT):
            await self._redis.delete(_key(account))

    async def keep_cookies(self, captcha_key: str, cookies: str) -> None:
        with unavailable_when_away(_WHAT):
            await self._redis.set(f"gdt:captcha:{captcha_key}", cookies, ex=_CAPTCHA_LIFE)

    async def take_cookies(self, captcha_key: str) -> str:
        with unavailable_when_away(_WHAT):
            found = await self._redis.getdel(f"gdt:captcha:{captcha_key}")
        return found.decode() if isinstance(found, bytes) else ""


def _key(account: Account) -> str:
    return f"gdt:session:{{{account.tax_code}}}:{account.run_id}"
