"""What a receiver reports of its keys: enough to notice every change, and nothing secret."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from signalbox_core.redis.sender_key_reports import ReportedSenderKey, SenderKeyReports
from signalbox_core.signatures import Algorithm, JwksSource
from signalbox_webhook_receiver.key_reporter import KeyReporter, describe_keys
from support.drivers.signed_requests import SECRET, new_private_key, signer_and_key

PRIVATE = new_private_key(Algorithm.ED25519)


def described(**record: Any) -> ReportedSenderKey:
    (found,) = describe_keys([signer_and_key(private=PRIVATE, **record)[1]], [])
    return found


def test_a_key_is_described_without_its_public_key() -> None:
    assert described(tenant="acme", events=("invoice.*", "run.*")) == ReportedSenderKey(
        id="key-1",
        tenant="acme",
        facts={
            "sender": "worker",
            "alg": "ed25519",
            "events": "invoice.*, run.*",
            "sources": "*",
            "state": "active",
            "not_before": "none",
            "not_after": "none",
        },
        fingerprint=described().fingerprint,
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"keyid": "key-2"},
        {"sender": "billing"},
        {"tenant": "acme"},
        {"events": ("run.*",)},
        {"sources": ("/billing",)},
        {"state": "revoked"},
        {"not_before": datetime(2026, 11, 30, tzinfo=UTC)},
        {"not_after": datetime(2026, 12, 31, tzinfo=UTC)},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_every_change_of_a_record_is_seen(changed: dict[str, object]) -> None:
    assert described(**changed) != described()


def test_another_key_under_the_same_id_is_seen() -> None:
    (other,) = describe_keys([signer_and_key()[1]], [])

    assert other.facts == described().facts
    assert other.fingerprint != described().fingerprint


def test_a_shared_secret_is_not_in_its_description() -> None:
    (found,) = describe_keys([signer_and_key(Algorithm.HMAC)[1]], [])

    assert len(found.fingerprint) == 64
    assert SECRET not in msgspec.json.encode(found)


def test_an_address_is_described_with_the_keys_that_it_refuses() -> None:
    source = JwksSource(
        url="https://keys.example.com/jwks", sender="billing", tenant="acme", revoked=("old-1", "old-2")
    )

    (found,) = describe_keys([], [source])

    assert (found.id, found.tenant, found.fingerprint) == (source.url, "acme", "")
    assert found.facts == {"sender": "billing", "events": "*", "sources": "*", "revoked": "old-1, old-2"}


class DroppingStore(SenderKeyReports):
    """Drops a cancel, as a write to Redis may."""

    def __init__(self) -> None:
        self.is_writing = asyncio.Event()

    async def store(self, keys: Iterable[ReportedSenderKey], *, replace: bool) -> None:
        assert replace == bool(keys)
        self.is_writing.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()


async def test_a_cancel_that_a_write_drops_ends_the_reports() -> None:
    store = DroppingStore()
    reports = asyncio.create_task(KeyReporter(store, lambda: (described(),)).run(every_s=3600))
    await store.is_writing.wait()

    reports.cancel()
    await asyncio.wait([reports], timeout=30)

    assert reports.cancelled()
