"""The ledger of a gateway: one writer among several, and the receipts that the API returns."""

from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial

import httpx2
import pytest
from msgspec.structs import replace as with_fields
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from signalbox_core.errors import Unavailable
from signalbox_core.events import CloudEvent
from signalbox_core.ledger.log import TenantLog
from signalbox_core.ledger.merkle import is_consistent
from signalbox_core.ledger.notes import open_checkpoint, parse_verifier
from signalbox_core.ledger.receipts import decode_receipt, verify_receipt
from signalbox_core.objects import MutableObjectStore
from signalbox_core.redis.client import open_redis
from signalbox_core.testing.objects import FakeObjectStore
from signalbox_core.testing.pubsub import FakePublisher, FakeSubscriber
from signalbox_core.topology import LIFECYCLE
from signalbox_gateway.app import Gateway, Parts
from signalbox_gateway.background.ledger_writer import LedgerWriter
from signalbox_gateway.http.metrics import LedgerMetrics
from support.assertions.eventually import beside, eventually
from support.fakes.events import story
from support.fakes.ledger import SIGNER, WITNESS, decided
from support.servers.gateway import client_of


def of_acme(event: CloudEvent) -> CloudEvent:
    """The event in the tenant of the keys of the tests."""
    return with_fields(event, tenantid="acme")


def writer_of(
    redis: Redis, publisher: FakePublisher, store: MutableObjectStore, metrics: LedgerMetrics
) -> LedgerWriter:
    return LedgerWriter(
        redis,
        FakeSubscriber(publisher, LIFECYCLE),
        partial(TenantLog, store, signers=[SIGNER]),
        metrics,
        interval=timedelta(milliseconds=1),
        ttl=timedelta(seconds=3),
    )


@pytest.fixture
def publisher() -> FakePublisher:
    return FakePublisher()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with open_redis(redis_url) as client:
        yield client


@asynccontextmanager
async def recorded(parts: Parts, publisher: FakePublisher, count: int) -> AsyncIterator[Parts]:
    """The parts of a gateway whose ledger has the published events."""
    metrics = LedgerMetrics(CollectorRegistry())
    async with beside(writer_of(parts.redis, publisher, parts.objects, metrics).run()):
        await eventually(lambda: metrics.entries._value.get() >= count, within_s=30)
        yield replace(parts, ledger_signers=(SIGNER,))


async def test_the_writer_records_approvals_and_interventions_only(
    redis: Redis, publisher: FakePublisher
) -> None:
    store, metrics = FakeObjectStore(), LedgerMetrics(CollectorRegistry())
    events = [event for event in story() if event.sequence is not None]
    for event in [*events, *events, decided("other")]:
        await publisher.publish(LIFECYCLE, event, ordering_key=event.runid)
    expected = len({event.id for event in events if event.name.startswith("approval.")}) + 1
    async with beside(writer_of(redis, publisher, store, metrics).run()):
        await eventually(lambda: metrics.entries._value.get() >= expected)
    assert metrics.entries._value.get() == expected
    assert "ledger/acme%20co/checkpoint" in store.bodies


async def test_of_two_writers_one_leads_and_the_other_takes_over(
    redis: Redis, publisher: FakePublisher
) -> None:
    store = FakeObjectStore()
    first, second = LedgerMetrics(CollectorRegistry()), LedgerMetrics(CollectorRegistry())
    await publisher.publish(LIFECYCLE, decided("a"), ordering_key="a")
    async with beside(writer_of(redis, publisher, store, first).run()):
        await eventually(lambda: first.entries._value.get() == 1, within_s=30)
        async with beside(writer_of(redis, publisher, store, second).run()):
            await publisher.publish(LIFECYCLE, decided("b"), ordering_key="b")
            await eventually(lambda: first.entries._value.get() == 2, within_s=30)
            assert second.entries._value.get() == 0
    third = LedgerMetrics(CollectorRegistry())
    async with beside(writer_of(redis, publisher, store, third).run()):
        await publisher.publish(LIFECYCLE, decided("c"), ordering_key="c")
        await eventually(lambda: third.entries._value.get() == 1, within_s=30)


async def test_an_event_that_cannot_be_written_is_redelivered_and_reported(
    redis: Redis, publisher: FakePublisher
) -> None:
    class FullStore(FakeObjectStore):
        is_full = True

        async def exists(self, key: str) -> bool:
            if self.is_full:
                raise Unavailable("the object store is full")
            return await super().exists(key)

    store, metrics = FullStore(), LedgerMetrics(CollectorRegistry())
    writer = writer_of(redis, publisher, store, metrics)
    await publisher.publish(LIFECYCLE, decided("a"), ordering_key="a")
    async with beside(writer.run()):
        await eventually(lambda: metrics.failures._value.get() > 2, within_s=30)
        with pytest.raises(Unavailable, match="ledger of acme co: the object store is full"):
            await writer.is_healthy()
        store.is_full = False
        await eventually(lambda: metrics.entries._value.get() == 1, within_s=30)
        assert await writer.is_healthy()
        assert writer.lag_s() == 0


async def test_the_api_returns_a_receipt_that_verifies(parts: Parts, publisher: FakePublisher) -> None:
    for number in range(5):
        await publisher.publish(LIFECYCLE, of_acme(decided(f"r{number}")), ordering_key="r")
    async with recorded(parts, publisher, 5) as with_ledger, client_of(Gateway(with_ledger).app()) as caller:
        answer = await caller.get("/v1/runs/r3/approvals/publish/receipt")
        ledger = (await caller.get("/v1/ledger")).json()
        async with client_of(Gateway(with_ledger).app(), "stranger") as stranger:
            foreign = await stranger.get("/v1/runs/r3/approvals/publish/receipt")
        unknown = await caller.get("/v1/runs/r9/approvals/publish/receipt")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith('attachment; filename="receipt-r3-publish.json"')
    found = verify_receipt(decode_receipt(answer.content), [parse_verifier(ledger["public_keys"][0])])
    assert (found.entry.run_id, found.entry.outcome) == ("r3", "decided")
    for item in (foreign, unknown):
        assert (item.status_code, item.json()["code"]) == (404, "no_receipt")


async def test_a_checkpoint_since_another_comes_with_a_consistency_proof(
    parts: Parts, publisher: FakePublisher
) -> None:
    for number in range(3):
        await publisher.publish(LIFECYCLE, of_acme(decided(f"r{number}")), ordering_key="r")
    async with recorded(parts, publisher, 3) as with_ledger, client_of(Gateway(with_ledger).app()) as caller:
        earlier = open_checkpoint((await caller.get("/v1/ledger")).json()["checkpoint"], [SIGNER.verifier])
        log = TenantLog(parts.objects, "acme", [SIGNER, WITNESS])
        await log.append([of_acme(decided(f"later-{number}")) for number in range(300)])
        view = (await caller.get("/v1/ledger", params={"since": earlier.size})).json()
        too_large = await caller.get("/v1/ledger", params={"since": 304})
    now = open_checkpoint(view["checkpoint"], [SIGNER.verifier, WITNESS.verifier])
    proof = [b64decode(item) for item in view["consistency"]]
    assert (earlier.size, now.size) == (3, 303)
    assert is_consistent(earlier.size, now.size, proof, earlier.root, now.root)
    assert too_large.status_code == 422


async def test_without_a_key_or_without_entries_there_is_no_ledger(
    caller: httpx2.AsyncClient, parts: Parts
) -> None:
    for path in ("/v1/ledger", "/v1/runs/r/approvals/a/receipt"):
        answer = await caller.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "no_ledger")
    async with client_of(Gateway(replace(parts, ledger_signers=(SIGNER,))).app()) as other:
        assert (await other.get("/v1/ledger")).json()["code"] == "ledger_empty"
