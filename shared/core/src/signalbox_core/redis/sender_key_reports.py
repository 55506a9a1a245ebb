"""The keys that webhook receivers accept, as a receiver stores them for the gateways: without secrets.

Only receivers read the key file, and only gateways keep a ledger.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from signalbox_core.redis.client import map_redis_errors

_KEY: Final = "signalbox:accepted-keys"


class ReportedSenderKey(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A sender's key, or an address where a sender publishes keys.

    Attributes:
        id: the keyid or the address.
        tenant: `*` is any.
        facts: the other members as texts.
        fingerprint: identifies the key material; empty for an address.
    """

    id: str
    tenant: str
    facts: Mapping[str, str]
    fingerprint: str = ""


_DECODER: Final = msgspec.json.Decoder(tuple[ReportedSenderKey, ...])


class SenderKeyReports:
    """What the receiver that last started or changed its keys accepts; one value for all receivers."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def store(self, keys: Iterable[ReportedSenderKey], *, replace: bool) -> None:
        """Store the keys.

        Args:
            replace: if False, they are stored only if Redis has none, as after it has lost its data.

        Raises:
            Unavailable: Redis is unavailable.
        """
        body = msgspec.json.encode(tuple(keys))
        with map_redis_errors("accepted keys"):
            await self._redis.set(_KEY, body, nx=not replace)

    async def load(self) -> tuple[ReportedSenderKey, ...] | None:
        """Return the keys; None if no receiver has stored any.

        Raises:
            Unavailable: Redis is unavailable.
        """
        with map_redis_errors("accepted keys"):
            body = await self._redis.get(_KEY)
        return _DECODER.decode(body) if body is not None else None
