"""A tenant's stream resumes from its last event id: what happened in between follows, once and complete."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from signalbox_core.events import CloudEvent
from signalbox_core.streams import Cursor
from signalbox_gateway.streaming.cursor import RunSubscription
from signalbox_gateway.streaming.tenant_cursor import (
    DELIVERED,
    TenantCursor,
    encode_cursor,
    key_digest,
    parse_cursor,
    plan_resume,
)
from support.assertions.eventually import eventually
from support.drivers.sse import Connection, SseEvent, connect
from support.fakes.events import story
from support.fakes.stream_endpoint import Live, live_gateway, unknown

NOW = datetime(2026, 11, 30, tzinfo=UTC)


@pytest.fixture
async def live() -> AsyncIterator[Live]:
    async with live_gateway() as running:
        yield running


def milestones(run_id: str) -> list[CloudEvent]:
    """The events of a run that happen now."""
    now = datetime.now(UTC)
    return [replace(event, time=now) for event in story(run_id) if event.sequence is not None]


def feed(live: Live, last_event_id: str | None = None, **query: str) -> Connection:
    headers = {} if last_event_id is None else {"last-event-id": last_event_id}
    return connect(live.endpoint, multiplexed=True, query={"all": "1", **query}, headers=headers)


def of_run(events: list[SseEvent], run_id: str) -> list[tuple[str, object]]:
    return [
        (event.event, event.sequence)
        for event in events
        if event.json.get("runid", event.json.get("run_id")) == run_id
    ]


def last_id(events: list[SseEvent]) -> str:
    return [event.id for event in events if event.id is not None][-1]


async def test_a_resumed_stream_sends_what_happened_in_between_and_nothing_twice(live: Live) -> None:
    for run_id in ("open", "ends", "still"):
        await live.streams.append_many(milestones(run_id)[:2])
    first = feed(live)
    await first.until_events(4)
    await live.streams.append(milestones("open")[2])
    await eventually(lambda: ("message", 3) in of_run(first.events, "open"))
    await first.leave()
    await live.streams.append_many(milestones("open")[3:5])
    await live.streams.append_many(milestones("ends")[2:])
    await live.streams.append_many(milestones("new")[:2])
    await live.streams.append_many(milestones("brief"))

    second = feed(live, last_id(first.events))
    await live.streams.append(milestones("still")[2])
    await eventually(
        lambda: (
            ("message", 3) in of_run(second.events, "still")
            and ("end", None) in of_run(second.events, "brief")
        )
    )

    assert of_run(second.events, "open") == [("message", 4), ("message", 5)]
    assert of_run(second.events, "ends") == [*[("message", number) for number in range(3, 10)], ("end", None)]
    assert of_run(second.events, "new") == [("snapshot", 2), ("message", 1), ("message", 2)]
    assert of_run(second.events, "brief")[-2:] == [("message", 9), ("end", None)]
    assert "runs" not in second.names
    await second.leave()


async def test_a_plain_run_numbered_in_microseconds_resumes_too(live: Live) -> None:
    begin = 1_790_000_000_000_000
    events = [replace(event, sequence=begin + (event.sequence or 0)) for event in milestones("plain")]
    await live.streams.append_many(events[:2])
    first = feed(live)
    await first.until_events(2)
    await live.streams.append(events[2])
    await eventually(lambda: ("message", begin + 3) in of_run(first.events, "plain"))
    await first.leave()
    await live.streams.append(events[3])
    second = feed(live, last_id(first.events))
    await eventually(lambda: of_run(second.events, "plain"))
    assert of_run(second.events, "plain") == [("message", begin + 4)]
    await second.leave()


async def test_an_end_that_was_sent_is_not_sent_again(live: Live) -> None:
    await live.streams.append_many(milestones("before"))
    await live.streams.append_many(milestones("a")[:2])
    first = feed(live)
    await first.until_events(2)
    await live.streams.append_many(milestones("a")[2:])
    await eventually(lambda: ("end", None) in of_run(first.events, "a"))
    await first.leave()
    second = feed(live, last_id(first.events))
    await live.streams.append_many(milestones("b")[:1])
    await eventually(lambda: of_run(second.events, "b"))
    third = feed(live, last_id(second.events))
    await live.streams.append_many(milestones("b")[1:2])
    await eventually(lambda: ("message", 2) in of_run(third.events, "b"))
    for connection in (second, third):
        assert of_run(connection.events, "a") == of_run(connection.events, "before") == []
        await connection.leave()


async def test_a_rebuilt_run_is_reset(live: Live) -> None:
    await live.streams.append_many(milestones("a")[:2])
    first = feed(live)
    await first.until_events(2)
    await live.streams.append(milestones("a")[2])
    await first.until_events(3)
    await first.leave()
    live.streams.forget()
    await live.streams.append_many(milestones("a")[:1])
    second = feed(live, last_id(first.events))
    await second.until_events(2)
    assert of_run(second.events, "a") == [("reset", None), ("snapshot", 1)]
    await second.leave()


@pytest.mark.parametrize("is_retried_in_between", [False, True])
async def test_a_run_that_was_retried_after_its_end_is_followed_again(
    live: Live, is_retried_in_between: bool
) -> None:
    events = milestones("a")
    await live.streams.append_many(events[:2])
    await live.streams.append_many(milestones("b")[:1])
    first = feed(live)
    await first.until_events(3)
    await live.streams.append_many(events[2:])
    await eventually(lambda: ("end", None) in of_run(first.events, "a"))
    if is_retried_in_between:
        await first.leave()
    ended = await live.streams.snapshot("acme:a")
    assert ended is not None
    await live.streams.rebuild(replace(ended.snapshot, status="running", ended_at=None, sequence=90))
    if not is_retried_in_between:
        await eventually(lambda: ("snapshot", 90) in of_run(first.events, "a"))
        await live.streams.append(replace(events[1], sequence=91))
        await eventually(lambda: ("message", 91) in of_run(first.events, "a"))
        await first.leave()

    second = feed(live, last_id(first.events))
    if is_retried_in_between:
        await eventually(lambda: ("snapshot", 90) in of_run(second.events, "a"))
        await live.streams.append(replace(events[1], sequence=91))
        await eventually(lambda: ("message", 91) in of_run(second.events, "a"))
    await live.streams.append(replace(events[1], sequence=92))
    await eventually(lambda: of_run(second.events, "a")[-1:] == [("message", 92)])
    await second.leave()


async def test_a_run_that_is_not_found_makes_the_stream_begin_with_the_open_runs(live: Live) -> None:
    await live.streams.append_many(milestones("a")[:2])
    lost = encode_cursor((), [(key_digest("gone"), Cursor("e9", 4))], datetime.now(UTC))
    connection = feed(live, lost)
    await connection.until_events(2)
    assert connection.names[0] == "runs"
    assert of_run(connection.events, "a")[0] == ("snapshot", 2)
    await connection.leave()


async def test_included_runs_are_sent_with_their_history_also_when_they_have_ended(live: Live) -> None:
    await live.streams.append_many(milestones("over"))
    await live.streams.append_many(milestones("open")[:3])
    live.refusals["theirs"] = unknown("theirs")
    pairs = "all=1&history=1&include=over&include=theirs&include=open"
    connection = Connection()
    connection.start(live.endpoint, _scope(pairs))
    await eventually(
        lambda: (
            ("end", None) in of_run(connection.events, "over") and len(of_run(connection.events, "open")) > 3
        )
    )
    assert of_run(connection.events, "theirs") == [("denied", None)]
    assert of_run(connection.events, "open") == [
        ("snapshot", 3),
        *[("message", number) for number in range(1, 4)],
    ]
    over, theirs, is_open, own = last_id(connection.events).split(",")
    assert (over, theirs, is_open, own[0]) == ("e1:9", "-", "e2:3", "~")
    await connection.leave()

    again = Connection()
    again.start(live.endpoint, _scope(pairs, last_id(connection.events)))
    await live.streams.append_many(milestones("open")[3:4])
    await eventually(lambda: ("message", 4) in of_run(again.events, "open"))
    assert of_run(again.events, "over") == [("end", None)]
    assert of_run(again.events, "open") == [("message", 4)]
    await again.leave()


def _scope(query: str, last_event_id: str = "") -> dict[str, object]:
    return {
        "type": "http",
        "method": "GET",
        "path": "/v1/stream",
        "query_string": query.encode(),
        "headers": [(b"last-event-id", last_event_id.encode())] if last_event_id else [],
        "client": ("192.0.2.7", 50_000),
        "path_params": {},
    }


async def test_more_than_fifty_included_runs_are_refused(live: Live) -> None:
    connection = Connection()
    connection.start(live.endpoint, _scope("all=1&" + "&".join(f"include=r{n}" for n in range(51))))
    await connection.until_complete()
    assert (connection.status, "include" in connection.text) == (422, True)


def test_an_id_of_five_hundred_runs_fits_into_a_header() -> None:
    runs = [f"document-batch-01m8077hz1m0qwh2cf3vz9{number:04}" for number in range(500)]
    entries = [(key_digest(run_id), Cursor("6d0eeef1", 1_234)) for run_id in runs]
    encoded = encode_cursor((), entries, NOW)
    assert len(encoded) < 16 * 1024
    _, parsed = parse_cursor((), encoded)
    assert parsed is not None
    assert dict(parsed.positions) == dict(entries)
    assert parsed.written_at == NOW


@pytest.mark.parametrize("text", ["~", "~x", "~1.short", "~1.abcdefgh!!", "~99999999999999.", "e1:3", "~²"])
def test_a_malformed_id_starts_the_stream_anew(text: str) -> None:
    assert parse_cursor((), text) == ([], None)


def test_included_runs_keep_their_own_cursors() -> None:
    subscriptions = [RunSubscription("a", Cursor("e1", 3)), RunSubscription("b", None)]
    encoded = encode_cursor(subscriptions, [], NOW)
    parsed, cursor = parse_cursor(("a", "b"), encoded)
    assert [each.position for each in parsed] == [Cursor("e1", 3), None]
    assert cursor is not None
    assert cursor.positions == {}


def test_only_runs_that_ended_after_the_id_was_written_are_new() -> None:
    cursor = TenantCursor(written_at=NOW, positions={key_digest("seen"): DELIVERED})
    ended = {
        "old": NOW - timedelta(minutes=10),
        "in-transit": NOW - timedelta(seconds=30),
        "seen": NOW - timedelta(seconds=5),
    }
    plan = plan_resume(cursor, ["open"], ended)
    assert [each.run_id for each in plan.subscriptions] == ["open", "in-transit"]
    assert all(each.include_history for each in plan.subscriptions)
    assert plan.is_complete


def test_a_run_whose_end_was_sent_and_that_ended_again_long_after_is_new() -> None:
    cursor = TenantCursor(written_at=NOW, positions={key_digest("retried"): DELIVERED})
    plan = plan_resume(cursor, [], {"retried": NOW + timedelta(minutes=2)})
    assert [(each.run_id, each.position) for each in plan.subscriptions] == [("retried", None)]
