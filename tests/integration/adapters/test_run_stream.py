"""The stream in Redis and its fake behave the same."""

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from signalbox_core.errors import InvalidInput, SignalboxError
from signalbox_core.events import CloudEvent, Snapshot, fold
from signalbox_core.events.approval_data import ApprovalExpired
from signalbox_core.events.catalogue import RunStarted, StepProgress
from signalbox_core.events.children import ChildStarted
from signalbox_core.events.states import StepState
from signalbox_core.ids import run_key
from signalbox_core.process.tasks import cancel_and_wait
from signalbox_core.streams import (
    AppendOutcome,
    Cursor,
    Frame,
    RedisChannels,
    RedisRunStream,
    RunStream,
    tenant_channel,
)
from signalbox_core.streams.keys import inbox_key
from signalbox_core.testing.streams import FakeRunStream
from support.assertions.eventually import eventually
from support.fakes.events import make_event, story

TALE = story()
MILESTONES = [event for event in TALE if event.sequence is not None]
NOW = timedelta(0)


async def tell(streams: RunStream, events: list[CloudEvent]) -> None:
    for event in events:
        await (streams.progress(event) if event.sequence is None else streams.append(event))


def as_json(snapshot: Snapshot) -> object:
    return msgspec.json.decode(msgspec.json.encode(snapshot))


async def sequences(streams: RunStream, after: Cursor | None = None) -> list[int | None]:
    return [frame.sequence for frame in (await streams.read("acme:run-1", after)).frames]


async def test_events_are_stored_in_order_of_sequence_whatever_the_order_of_arrival(
    streams: RunStream,
) -> None:
    arrivals = [1, 3, 4, 4, 2, 2, 5]
    outcomes = [await streams.append(MILESTONES[number - 1]) for number in arrivals]
    assert outcomes == ["appended", "parked", "parked", "parked", "appended", "dropped", "appended"]
    assert await sequences(streams) == [1, 2, 3, 4, 5]


async def test_a_batch_reports_the_outcome_of_each_event(streams: RunStream) -> None:
    other = story("run-2")[0]
    outcomes = await streams.append_many([MILESTONES[0], other, MILESTONES[2], MILESTONES[1], MILESTONES[0]])
    assert outcomes == [
        AppendOutcome.APPENDED,
        AppendOutcome.APPENDED,
        AppendOutcome.PARKED,
        AppendOutcome.APPENDED,
        AppendOutcome.DROPPED,
    ]


async def test_a_batch_of_all_kinds_of_events_reports_what_became_of_each(streams: RunStream) -> None:
    progress = next(event for event in TALE if event.sequence is None)
    unreadable = replace(MILESTONES[2], data=msgspec.Raw(b'{"step": 7}'))
    foreign = replace(MILESTONES[1], tenantid="other")
    outcomes = await streams.write_batch(
        [*MILESTONES[:2], story("run-2")[0], progress, foreign, unreadable, MILESTONES[3], MILESTONES[0]]
    )
    assert [
        type(outcome).__name__ if isinstance(outcome, SignalboxError) else outcome.value
        for outcome in outcomes
    ] == ["appended", "appended", "appended", "appended", "parked", "InvalidInput", "parked", "dropped"]
    assert await sequences(streams) == [1, 2]
    projected = await streams.snapshot("acme:run-1")
    assert projected is not None
    assert projected.snapshot.steps[0].percent == 50.0


async def test_only_missing_events_are_appended_and_the_indexes_are_repaired(streams: RunStream) -> None:
    requested = next(place for place, event in enumerate(MILESTONES) if event.name == "approval.requested")
    await streams.append_many(MILESTONES[:2])
    outcomes = await streams.append_missing([*MILESTONES[: requested + 1], *story("run-2")[:1]])
    assert outcomes == ["dropped", "dropped", *["appended"] * requested]
    assert await sequences(streams) == list(range(1, requested + 2))
    assert [item.run_id for item in (await streams.inbox("acme")).items] == ["run-1"]
    assert set(await streams.open_runs("acme", 10)) == {"acme:run-1", "acme:run-2"}


async def test_a_lost_inbox_entry_returns_with_the_repeated_event(redis_url: str) -> None:
    requested = next(place for place, event in enumerate(MILESTONES) if event.name == "approval.requested")
    async with Redis.from_url(redis_url) as client:
        await client.flushall()
        streams = RedisRunStream(client)
        await streams.append_many(MILESTONES[: requested + 1])
        await client.delete(inbox_key("acme"))
        assert not (await streams.inbox("acme")).items
        assert set(await streams.append_missing(MILESTONES[: requested + 1])) == {"dropped"}
        assert [item.run_id for item in (await streams.inbox("acme")).items] == ["run-1"]


async def test_a_batch_loads_the_script_where_redis_has_lost_it(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as client:
        await client.flushall()
        await client.script_flush()
        outcomes = await RedisRunStream(client).write_batch([MILESTONES[0], story("run-2")[0]])
    assert outcomes == ["appended", "appended"]


async def test_reading_from_a_cursor_returns_exactly_the_later_events(streams: RunStream) -> None:
    await streams.append_many(MILESTONES)
    epoch = (await streams.read("acme:run-1", None)).epoch
    assert await sequences(streams, Cursor(epoch, 3)) == [4, 5, 6, 7, 8, 9]


async def test_a_page_has_at_most_the_limit(streams: RunStream) -> None:
    await streams.append_many(MILESTONES)
    history = await streams.read("acme:run-1", None, limit=2)
    assert [frame.sequence for frame in history.frames] == [1, 2]
    assert (history.top, history.ended, history.lost) == (9, True, False)


@pytest.mark.parametrize(
    ("epoch", "sequence"), [("0old", 1), (None, 99)], ids=["other epoch", "later than the newest"]
)
async def test_an_unknown_cursor_is_lost(streams: RunStream, epoch: str | None, sequence: int) -> None:
    await streams.append_many(MILESTONES)
    current = (await streams.read("acme:run-1", None)).epoch
    history = await streams.read("acme:run-1", Cursor(epoch or current, sequence))
    assert (history.lost, history.frames) == (True, ())


async def test_a_run_without_a_stream_has_no_epoch(streams: RunStream) -> None:
    history = await streams.read("acme:run-1", None)
    assert (history.epoch, history.top, history.lost) == ("", 0, False)
    assert await streams.snapshot("acme:run-1") is None


async def test_the_snapshot_is_the_fold_of_the_events(streams: RunStream) -> None:
    folded = Snapshot(run_id="run-1", tenant="acme")
    for event in TALE:
        shown = fold(folded, event)
        folded = folded if event.sequence is None else shown
        await tell(streams, [event])
        projected = await streams.snapshot("acme:run-1")
        assert projected is not None
        # Progress of a step is removed when the step ends, as in the workflow's snapshot.
        assert as_json(projected.snapshot) == as_json(shown if event.sequence is None else folded), event.name


async def test_a_child_that_its_run_has_left_behind_ends_in_the_snapshot_of_the_run(
    streams: RunStream,
) -> None:
    for number, child in enumerate(("run-2", "run-3", "run-4"), start=2):
        started = ChildStarted(child_run_id=child, pipeline="ad_creative", title="Ads")
        await streams.append_many([MILESTONES[0], make_event("child.started", started, sequence=number)])
    await streams.append_many([event for event in story("run-2") if event.sequence is not None])
    await streams.append_many([story("run-3")[0]])

    projected = await streams.snapshot("acme:run-1")

    assert projected is not None
    states = {child.run_id: child.status for child in projected.snapshot.children}
    assert states == {"run-2": "completed", "run-3": "running", "run-4": "running"}


@pytest.mark.parametrize("way", ["append", "progress", "announce"])
async def test_another_tenant_cannot_write_into_a_run(streams: RunStream, way: str) -> None:
    await streams.append(MILESTONES[0])
    event = replace(TALE[2] if way != "append" else MILESTONES[1], tenantid="evil")
    await getattr(streams, way)(event)
    projected = await streams.snapshot("acme:run-1")
    assert projected is not None
    assert as_json(projected.snapshot) == as_json(
        fold(Snapshot(run_id="run-1", tenant="acme"), MILESTONES[0])
    )
    assert await sequences(streams) == [1]


async def test_two_tenants_have_a_run_of_the_same_id(streams: RunStream) -> None:
    theirs = [replace(event, tenantid="other") for event in MILESTONES]
    await streams.append_many([*MILESTONES[:6], *theirs[:6]])
    assert {await streams.locate(tenant, "run-1") for tenant in ("acme", "other")} == {
        "acme:run-1",
        "other:run-1",
    }
    for tenant in ("acme", "other"):
        (item,) = (await streams.inbox(tenant)).items
        assert (item.run_id, item.approval_id) == ("run-1", "ok")
    await streams.append_many(theirs[6:])

    assert (await streams.inbox("other")).items == ()
    assert await streams.open_runs("other", 10) == []
    assert len((await streams.inbox("acme")).items) == 1
    assert await streams.open_runs("acme", 10) == ["acme:run-1"]
    ended, running = await streams.snapshot("other:run-1"), await streams.snapshot("acme:run-1")
    assert ended is not None
    assert running is not None
    assert (ended.snapshot.tenant, ended.snapshot.status) == ("other", "completed")
    assert (running.snapshot.tenant, running.snapshot.status) == ("acme", "running")


async def test_progress_after_the_end_of_its_step_is_dropped(streams: RunStream) -> None:
    await tell(streams, TALE[:4])
    await streams.progress(make_event("step.progress", StepProgress(step="read", percent=70.0)))
    projected = await streams.snapshot("acme:run-1")
    assert projected is not None
    assert projected.snapshot.steps[0].percent == 100.0


async def test_progress_is_not_stored_as_a_frame(streams: RunStream) -> None:
    await tell(streams, TALE[:3])
    assert await sequences(streams) == [1, 2]


async def test_an_event_with_invalid_data_is_rejected_with_its_whole_batch(
    streams: RunStream,
) -> None:
    wrong = replace(MILESTONES[1], data=msgspec.Raw(b'{"step": 7}'))
    with pytest.raises(InvalidInput, match=r"step\.started"):
        await streams.append_many([MILESTONES[0], wrong])
    assert await streams.snapshot("acme:run-1") is None


async def test_an_event_after_the_terminal_one_is_dropped(streams: RunStream) -> None:
    await streams.append_many(MILESTONES)
    late = make_event("approval.expired", ApprovalExpired(approval_id="x"), sequence=10)
    assert await streams.append(late) is AppendOutcome.DROPPED


async def test_the_inbox_holds_an_approval_until_it_is_decided(streams: RunStream) -> None:
    await streams.append_many(MILESTONES[:6])
    (item,) = (await streams.inbox("acme")).items
    assert (item.run_id, item.approval_id, item.pipeline, item.title) == ("run-1", "ok", "echo", "OK?")
    assert (await streams.inbox("other")).items == ()
    await streams.append(MILESTONES[6])
    assert (await streams.inbox("acme")).items == ()


async def test_an_inbox_entry_names_the_subject_of_its_run(streams: RunStream) -> None:
    started = make_event(
        "run.started", RunStarted(pipeline="echo", title="Echo", subject="Coffee"), sequence=1
    )
    await streams.append_many([started, *MILESTONES[1:6]])
    (item,) = (await streams.inbox("acme")).items
    assert item.subject == "Coffee"


async def test_tenants_with_pending_approvals_are_known(streams: RunStream) -> None:
    assert await streams.tenants_with_approvals() == []

    await tell(streams, questions("run-1"))

    assert await streams.tenants_with_approvals() == ["acme"]


def questions(run_id: str) -> list[CloudEvent]:
    return [event for event in story(run_id) if event.sequence is not None][:6]


async def pages(streams: RunStream, limit: int) -> list[list[str]]:
    """The ids of all runs in the inbox, page by page."""
    found, after = [], None
    while True:
        page = await streams.inbox("acme", after=after, limit=limit)
        found.append([item.run_id for item in page.items])
        after = page.next
        if after is None:
            return found


async def test_the_inbox_is_read_page_by_page(streams: RunStream) -> None:
    runs = [f"run-{number}" for number in range(1, 6)]
    await streams.append_many([event for run in runs for event in questions(run)])
    assert await pages(streams, 2) == [runs[:2], runs[2:4], runs[4:]]
    assert await pages(streams, 5) == [runs]
    first = await streams.inbox("acme", limit=2)
    assert first.total == 5

    await streams.append(replace(MILESTONES[6], runid="run-2"))

    rest = await streams.inbox("acme", after=first.next, limit=5)
    assert [item.run_id for item in rest.items] == runs[2:]
    assert (rest.next, rest.total) == (None, 4)


async def test_closed_approvals_make_no_page_shorter(streams: RunStream) -> None:
    runs = [f"run-{number}" for number in range(1, 8)]
    await streams.append_many([event for run in runs for event in questions(run)])
    for run in runs[:3]:
        await streams.append(replace(MILESTONES[8], runid=run, sequence=7))
    assert await pages(streams, 2) == [runs[3:5], runs[5:]]


async def test_the_inbox_forgets_the_approvals_of_a_run_that_ended(streams: RunStream) -> None:
    await streams.append_many([*MILESTONES[:6], replace(MILESTONES[8], sequence=7)])
    assert (await streams.inbox("acme")).items == ()


async def test_a_repeated_request_does_not_reopen_a_decided_approval(streams: RunStream) -> None:
    await streams.append_many(MILESTONES[:7])
    await streams.append(MILESTONES[5])
    assert (await streams.inbox("acme")).items == ()


async def test_a_gap_is_listed_until_it_is_closed(streams: RunStream) -> None:
    await streams.append_many([MILESTONES[0], MILESTONES[2]])
    (gap,) = await streams.gaps(older_than=NOW)
    assert (gap.run_id, gap.top) == ("run-1", 1)
    assert await streams.gaps(older_than=timedelta(hours=1)) == []
    await streams.append(MILESTONES[1])
    assert await streams.gaps(older_than=NOW) == []


async def test_a_rebuilt_stream_continues_from_the_snapshot_in_a_new_epoch(streams: RunStream) -> None:
    await streams.append_many([MILESTONES[3], MILESTONES[4]])
    (gap,) = await streams.gaps(older_than=NOW)
    snapshot = Snapshot(run_id="run-1", tenant="acme")
    for event in MILESTONES[:4]:
        snapshot = fold(snapshot, event)
    epoch = await streams.rebuild(snapshot, replaces=gap.epoch)
    assert epoch not in (None, gap.epoch)
    assert await sequences(streams, Cursor(str(epoch), 4)) == [5]
    assert (await streams.read("acme:run-1", Cursor(gap.epoch, 0))).lost
    assert await streams.gaps(older_than=NOW) == []


async def test_a_run_with_thousands_of_steps_is_rebuilt(streams: RunStream) -> None:
    steps = tuple(
        StepState(name=f"part-{number}", title="Part", status="completed") for number in range(6_000)
    )
    snapshot = Snapshot(
        run_id="run-1", tenant="acme", pipeline="echo", status="running", sequence=7, steps=steps
    )
    assert await streams.rebuild(snapshot) is not None
    projected = await streams.snapshot("acme:run-1")
    assert projected is not None
    assert len(projected.snapshot.steps) == 6_000


async def test_of_two_concurrent_repairs_only_one_rebuilds(streams: RunStream) -> None:
    await streams.append(MILESTONES[3])
    (gap,) = await streams.gaps(older_than=NOW)
    snapshot = Snapshot(run_id="run-1", tenant="acme", sequence=4)
    assert await streams.rebuild(snapshot, replaces=gap.epoch) is not None
    assert await streams.rebuild(snapshot, replaces=gap.epoch) is None


async def test_a_stream_rebuilt_from_an_ended_run_has_ended(streams: RunStream) -> None:
    snapshot = Snapshot(run_id="run-1", tenant="acme")
    for event in MILESTONES:
        snapshot = fold(snapshot, event)
    epoch = await streams.rebuild(snapshot, replaces="")
    history = await streams.read("acme:run-1", Cursor(str(epoch), 9))
    assert (history.ended, history.lost, history.frames) == (True, False, ())
    projected = await streams.snapshot("acme:run-1")
    assert projected is not None
    assert as_json(projected.snapshot) == as_json(snapshot)


async def test_a_stream_can_begin_with_a_run_without_events(streams: RunStream) -> None:
    epoch = await streams.rebuild(Snapshot(run_id="run-1", tenant="acme", pipeline="echo"), replaces="")
    assert await streams.append(MILESTONES[0]) is AppendOutcome.APPENDED
    assert await sequences(streams, Cursor(str(epoch), 0)) == [1]


async def test_a_rebuild_restores_the_inbox(streams: RunStream) -> None:
    snapshot = Snapshot(run_id="run-1", tenant="acme")
    for event in MILESTONES[:6]:
        snapshot = fold(snapshot, event)
    await streams.rebuild(snapshot)
    assert [item.approval_id for item in (await streams.inbox("acme")).items] == ["ok"]


async def test_a_discarded_stream_has_no_gap(streams: RunStream) -> None:
    await streams.append(MILESTONES[3])
    await streams.discard("acme:run-1")
    assert await streams.gaps(older_than=NOW) == []


async def test_the_open_runs_of_a_tenant_are_those_that_have_not_ended(streams: RunStream) -> None:
    for run_id in ("run-1", "run-2", "run-3"):
        await streams.append(story(run_id)[0])
    await streams.append_many([event for event in story("run-2") if event.sequence is not None])
    # A duplicate does not reopen a run that has ended.
    await streams.append(story("run-2")[0])
    assert await streams.open_runs("acme", 10) == ["acme:run-3", "acme:run-1"]
    assert await streams.open_runs("acme", 1) == ["acme:run-3"]
    assert await streams.open_runs("other", 10) == []


async def test_recently_ended_runs_are_listed_with_their_end(streams: RunStream) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    ends = {"run-1": now - timedelta(minutes=2), "run-2": now, "run-3": now - timedelta(hours=2)}
    for run_id, ended_at in ends.items():
        events = [replace(event, time=ended_at) for event in story(run_id) if event.sequence is not None]
        await streams.append_many([*events, events[-1]])
    await streams.append(story("run-4")[0])
    first, second = run_key("acme", "run-1"), run_key("acme", "run-2")
    assert await streams.ended_runs("acme", 10) == {second: now, first: now - timedelta(minutes=2)}
    assert list(await streams.ended_runs("acme", 1)) == [second]
    assert await streams.ended_runs("other", 10) == {}


async def test_the_channel_of_a_tenant_announces_runs_and_inbox_changes(
    streams: RunStream, redis_url: str
) -> None:
    received: list[tuple[str, object]] = []
    client = Redis.from_url(redis_url)
    channels = streams.channels if isinstance(streams, FakeRunStream) else RedisChannels(client)
    opened = asyncio.Event()

    def receive(_topic: str, frame: Frame) -> None:
        received.append((frame.name, msgspec.json.decode(frame.data)))

    channels.open(tenant_channel("acme"))
    listening = asyncio.ensure_future(channels.run(receive, lambda _: opened.set()))
    await opened.wait()
    for event in [*MILESTONES, MILESTONES[0]]:
        await streams.append(event)
    await eventually(lambda: len(received) >= 3)
    await cancel_and_wait(listening)
    await client.aclose()
    appeared = ("run.appeared", {"runid": "acme:run-1"})
    changed: tuple[str, dict[str, str]] = ("inbox.changed", {})
    assert received == [appeared, *[changed] * (len(received) - 1)]


def renumbered(events: list[CloudEvent], first: int) -> list[CloudEvent]:
    """The same milestones, as those of a plain workflow: numbered from the time of its start."""
    return [
        replace(event, id=f"{event.id}-{first}", sequence=first + place) for place, event in enumerate(events)
    ]


async def test_a_plain_workflow_with_the_id_of_a_pipelines_run_does_not_replace_its_stream(
    streams: RunStream,
) -> None:
    await streams.append_many(MILESTONES[:3])
    before = await streams.read("acme:run-1", None)

    plain = renumbered(MILESTONES, 1_790_000_000_000_001)
    assert await streams.append_many(plain) == ["dropped"] * len(plain)
    assert await streams.append(MILESTONES[3]) == "appended"
    after = await streams.read("acme:run-1", None)
    assert (after.epoch, after.top) == (before.epoch, 4)
    assert await streams.gaps(older_than=NOW) == []


async def test_a_plain_workflow_begins_a_stream_after_one_of_its_id_that_published_nothing(
    streams: RunStream,
) -> None:
    silent = Snapshot(run_id="run-1", tenant="acme", pipeline="Order", status="running", plain=True)
    await streams.rebuild(silent, replaces="")
    assert await streams.append(replace(MILESTONES[-1], sequence=1)) == "appended"

    plain = renumbered(MILESTONES[:3], 1_790_000_000_000_001)
    assert await streams.append_many(plain) == ["appended"] * 3
    assert (await streams.read("acme:run-1", None)).top == plain[-1].sequence


async def test_a_workflow_that_starts_again_under_its_id_begins_a_new_stream(streams: RunStream) -> None:
    begin = 1_790_000_000_000_001
    first, second = renumbered(MILESTONES, begin), renumbered(MILESTONES[:4], begin + 1_000)

    early = [first[1], first[0], *first[2:]]
    assert await streams.append_many(early) == ["parked", *["appended"] * (len(first) - 1)]
    ended = await streams.read("acme:run-1", None)
    assert await streams.append_many([second[0], first[0], second[2], second[1], second[3]]) == [
        "appended",
        "dropped",
        "parked",
        "appended",
        "appended",
    ]
    begun = await streams.read("acme:run-1", None, 10)

    assert (ended.ended, begun.ended) == (True, False)
    assert ended.epoch != begun.epoch
    assert begun.top == begin + 1_003
    assert await sequences(streams, Cursor(begun.epoch, begin + 1_001)) == [begin + 1_002, begin + 1_003]
    projected = await streams.snapshot("acme:run-1")
    assert projected is not None
    assert (projected.snapshot.status, projected.snapshot.sequence) == ("running", begin + 1_003)
    assert await streams.open_runs("acme", 10) == ["acme:run-1"]
    assert await streams.ended_runs("acme", 10) == {}
