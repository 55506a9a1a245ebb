"""What a listener of one run gets, from the first byte to the end."""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from msgspec.structs import replace

from signalbox_core.errors import Unavailable
from signalbox_core.events import Snapshot, fold
from signalbox_core.events.catalogue import RunClosed, StepProgress
from signalbox_core.testing.streams import FakeRunStream
from signalbox_gateway.streaming.limits import StreamLimits
from support.assertions.eventually import eventually
from support.drivers.sse import Connection, connect, sequences
from support.fakes.events import make_event, story
from support.fakes.stream_endpoint import Live, live_gateway, unknown

MILESTONES = [event for event in story() if event.sequence is not None]
SOON = timedelta(milliseconds=5)
PROGRESS = make_event("step.progress", StepProgress(step="read", percent=40.0), second=5)


@pytest.fixture
async def live() -> AsyncIterator[Live]:
    async with live_gateway() as running:
        yield running


async def settled(live: Live, connection: Connection) -> None:
    """The listener has had its snapshot (or needs none) and is live."""
    await eventually(lambda: connection.status == 200 and live.hub.listener_count > 0)
    await eventually(lambda: any(name in ("snapshot", "message") for name in connection.names))


def snapshot_after(count: int) -> Snapshot:
    snapshot = Snapshot(run_id="run-1", tenant="acme")
    for event in MILESTONES[:count]:
        snapshot = fold(snapshot, event)
    return snapshot


async def test_check_01_the_headers_forbid_caching_and_buffering(live: Live) -> None:
    await live.streams.append(MILESTONES[0])
    connection = connect(live.endpoint, "run-1")
    await connection.until_events(1)
    assert connection.headers["content-type"].startswith("text/event-stream")
    assert connection.headers["cache-control"] == "no-store, no-transform"
    assert connection.headers["x-accel-buffering"] == "no"
    assert "content-length" not in connection.headers
    assert "content-encoding" not in connection.headers
    await connection.leave()


async def test_check_02_03_retry_is_sent_before_the_run_is_read(live: Live) -> None:
    live.streams.channels.disconnect()
    connection = connect(live.endpoint, "run-1")
    await eventually(lambda: connection.body)
    assert connection.text.startswith("retry: ")
    assert connection.events == []
    await connection.leave()


async def test_without_a_cursor_a_snapshot_precedes_live_events(live: Live) -> None:
    await live.streams.append_many(MILESTONES[:3])
    connection = connect(live.endpoint, "run-1")
    (snapshot,) = await connection.until_events(1)
    assert (snapshot.event, snapshot.id, snapshot.json["sequence"]) == ("snapshot", None, 3)
    await live.streams.append_many(MILESTONES[3:])
    events = await connection.until_complete()
    assert sequences(events) == [4, 5, 6, 7, 8, 9]
    assert connection.names[-1] == "end"


async def test_check_06_state_events_have_ids_and_progress_has_none(live: Live) -> None:
    await live.streams.append_many(MILESTONES[:2])
    connection = connect(live.endpoint, "run-1")
    await connection.until_events(1)
    await live.streams.progress(PROGRESS)
    await live.streams.append(MILESTONES[2])
    _, progress, milestone = await connection.until_events(3)
    assert (progress.event, progress.id, progress.json["type"]) == (
        "message",
        None,
        "dev.signalbox.step.progress.v1",
    )
    assert (milestone.event, milestone.id) == ("message", f"{milestone_epoch(connection)}:3")
    await connection.leave()


def milestone_epoch(connection: Connection) -> str:
    return str(connection.events[0].json["epoch"])


@pytest.mark.parametrize("where", ["header", "query", "header beats query"])
async def test_check_09_10_a_cursor_resumes_with_exactly_the_later_events(live: Live, where: str) -> None:
    await live.streams.append_many(MILESTONES)
    header = {} if where == "query" else {"Last-Event-ID": "e1:3"}
    query = {
        "header": {},
        "query": {"last_event_id": "e1:3"},
        "header beats query": {"last_event_id": "e1:7"},
    }[where]
    connection = connect(live.endpoint, "run-1", headers=header, query=query)
    events = await connection.until_complete()
    assert [event.id for event in events[:-1]] == [f"e1:{number}" for number in range(4, 10)]
    assert (events[-1].event, events[-1].id) == ("end", None)


async def test_check_15_a_reconnect_after_the_terminal_event_is_204(live: Live) -> None:
    await live.streams.append_many(MILESTONES)
    connection = connect(live.endpoint, "run-1", headers={"Last-Event-ID": "e1:9"})
    await connection.until_complete()
    assert (connection.status, connection.body) == (204, b"")


async def test_check_16_without_a_cursor_an_ended_run_sends_its_full_history(live: Live) -> None:
    await live.streams.append_many(MILESTONES)
    events = await connect(live.endpoint, "run-1").until_complete()
    assert [event.event for event in events] == ["snapshot", *["message"] * 9, "end"]
    assert sequences(events) == list(range(1, 10))


@pytest.mark.parametrize("cursor", ["0old:3", "e1:99", "nonsense", "e1:3,e1:4", "e1:-1", "\x00"])
async def test_check_12_an_unknown_or_malformed_cursor_gives_a_reset_and_a_snapshot(
    live: Live, cursor: str
) -> None:
    await live.streams.append_many(MILESTONES[:4])
    connection = connect(live.endpoint, "run-1", headers={"Last-Event-ID": cursor})
    reset, snapshot = await connection.until_events(2)
    assert (reset.event, reset.json, snapshot.event) == ("reset", {"runid": "run-1"}, "snapshot")
    await live.streams.append(MILESTONES[4])
    assert sequences(await connection.until_events(3)) == [5]
    await connection.leave()


async def test_check_12_a_trimmed_cursor_gives_a_reset() -> None:
    async with live_gateway(make=lambda: FakeRunStream(max_frames=3)) as live:
        await live.streams.append_many(MILESTONES[:8])
        connection = connect(live.endpoint, "run-1", headers={"Last-Event-ID": "e1:2"})
        await connection.until_events(2)
        assert connection.names == ["reset", "snapshot"]
        await connection.leave()


async def test_a_lost_cursor_in_an_ended_run_is_reset_once(live: Live) -> None:
    await live.streams.append_many(MILESTONES)
    events = await connect(live.endpoint, "run-1", headers={"Last-Event-ID": "0old:3"}).until_complete()
    assert [event.event for event in events] == ["reset", "snapshot", "end"]
    again = connect(live.endpoint, "run-1", headers={"Last-Event-ID": str(events[-1].id)})
    await again.until_complete()
    assert again.status == 204


async def test_check_13_a_rebuilt_stream_resets_its_listeners(live: Live) -> None:
    await live.streams.append_many(MILESTONES[:2])
    connection = connect(live.endpoint, "run-1")
    await settled(live, connection)
    await live.streams.rebuild(snapshot_after(6))
    await connection.until_events(3)
    await live.streams.append(MILESTONES[6])
    events = await connection.until_events(4)
    assert [event.event for event in events] == ["snapshot", "reset", "snapshot", "message"]
    assert (events[2].json["sequence"], events[3].id) == (6, "e2:7")
    await connection.leave()


async def test_a_run_that_just_started_is_read_from_temporal(live: Live) -> None:
    live.from_temporal["acme:run-1"] = Snapshot(run_id="run-1", tenant="acme", pipeline="echo")
    connection = connect(live.endpoint, "run-1")
    (snapshot,) = await connection.until_events(1)
    assert (snapshot.event, snapshot.json["pipeline"], snapshot.json["epoch"]) == ("snapshot", "echo", "")
    await live.streams.append_many(MILESTONES)
    assert sequences(await connection.until_complete()) == list(range(1, 10))


async def test_events_in_a_snapshot_from_temporal_are_not_repeated(live: Live) -> None:
    live.from_temporal["acme:run-1"] = snapshot_after(3)
    connection = connect(live.endpoint, "run-1")
    await connection.until_events(1)
    for event in MILESTONES:
        await live.streams.append(event)
    assert sequences(await connection.until_complete()) == [4, 5, 6, 7, 8, 9]


async def test_a_log_that_ends_before_the_snapshot_from_temporal_resets(live: Live) -> None:
    live.from_temporal["acme:run-1"] = snapshot_after(5)
    connection = connect(live.endpoint, "run-1")
    await connection.until_events(1)
    await live.streams.append_many([MILESTONES[0], make_event("run.terminated", RunClosed(), sequence=2)])
    await connection.until_complete()
    assert connection.names == ["snapshot", "reset", "snapshot", "end"]


async def test_an_ended_run_without_a_stream_ends_after_its_snapshot(live: Live) -> None:
    live.from_temporal["acme:run-1"] = snapshot_after(9)
    events = await connect(live.endpoint, "run-1").until_complete()
    assert [event.event for event in events] == ["snapshot", "end"]
    again = connect(live.endpoint, "run-1", headers={"Last-Event-ID": str(events[-1].id)})
    await again.until_complete()
    assert again.status == 204


async def test_late_events_of_an_ended_run_are_all_sent(live: Live) -> None:
    live.from_temporal["acme:run-1"] = replace(snapshot_after(9), ended_at=datetime.now(UTC))
    connection = connect(live.endpoint, "run-1")
    await connection.until_events(1)
    await live.streams.append_many(MILESTONES)
    events = await connection.until_complete()
    assert connection.names == ["snapshot", *["message"] * 9, "end"]
    assert sequences(events) == list(range(1, 10))


async def test_the_history_of_an_open_run_is_sent_once_and_resumes_from_a_cursor(
    live: Live,
) -> None:
    await live.streams.append_many(MILESTONES[:4])
    connection = connect(live.endpoint, "run-1", query={"history": "1"})
    await connection.until_events(5)
    await live.streams.append_many(MILESTONES[4:])
    events = await connection.until_complete()
    assert [event.event for event in events][:2] == ["snapshot", "message"]
    assert sequences(events) == list(range(1, 10))
    later = connect(
        live.endpoint, "run-1", query={"history": "1"}, headers={"Last-Event-ID": str(events[3].id)}
    )
    assert sequences(await later.until_complete()) == list(range(4, 10))


async def test_a_trimmed_history_begins_at_the_snapshot() -> None:
    async with live_gateway(make=lambda: FakeRunStream(max_frames=3)) as live:
        await live.streams.append_many(MILESTONES[:6])
        connection = connect(live.endpoint, "run-1", query={"history": "1"})
        await connection.until_events(1)
        await live.streams.append_many(MILESTONES[6:])
        assert sequences(await connection.until_complete()) == [7, 8, 9]


async def test_history_must_be_1(live: Live) -> None:
    refused = connect(live.endpoint, "run-1", query={"history": "yes"})
    await refused.until_complete()
    assert (refused.status, msgspec.json.decode(refused.body)["errors"][0]["field"]) == (422, "history")


async def test_concurrent_listeners_share_one_query_to_temporal(live: Live) -> None:
    live.from_temporal["acme:run-1"] = snapshot_after(0)
    connections = [connect(live.endpoint, "run-1") for _ in range(5)]
    for connection in connections:
        await connection.until_events(1)
    assert live.asked_temporal == ["acme:run-1"]
    for connection in connections:
        await connection.leave()


async def test_events_missed_while_the_channel_was_down_are_read_from_the_log(live: Live) -> None:
    await live.streams.append(MILESTONES[0])
    connection = connect(live.endpoint, "run-1")
    await settled(live, connection)
    live.streams.channels.disconnect()
    await live.streams.append_many(MILESTONES[1:4])
    live.streams.channels.reconnect()
    await live.streams.append_many(MILESTONES[4:])
    assert sequences(await connection.until_complete()) == list(range(2, 10))


async def test_check_26_a_slow_listener_catches_up_from_the_log(live: Live) -> None:
    tale = [
        replace(MILESTONES[0], sequence=1),
        *(replace(MILESTONES[1], sequence=number) for number in range(2, 900)),
    ]
    tale.append(replace(MILESTONES[8], sequence=900))
    await live.streams.append(tale[0])
    slow = connect(live.endpoint, "run-1", headers={"Last-Event-ID": "e1:1"})
    await eventually(lambda: live.hub.listener_count == 1 and slow.body)
    slow.can_write.clear()
    for event in tale[1:]:
        await live.streams.append(event)
    slow.can_write.set()
    assert sequences(await slow.until_complete()) == list(range(2, 901))


async def test_check_07_08_line_breaks_in_data_cannot_inject_fields(live: Live) -> None:
    await live.streams.append_many(MILESTONES[:2])
    connection = connect(live.endpoint, "run-1")
    await settled(live, connection)
    text = "Xin chào\r\nid: e1:99\rdata: x\nevent: end\n\n\u2028\u0000"
    await live.streams.progress(make_event("step.progress", StepProgress(step="read", text=text)))
    raw = msgspec.Raw(b'{"step":\r\n"read",\n\n"title":\r"Read"}')
    await live.streams.append(
        replace(make_event("step.started", StepProgress(step="read"), sequence=3), data=raw)
    )
    _, progress, milestone = await connection.until_events(3)
    assert progress.json["data"] == {**msgspec.to_builtins(StepProgress(step="read", text=text))}
    assert milestone.json["data"] == {"step": "read", "title": "Read"}
    assert [event.event for event in connection.events] == ["snapshot", "message", "message"]
    await connection.leave()


async def test_check_04_head_responds_at_once(live: Live) -> None:
    connection = connect(live.endpoint, "run-1", method="HEAD")
    await connection.until_complete()
    assert (connection.status, connection.body) == (200, b"")


async def test_check_05_post_is_not_allowed(live: Live) -> None:
    connection = connect(live.endpoint, "run-1", method="POST")
    await connection.until_complete()
    assert (connection.status, connection.headers["allow"]) == (405, "GET, HEAD")


async def test_an_unknown_run_is_not_found(live: Live) -> None:
    live.refusals["run-1"] = unknown("run-1")
    connection = connect(live.endpoint, "run-1")
    await connection.until_complete()
    assert connection.status == 404


async def test_while_the_backend_is_unavailable_the_browser_retries_later(live: Live) -> None:
    live.refusals["run-1"] = Unavailable("Temporal is unavailable")
    connection = connect(live.endpoint, "run-1")
    await connection.until_complete()
    assert (connection.status, connection.text.startswith("retry: "), connection.events) == (200, True, [])


async def test_check_27_over_capacity_the_browser_retries_later() -> None:
    async with live_gateway(StreamLimits(listeners=0)) as live:
        connection = connect(live.endpoint, "run-1")
        await connection.until_complete()
        assert (connection.status, connection.text.startswith("retry: ")) == (200, True)


@pytest.mark.parametrize(
    "limits", [StreamLimits(per_principal=2), StreamLimits(per_address=2)], ids=["principal", "address"]
)
async def test_check_27_one_principal_or_address_cannot_use_all_connections(limits: StreamLimits) -> None:
    async with live_gateway(limits) as live:
        await live.streams.append(MILESTONES[0])
        open_ones = [connect(live.endpoint, "run-1") for _ in range(2)]
        for connection in open_ones:
            await connection.until_events(1)
        third = connect(live.endpoint, "run-1")
        await third.until_complete()
        assert (third.status, third.text.startswith("retry: "), third.events) == (200, True, [])
        await open_ones[0].leave()
        instead = connect(live.endpoint, "run-1")
        await instead.until_events(1)
        for connection in (open_ones[1], instead):
            await connection.leave()


async def test_a_disconnected_listener_leaks_nothing(live: Live) -> None:
    await live.streams.append(MILESTONES[0])
    for _ in range(50):
        connection = connect(live.endpoint, "run-1")
        await connection.until_events(1)
        await connection.leave()
    assert (live.hub.listener_count, live.hub.watched_runs, live.streams.channels.opened) == (0, 0, set())


async def test_check_23_only_an_idle_stream_gets_a_heartbeat() -> None:
    async with live_gateway(StreamLimits(sweep=SOON, heartbeat=timedelta(0))) as live:
        await live.streams.append(MILESTONES[0])
        connection = connect(live.endpoint, "run-1")
        await connection.until_events(1)
        await eventually(lambda: b":\x20\r\n\r\n" in connection.body)
        await eventually(lambda: b"event: ping\r\ndata: {}\r\n\r\n" in connection.body)
        await connection.leave()
    async with live_gateway(StreamLimits(sweep=SOON, heartbeat=timedelta(hours=1))) as live:
        await live.streams.append_many(MILESTONES)
        connection = connect(live.endpoint, "run-1")
        await connection.until_complete()
        assert b": \r\n\r\n" not in connection.body
        assert b"event: ping" not in connection.body


def test_check_23_no_stream_is_silent_for_longer_than_15_s() -> None:
    limits = StreamLimits()
    assert limits.heartbeat + limits.sweep < timedelta(seconds=15)


async def test_a_stream_ends_cleanly_at_the_end_of_its_lifetime() -> None:
    async with live_gateway(StreamLimits(sweep=SOON, lifetime=timedelta(0))) as live:
        await live.streams.append(MILESTONES[0])
        connection = connect(live.endpoint, "run-1")
        await connection.until_complete()
        assert connection.status == 200


async def test_check_19_a_stream_ends_when_its_credential_expires() -> None:
    async with live_gateway(StreamLimits(sweep=SOON), expires_at=datetime.now(UTC)) as live:
        await live.streams.append(MILESTONES[0])
        await connect(live.endpoint, "run-1").until_complete()


async def test_check_20_a_stream_ends_when_its_authorization_is_revoked() -> None:
    async with live_gateway(StreamLimits(sweep=SOON, recheck=timedelta(0))) as live:
        await live.streams.append(MILESTONES[0])
        connection = connect(live.endpoint, "run-1")
        await connection.until_events(1)
        live.refusals["run-1"] = unknown("run-1")
        await connection.until_complete()


async def test_a_slow_reader_gets_no_more_after_its_authorization_is_revoked() -> None:
    async with live_gateway(StreamLimits(sweep=SOON, recheck=timedelta(0))) as live:
        await live.streams.append(MILESTONES[0])
        slow = connect(live.endpoint, "run-1", headers={"Last-Event-ID": "e1:1"})
        await eventually(lambda: live.hub.listener_count == 1 and slow.body)
        slow.can_write.clear()
        text = msgspec.Raw(msgspec.json.encode({"step": "read", "title": "R" * 2_000}))
        for number in range(2, 900):
            await live.streams.append(replace(MILESTONES[1], sequence=number, data=text))
        live.refusals["run-1"] = unknown("run-1")
        blocked_at = time.monotonic()
        # A hundred sweeps: the next check is due while the reader is blocked.
        await eventually(lambda: time.monotonic() > blocked_at + 0.5)
        slow.can_write.set()
        await slow.until_complete()
        assert len(sequences(slow.events)) < 898


async def test_a_drain_ends_every_stream_cleanly_and_refuses_new_ones(live: Live) -> None:
    await live.streams.append(MILESTONES[0])
    connections = [connect(live.endpoint, "run-1") for _ in range(20)]
    for connection in connections:
        await connection.until_events(1)
    await live.hub.drain(timedelta(seconds=0.2))
    for connection in connections:
        await connection.until_complete()
    late = connect(live.endpoint, "run-1")
    await late.until_complete()
    assert (late.status, late.events, live.hub.listener_count) == (200, [], 0)
