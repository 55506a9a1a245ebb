"""The log is read backwards in bounded pages, with every entry once."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from signalbox_core.events import CloudEvent
from signalbox_core.events.catalogue import RunPaused
from signalbox_core.ledger.activity import (
    MAX_BUNDLES,
    MAX_VALUES,
    ActivityPage,
    ActivityQuery,
    ActivityRecord,
    read_activity,
)
from signalbox_core.ledger.entries import LedgerEntry
from signalbox_core.ledger.erasure import erase_values
from signalbox_core.ledger.tiles import TILE_WIDTH
from signalbox_core.testing.objects import FakeObjectStore
from support.fakes.events import make_event
from support.fakes.ledger import TENANT, asked, decided, filled_store, open_log


class CountingStore(FakeObjectStore):
    """Counts the reads below each folder of the tenant's log."""

    def __init__(self, bodies: dict[str, bytes]) -> None:
        super().__init__()
        self.bodies = bodies
        self.reads: list[str] = []

    async def get(self, key: str) -> bytes:
        self.reads.append(key.split("/")[2])
        return await super().get(key)


def paused(run_id: str, by: str | None) -> CloudEvent:
    return make_event("run.paused", RunPaused(by=by), sequence=3, run_id=run_id, tenant=TENANT)


def every(_: LedgerEntry) -> bool:
    return True


async def page_of(store: FakeObjectStore, **given: Any) -> ActivityPage:
    return await read_activity(store, TENANT, ActivityQuery(**{"is_selected": every, "limit": 50, **given}))


async def pages_of(store: FakeObjectStore, **given: Any) -> AsyncIterator[Sequence[ActivityRecord]]:
    below = None
    while True:
        page = await page_of(store, below=below, **given)
        yield page.records
        if page.below is None:
            return
        assert below is None or page.below < below
        below = page.below


async def indexes_of(store: FakeObjectStore, **given: Any) -> list[int]:
    return [record.entry.index async for records in pages_of(store, **given) for record in records]


@pytest.mark.parametrize("count", [1, 50, TILE_WIDTH - 1, TILE_WIDTH, TILE_WIDTH + 1, 3 * TILE_WIDTH + 7])
@pytest.mark.parametrize("limit", [7, 100])
async def test_all_pages_together_are_the_log_backwards(count: int, limit: int) -> None:
    store = await filled_store(count)
    assert await indexes_of(store, limit=limit) == list(reversed(range(count)))


async def test_a_page_reads_what_it_needs() -> None:
    store = CountingStore((await filled_store(600)).bodies)
    page = await page_of(store, limit=20)
    assert [record.entry.index for record in page.records] == list(range(599, 579, -1))
    assert page.below == 580
    assert store.reads.count("values") == 20
    assert store.reads.count("tile") == 1


async def test_entries_are_selected_by_what_the_log_holds() -> None:
    store = FakeObjectStore()
    await open_log(store).append(
        [event for n in range(300) for event in (asked(f"r{n:03}"), decided(f"r{n:03}"))]
    )
    pages = pages_of(store, is_selected=lambda entry: entry.event == "approval.requested")
    questions = [record async for records in pages for record in records]
    assert len(questions) == 300
    # Nobody is recorded for a question, so its values are not read.
    assert all((each.subject, each.name, each.is_erased) == (None, None, False) for each in questions)


async def test_an_actor_is_found_in_a_long_log_with_bounded_reads() -> None:
    store = await filled_store(700)
    await open_log(store).append([paused("other", "Minh Trần")])
    counting = CountingStore(store.bodies)
    assert await indexes_of(counting, actor="minh") == [700]
    assert await indexes_of(counting, actor="LAN NGUY", limit=100) == list(reversed(range(700)))

    counting.reads.clear()
    first = await page_of(counting, actor="nobody")
    assert first.records == ()
    assert first.below is not None
    assert counting.reads.count("values") <= MAX_VALUES
    assert await indexes_of(counting, actor="nobody") == []


async def test_a_call_reads_a_bounded_number_of_bundles() -> None:
    store = CountingStore((await filled_store((MAX_BUNDLES + 1) * TILE_WIDTH, per_batch=500)).bodies)
    page = await page_of(store, is_selected=lambda entry: entry.index == 0)
    assert (page.records, page.below) == ((), TILE_WIDTH)
    assert store.reads.count("tile") == MAX_BUNDLES
    page = await page_of(store, is_selected=lambda entry: entry.index == 0, below=page.below)
    assert ([record.entry.index for record in page.records], page.below) == ([0], None)


async def test_only_newer_entries_are_read_after_an_index() -> None:
    store = await filled_store(300)
    assert await indexes_of(store, after=299) == []
    assert await indexes_of(store, after=1_000) == []
    assert await indexes_of(store, after=250, limit=10) == list(range(299, 250, -1))


async def test_who_acted_and_why_are_shown_until_they_are_erased() -> None:
    store = await filled_store(1)
    (shown,) = (await page_of(store)).records
    assert (shown.name, shown.reason, shown.is_erased) == ("Lan Nguyen", "looks right", False)

    assert [entry.index async for entry in erase_values(store, TENANT, lambda *_: True, apply=True)] == [0]
    (erased,) = (await page_of(store)).records
    assert (erased.name, erased.reason, erased.is_erased) == (None, None, True)
    assert (await page_of(store, actor="lan")).records == ()


async def test_an_empty_log_has_one_empty_page() -> None:
    assert await page_of(FakeObjectStore()) == ActivityPage(records=(), below=None)
