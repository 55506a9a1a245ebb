"""One connection for all of a tenant's runs: `/v1/stream?all=1`."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from signalbox_core.errors import Forbidden
from signalbox_core.events import CloudEvent
from signalbox_gateway.streaming import tenant_runs
from signalbox_gateway.streaming.limits import StreamLimits
from support.assertions.eventually import eventually
from support.drivers.sse import Connection, SseEvent, connect
from support.fakes.events import story
from support.fakes.stream_endpoint import Live, live_gateway


@pytest.fixture
async def live() -> AsyncIterator[Live]:
    async with live_gateway() as running:
        yield running


def milestones(run_id: str) -> list[CloudEvent]:
    return [event for event in story(run_id) if event.sequence is not None]


def feed(live: Live, *runs: str, **query: str) -> Connection:
    return connect(live.endpoint, *runs, multiplexed=True, query={"all": "1", **query})


def events_of(connection: Connection, run_id: str) -> list[tuple[str, object]]:
    """The events of one run: names and sequences."""
    return [(event.event, event.sequence) for event in connection.events if _run_of(event) == run_id]


def _run_of(event: SseEvent) -> object:
    return event.json.get("runid", event.json.get("run_id"))


async def test_open_runs_are_listed_then_followed(live: Live) -> None:
    for run_id in ("a", "b", "over"):
        await live.streams.append_many(milestones(run_id)[: 9 if run_id == "over" else 2])
    connection = feed(live)
    await connection.until_events(3)
    await live.streams.append_many(milestones("a")[2:])
    await eventually(lambda: ("end", None) in events_of(connection, "a"))
    first = connection.events[0]
    assert (first.event, first.json) == ("runs", {"runs": ["b", "a"], "partial": False})
    assert events_of(connection, "a") == [
        ("snapshot", 2),
        *[("message", number) for number in range(3, 10)],
        ("end", None),
    ]
    assert events_of(connection, "b") == [("snapshot", 2)]
    assert events_of(connection, "over") == []
    assert [event.event for event in connection.events if event.id is None] == ["runs", *["snapshot"] * 2]
    await connection.leave()
    assert (live.hub.listener_count, live.hub.watched_runs) == (0, 0)


async def test_a_new_run_is_followed_and_announced_once(live: Live) -> None:
    connection = feed(live)
    await connection.until_events(1)
    for event in milestones("new"):
        await live.streams.append(event)
    await eventually(lambda: ("end", None) in events_of(connection, "new"))
    # An event that the projector repeats later is a duplicate.
    await live.streams.append(milestones("new")[0])
    await live.streams.append(milestones("other")[0])
    await eventually(lambda: events_of(connection, "other"))
    names = [name for name, _ in events_of(connection, "new")]
    assert (names[0], names[-1], names.count("snapshot"), names.count("end")) == ("snapshot", "end", 1, 1)
    numbers = [number for name, number in events_of(connection, "new") if name == "message"]
    assert numbers == list(range(10 - len(numbers), 10))
    await connection.leave()


async def test_runs_of_another_tenant_are_excluded(live: Live) -> None:
    connection = feed(live)
    await connection.until_events(1)
    await live.streams.append_many(
        [event for event in story("theirs", tenant="other") if event.sequence is not None]
    )
    await live.streams.append(milestones("ours")[0])
    await eventually(lambda: events_of(connection, "ours"))
    assert events_of(connection, "theirs") == []
    await connection.leave()


async def test_runs_that_started_while_the_channel_was_down_are_found(live: Live) -> None:
    connection = feed(live)
    await connection.until_events(1)
    live.streams.channels.disconnect()
    await live.streams.append(milestones("missed")[0])
    live.streams.channels.reconnect()
    await eventually(lambda: events_of(connection, "missed") == [("snapshot", 1)])
    assert [event.json["runs"] for event in connection.events if event.event == "runs"][-1] == ["missed"]
    await connection.leave()


async def test_the_number_of_runs_is_bounded_and_marked_partial(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenant_runs, "MAX_RUNS", 2)
    for run_id in ("a", "b"):
        await live.streams.append(milestones(run_id)[0])
    connection = feed(live)
    await connection.until_events(3)
    for run_id in ("c", "d"):
        await live.streams.append(milestones(run_id)[0])
    await eventually(lambda: connection.names.count("runs") == 2)
    assert [event.json["partial"] for event in connection.events if event.event == "runs"] == [False, True]
    assert events_of(connection, "c") == []
    await connection.leave()


@pytest.mark.parametrize(
    ("runs", "query"), [(("a",), {}), ((), {"all": "yes"})], ids=["with runs", "another value"]
)
async def test_all_must_be_1_without_runs(live: Live, runs: tuple[str, ...], query: dict[str, str]) -> None:
    connection = feed(live, *runs, **query)
    await connection.until_complete()
    assert (connection.status, "all=1" in connection.text) == (422, True)


async def test_it_requires_the_role_and_ends_when_it_is_revoked() -> None:
    async with live_gateway(StreamLimits(sweep=timedelta(milliseconds=5), recheck=timedelta(0))) as live:
        connection = feed(live)
        await connection.until_events(1)
        live.refusals["*"] = Forbidden("this needs the role viewer")
        await connection.until_complete()
        refused = feed(live)
        await refused.until_complete()
        assert refused.status == 403
