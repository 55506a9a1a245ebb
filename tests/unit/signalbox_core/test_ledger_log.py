"""A tenant's log records each event once, through crashes and with concurrent writers."""

import asyncio

import msgspec
import pytest
from msgspec.structs import replace

from signalbox_core.errors import Unavailable
from signalbox_core.events.approval_data import ApprovalDecided, ApprovalExpired
from signalbox_core.ledger.entries import decode_entry, event_key
from signalbox_core.ledger.log import LedgerDamaged, TenantLog
from signalbox_core.subjects import Subject
from signalbox_core.testing.objects import FakeObjectStore
from support.fakes.ledger import (
    KEYS,
    SIGNER,
    TENANT,
    CrashingStore,
    asked,
    damage_of,
    decided,
    expired,
    filled_store,
    open_log,
    stored_entries,
)


def ids(store: FakeObjectStore) -> list[str]:
    return [decode_entry(body).event_id for body in stored_entries(store)]


async def test_a_redelivered_event_is_recorded_once() -> None:
    store = FakeObjectStore()
    log = open_log(store)
    first, second = decided("a"), decided("b")
    assert await log.append([first, second, first]) == 2
    assert await log.append([second]) == 0
    assert await open_log(store).append([first, decided("c")]) == 1
    assert ids(store) == [first.id, second.id, decided("c").id]


async def test_the_same_id_from_another_source_is_another_event() -> None:
    log = open_log(FakeObjectStore())
    assert await log.append([decided("a"), replace(decided("a"), source="/signalbox/other")]) == 2


async def test_an_entry_has_digests_and_no_personal_value() -> None:
    store = FakeObjectStore()
    await open_log(store).append([asked("a", evidence={"name": "Minh Tran"}, digest="e" * 64)])
    await open_log(store).append([decided("a", answer={"text": "for Minh Tran"}, note="Minh Tran agreed")])
    question, decision = (decode_entry(body) for body in stored_entries(store))
    assert (question.event, question.approval, question.outcome) == ("approval.requested", "publish", None)
    assert (decision.outcome, decision.question_digest) == ("decided", "e" * 64)
    assert set(decision.digests) == {"name", "reason", "answer", "data"}
    assert not [body for body in stored_entries(store) if b"Minh Tran" in body or b"Lan Nguyen" in body]


async def test_a_decision_in_the_batch_of_its_question_has_the_digest_of_the_question() -> None:
    store = FakeObjectStore()
    await open_log(store).append([asked("a", digest="e" * 64), decided("a")])
    question, decision = (decode_entry(body) for body in stored_entries(store))
    assert (question.event, decision.event) == ("approval.requested", "approval.decided")
    assert decision.question_digest == "e" * 64


async def test_a_decision_has_the_digest_of_the_question_that_was_asked_last() -> None:
    """A retried run asks again under the same approval id, perhaps with other evidence."""
    store = FakeObjectStore()
    log = open_log(store)
    await log.append([asked("a", digest="1" * 64), expired("a", sequence=2)])
    await log.append([asked("a", digest="2" * 64, sequence=3), decided("a", sequence=4)])
    await open_log(store).append([asked("a", digest="3" * 64, sequence=5)])
    await open_log(store).append([expired("a", sequence=6)])
    found = [decode_entry(body).question_digest for body in stored_entries(store)]
    assert found == [digit * 64 for digit in "112233"]


async def test_members_that_an_event_carries_about_who_acted_are_recorded() -> None:
    store, event = FakeObjectStore(), decided("a")
    data = {
        "approval_id": "publish",
        "decided_by": {"subject": "key:k1", "name": "Lan", "kind": "human", "groups": ["legal"]},
        "rule": "quorum",
        "group": "legal",
        "policy_digest": "p" * 64,
        "door": "console",
        "outcome": "modified",
    }
    await open_log(store).append([replace(event, data=msgspec.Raw(msgspec.json.encode(data)))])
    entry = decode_entry(stored_entries(store)[0])
    assert (entry.actor.kind, entry.actor.groups) == ("human", ("legal",))
    assert (entry.authority.rule, entry.authority.group) == ("quorum", "legal")
    assert (entry.outcome, entry.door) == ("modified", "console")
    assert set(entry.digests) == {"subject", "name", "data"}


async def test_the_decider_of_a_decision_is_recorded() -> None:
    store, event = FakeObjectStore(), decided("a")
    data = ApprovalDecided(
        approval_id="publish",
        decision_id="d1",
        decided_by="Lan Nguyen",
        answer=msgspec.Raw(b"true"),
        decider=Subject(subject="key:k1", groups=("legal",)),
    )
    await open_log(store).append([replace(event, data=msgspec.Raw(msgspec.json.encode(data)))])
    entry = decode_entry(stored_entries(store)[0])
    assert (entry.actor.kind, entry.actor.groups) == ("human", ("legal",))
    assert set(entry.digests) == {"subject", "name", "answer", "data"}


async def test_a_default_answer_is_another_outcome_than_an_expiry() -> None:
    store, event = FakeObjectStore(), expired("a")
    data = ApprovalExpired(approval_id="publish", outcome="defaulted", answer=msgspec.Raw(b"true"))
    defaulted = replace(event, data=msgspec.Raw(msgspec.json.encode(data)), id="other", sequence=9)
    await open_log(store).append([event, defaulted])
    entries = [decode_entry(body) for body in stored_entries(store)]
    assert [entry.outcome for entry in entries] == ["expired", "defaulted"]
    assert "answer" in entries[1].digests


@pytest.mark.parametrize("data", [b"[1]", b'"x"', b"null", b'{"approval_id": 7, "digest": [], "groups": 1}'])
async def test_an_event_with_unknown_data_is_recorded_by_its_digest(data: bytes) -> None:
    store = FakeObjectStore()
    await open_log(store).append([replace(decided("a"), data=msgspec.Raw(data))])
    entry = decode_entry(stored_entries(store)[0])
    assert (entry.approval_id, set(entry.digests) <= {"data"}) == (None, True)


@pytest.mark.parametrize("is_written", [False, True], ids=["before the write", "after it"])
async def test_a_crash_at_any_write_neither_loses_nor_doubles_an_entry(is_written: bool) -> None:
    events = [decided(f"run-{number}") for number in range(12)]
    base = await filled_store(250)
    crashes = 0
    for at in range(1, 1_000):
        store = CrashingStore(dict(base.bodies), at=at, is_written=is_written)
        try:
            await open_log(store).append(events)
        except Unavailable:
            crashes += 1
        else:
            break
        after = FakeObjectStore()
        after.bodies = store.bodies
        await open_log(after).append(events)
        found = ids(after)
        assert (len(found), len(set(found))) == (262, 262), at
        assert damage_of(after) is None, at
    assert crashes > 25


async def test_two_writers_at_once_lose_and_double_nothing() -> None:
    store = FakeObjectStore()
    logs = [open_log(store) for _ in range(3)]
    events = [decided(f"run-{number}") for number in range(400)]

    async def write(log: TenantLog, offset: int) -> None:
        """Every writer gets every event, in batches of another size and from another place."""
        rotated = events[offset * 60 :] + events[: offset * 60]
        for start in range(0, len(rotated), 7 + offset):
            await log.append(rotated[start : start + 7 + offset])

    await asyncio.gather(*(write(log, offset) for offset, log in enumerate(logs)))
    assert sorted(ids(store)) == sorted(event.id for event in events)
    assert damage_of(store) is None


async def test_an_event_that_another_writer_left_uncovered_is_covered_by_who_gets_it_again() -> None:
    events = [decided("a"), decided("b")]
    base = FakeObjectStore()
    await open_log(base).append(events[:1])
    uncovered = 0
    for at in range(1, 100):
        store = CrashingStore(dict(base.bodies), at=at, is_written=False)
        survivor = open_log(after := FakeObjectStore())
        after.bodies = store.bodies
        # It has read the log before the other writer appends.
        assert await survivor.append(events[:1]) == 0
        try:
            await open_log(store).append(events[1:])
        except Unavailable:
            uncovered += event_key(events[1]) in str(after.bodies.keys())
        else:
            break
        await survivor.append(events[1:])
        assert ids(after) == [event.id for event in events], at
        assert damage_of(after) is None, at
    assert uncovered


async def test_an_older_checkpoint_that_was_put_back_is_replaced() -> None:
    store = FakeObjectStore()
    log = open_log(store)
    await log.append([decided("a")])
    older = store.bodies[KEYS.checkpoint]
    await log.append([decided("b")])
    store.bodies[KEYS.checkpoint] = older
    await open_log(store).append([decided("b")])
    assert ids(store) == [decided("a").id, decided("b").id]


async def test_nothing_is_appended_to_a_log_that_contradicts_its_checkpoint() -> None:
    store = await filled_store(300)
    tile = f"{KEYS.folder}/tile/0/001.p/44"
    store.bodies[tile] = store.bodies[tile][:-1] + bytes([store.bodies[tile][-1] ^ 1])
    with pytest.raises(LedgerDamaged, match="do not match the checkpoint"):
        await open_log(store).append([decided("a")])


async def test_partial_tiles_go_once_the_tile_is_full() -> None:
    store = await filled_store(300, per_batch=50)
    tiles = sorted(key.removeprefix(f"{KEYS.folder}/tile/") for key in store.bodies if "/tile/" in key)
    assert tiles == ["0/000", "0/001.p/44", "1/000.p/1", "entries/000", "entries/001.p/44"]


async def test_tenants_have_logs_of_their_own() -> None:
    store = FakeObjectStore()
    for tenant in ("acme", "a/b", TENANT):
        assert await TenantLog(store, tenant, [SIGNER]).append([decided("a")]) == 1
    assert {key.split("/")[1] for key in store.bodies} == {"acme", "a%2Fb", "acme%20co"}
