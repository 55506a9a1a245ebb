"""Changes of keys, policies, tokens and schedules are in the ledger once each, and show nothing secret."""

import secrets
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import httpx2
import msgspec
import pytest

from signalbox_core.errors import Unavailable
from signalbox_core.ledger.entries import LedgerEntry, decode_entry
from signalbox_core.ledger.layout import LogKeys, TileReader
from signalbox_core.ledger.notes import parse_checkpoint
from signalbox_core.redis.sender_key_reports import ReportedSenderKey, SenderKeyReports
from signalbox_core.testing.objects import FakeObjectStore
from signalbox_core.testing.pubsub import FakePublisher, FakeSubscriber
from signalbox_core.topology import LIFECYCLE
from signalbox_gateway.app import Gateway, Parts
from signalbox_gateway.auth.authenticator import ApiKeys
from signalbox_gateway.changes.change_events import ChangeRecord
from support.assertions.eventually import beside, eventually
from support.fakes.ledger import SIGNER
from support.servers.gateway import client_of, secret_of, write_keys


@pytest.fixture
def publisher() -> FakePublisher:
    return FakePublisher()


@pytest.fixture
def store() -> FakeObjectStore:
    return FakeObjectStore()


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return write_keys(tmp_path / "changing_keys.json")


@pytest.fixture
def recording(parts: Parts, publisher: FakePublisher, store: FakeObjectStore, key_file: Path) -> Parts:
    """The parts of a gateway that keeps a ledger."""
    return replace(
        parts,
        publisher=publisher,
        ledger=FakeSubscriber(publisher, LIFECYCLE),
        objects=store,
        keys=ApiKeys(key_file),
        ledger_signers=(SIGNER,),
    )


@pytest.fixture
async def caller(recording: Parts) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of one of two gateways; both record changes, and one writes the ledger."""
    gateways = [Gateway(recording), Gateway(recording)]
    async with AsyncExitStack() as stack:
        for gateway in gateways:
            for name in ("changes", "ledger"):
                await stack.enter_async_context(beside(gateway.loops()[name]()))
        yield await stack.enter_async_context(client_of(gateways[0].app()))


async def entries(store: FakeObjectStore) -> list[LedgerEntry]:
    keys = LogKeys("acme")
    if keys.checkpoint not in store.bodies:
        return []
    size = parse_checkpoint((await store.get(keys.checkpoint)).decode()).size
    return [decode_entry(await TileReader(store, keys).entry(at, size)) for at in range(size)]


async def recorded(store: FakeObjectStore, *names: str) -> list[LedgerEntry]:
    """The entries of the named events, once there are as many."""

    async def found() -> list[LedgerEntry] | None:
        all_entries = [entry for entry in await entries(store) if entry.event in names]
        return all_entries if len(all_entries) >= len(names) else None

    return await eventually(found, within_s=60)


async def test_a_token_is_recorded_when_it_is_created_and_when_it_is_revoked(
    caller: httpx2.AsyncClient, store: FakeObjectStore
) -> None:
    body = {"allow": [{"start": "echo"}], "expires_in": 600}
    minted = (await caller.post("/v1/tokens", json=body)).json()
    assert (await caller.delete(f"/v1/tokens/{minted['id']}")).status_code == 204
    found = await recorded(store, "token.created", "token.revoked")
    assert [entry.event for entry in found] == ["token.created", "token.revoked"]
    assert {entry.item for entry in found} == {minted["id"]}
    assert found[0].actor.kind == "human"
    assert not [key for key, stored in store.bodies.items() if minted["token"].encode() in stored]


async def test_without_the_topic_there_is_no_token(recording: Parts, publisher: FakePublisher) -> None:
    publisher.failures.append(Unavailable("Pub/Sub does not respond"))
    async with client_of(Gateway(recording).app()) as caller:
        refused = await caller.post("/v1/tokens", json={"allow": [{"start": "echo"}], "expires_in": 600})
    assert (refused.status_code, "token" in refused.json()) == (503, False)


async def test_a_token_ends_at_once_and_its_revocation_is_recorded_by_the_repeated_request(
    recording: Parts, publisher: FakePublisher
) -> None:
    async with client_of(Gateway(recording).app()) as caller:
        minted = (
            await caller.post("/v1/tokens", json={"allow": [{"start": "echo"}], "expires_in": 600})
        ).json()
        publisher.failures.append(Unavailable("Pub/Sub does not respond"))
        path, by_token = f"/v1/tokens/{minted['id']}", {"authorization": f"Bearer {minted['token']}"}

        statuses = [(await caller.delete(path)).status_code]
        start = {"pipeline": "echo", "input": {}}
        statuses.append((await caller.post("/v1/runs", json=start, headers=by_token)).status_code)
        statuses += [(await caller.delete(path)).status_code for _ in range(2)]

    assert statuses == [503, 401, 204, 404]


async def test_each_change_of_a_schedule_is_recorded_once(
    caller: httpx2.AsyncClient, store: FakeObjectStore
) -> None:
    schedule_id = f"nightly-{secrets.token_hex(4)}"
    path, pause = f"/v1/schedules/{schedule_id}", {"paused": True}
    new = {"schedule_id": schedule_id, "pipeline": "echo", "input": {"text": "hi"}, "cron": ["0 6 * * 1-5"]}
    assert (await caller.post("/v1/schedules", json=new)).status_code == 201
    assert (await caller.post("/v1/schedules", json=new)).status_code == 200
    for change in (pause, pause, {"paused": False}, pause, {"cron": ["0 7 * * *"], "input": {"text": "ho"}}):
        answer = await caller.patch(path, json=change)
        assert answer.status_code == 200, answer.text
    assert (await caller.delete(path)).status_code == 204
    names = ("created", "paused", "resumed", "paused", "changed", "deleted")
    found = await recorded(store, *(f"schedule.{name}" for name in names))
    assert [entry.event for entry in found] == [f"schedule.{name}" for name in names]
    assert {entry.item for entry in found} == {schedule_id}


async def test_keys_and_policies_are_recorded_once_by_two_gateways(
    caller: httpx2.AsyncClient,
    recording: Parts,
    store: FakeObjectStore,
    publisher: FakePublisher,
    key_file: Path,
) -> None:
    await recorded(store, "api_key.added", "policy.added")
    write_keys(key_file, without="viewer")
    recording.keys.reload()
    (removed,) = await recorded(store, "api_key.removed")
    assert removed.item == "viewer"
    counted = Counter((entry.event, entry.item) for entry in await entries(store))
    assert set(counted.values()) == {1}
    assert ("api_key.added", "viewer") in counted
    policies = [event for event in publisher.events(LIFECYCLE) if event.name == "policy.added"]
    record = msgspec.json.decode(policies[0].data, type=ChangeRecord)
    assert record.policy_digest == (record.after or {})["policy_digest"]
    # A restart finds the same state.
    revisions = [key for key in store.bodies if key.startswith("settings/")]
    await recording.settings_recorder().check()
    assert [key for key in store.bodies if key.startswith("settings/")] == revisions
    assert not [key for key, stored in store.bodies.items() if secret_of("admin").encode() in stored]


def accepted_key(name: str, *, tenant: str, secret: str) -> ReportedSenderKey:
    return ReportedSenderKey(id=name, tenant=tenant, facts={"sender": "billing"}, fingerprint=secret)


@pytest.mark.usefixtures("caller")
async def test_the_keys_that_receivers_accept_are_recorded_once_by_two_gateways(
    recording: Parts, store: FakeObjectStore
) -> None:
    accepted, suffix = SenderKeyReports(recording.redis), secrets.token_hex(4)
    worker, billing, foreign = (f"{name}-{suffix}" for name in ("worker", "billing", "foreign"))

    async def found() -> list[tuple[str, str | None]]:
        recorded = [(entry.event, entry.item) for entry in await entries(store)]
        return sorted(item for item in recorded if item[1] in (worker, billing, foreign))

    async def has(*expected: tuple[str, str]) -> bool:
        return set(expected) <= set(await found())

    added = ("sender_key.added", billing), ("sender_key.added", worker)
    other = accepted_key(foreign, tenant="other", secret="c1")
    first = accepted_key(billing, tenant="acme", secret="b1"), accepted_key(worker, tenant="*", secret="a1")
    await accepted.store([*first, other], replace=True)
    await eventually(lambda: has(*added), within_s=60)
    await accepted.store([accepted_key(worker, tenant="*", secret="a2"), other], replace=True)
    ended = ("sender_key.changed", worker), ("sender_key.removed", billing)
    await eventually(lambda: has(*ended), within_s=60)

    assert await found() == [*added, *ended]
