"""Stores the accepted keys in Redis, so that gateways record their changes in the ledger."""

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from redis.exceptions import RedisError

from signalbox_core.errors import Unavailable
from signalbox_core.process.tasks import raising_dropped_cancel
from signalbox_core.redis.sender_key_reports import ReportedSenderKey, SenderKeyReports
from signalbox_core.signatures import JwksSource, LoadedKey


class KeyReporter:
    """Stores the keys of this receiver when it starts and when they change.

    Between its own changes it leaves alone what another receiver has stored, so that receivers that have
    reloaded the key file and those that have not do not overwrite each other.

    Args:
        read: returns the keys in use.
    """

    def __init__(self, store: SenderKeyReports, read: Callable[[], tuple[ReportedSenderKey, ...]]) -> None:
        self._store = store
        self._read = read
        self._stored: tuple[ReportedSenderKey, ...] | None = None

    async def run(self, *, every_s: float) -> None:
        """Check every `every_s` seconds until cancelled."""
        while True:
            # The next check stores them. Deliveries continue in any case; readiness reports outages.
            with suppress(Unavailable, RedisError), raising_dropped_cancel():
                await self.check()
            await asyncio.sleep(every_s)

    async def check(self) -> None:
        """Store the keys if they have changed since the last call, or if Redis has lost them.

        Raises:
            Unavailable: Redis is unavailable.
        """
        keys = self._read()
        await self._store.store(keys, replace=keys != self._stored)
        self._stored = keys


def describe_keys(
    keys: Iterable[LoadedKey], addresses: Iterable[JwksSource]
) -> tuple[ReportedSenderKey, ...]:
    """Describe the keys and the addresses of a key file; not the keys that are published at the addresses."""
    return (*map(_describe_key, keys), *map(_describe_address, addresses))


def _describe_key(key: LoadedKey) -> ReportedSenderKey:
    record = key.record
    return ReportedSenderKey(
        id=record.keyid,
        tenant=record.tenant,
        facts={
            "sender": record.sender,
            "alg": record.alg.value,
            "events": ", ".join(record.events),
            "sources": ", ".join(record.sources),
            "state": record.state,
            "not_before": _date(record.not_before),
            "not_after": _date(record.not_after),
        },
        fingerprint=_fingerprint(key),
    )


def _describe_address(source: JwksSource) -> ReportedSenderKey:
    return ReportedSenderKey(
        id=source.url,
        tenant=source.tenant,
        facts={
            "sender": source.sender,
            "events": ", ".join(source.events),
            "sources": ", ".join(source.sources),
            "revoked": ", ".join(source.revoked),
        },
    )


def _date(moment: datetime | None) -> str:
    return moment.isoformat() if moment is not None else "none"


def _fingerprint(key: LoadedKey) -> str:
    if isinstance(key.material, bytes):
        material = key.material
    else:
        material = key.material.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(b"signalbox sender key\n" + material).hexdigest()
