"""One connection for many runs: `/v1/stream?run=a&run=b`."""

from collections.abc import AsyncIterator

import pytest

from signalbox_core.events import CloudEvent
from support.drivers.sse import SseEvent, connect
from support.fakes.events import story
from support.fakes.stream_endpoint import Live, live_gateway, unknown


@pytest.fixture
async def live() -> AsyncIterator[Live]:
    async with live_gateway() as running:
        yield running


def milestones(run_id: str) -> list[CloudEvent]:
    return [event for event in story(run_id) if event.sequence is not None]


def of_run(events: list[SseEvent], run_id: str) -> list[object]:
    return [event.sequence for event in events if event.event == "message" and event.json["runid"] == run_id]


async def test_each_run_has_its_snapshot_its_events_and_its_end(live: Live) -> None:
    for run_id in ("a", "b"):
        await live.streams.append_many(milestones(run_id)[:2])
    connection = connect(live.endpoint, "a", "b", multiplexed=True)
    snapshots = await connection.until_events(2)
    assert {str(event.json["run_id"]) for event in snapshots} == {"a", "b"}
    for run_id in ("a", "b"):
        await live.streams.append_many(milestones(run_id)[2:])
    events = await connection.until_complete()
    assert of_run(events, "a") == of_run(events, "b") == [3, 4, 5, 6, 7, 8, 9]
    assert [event.json["runid"] for event in events if event.event == "end"] == ["a", "b"]


async def test_an_id_resumes_every_run_at_its_position(live: Live) -> None:
    for run_id in ("a", "b"):
        await live.streams.append_many(milestones(run_id)[:4])
    first = connect(live.endpoint, "a", "b", multiplexed=True)
    await first.until_events(2)
    await live.streams.append(milestones("b")[4])
    cursor = (await first.until_events(3))[-1].id
    await first.leave()
    for run_id in ("a", "b"):
        await live.streams.append_many(milestones(run_id)[4:])
    second = connect(live.endpoint, "a", "b", multiplexed=True, headers={"Last-Event-ID": str(cursor)})
    events = await second.until_complete()
    assert (of_run(events, "a"), of_run(events, "b")) == ([5, 6, 7, 8, 9], [6, 7, 8, 9])
    assert "snapshot" not in second.names


async def test_a_reconnect_after_all_runs_have_ended_is_204(live: Live) -> None:
    for run_id in ("a", "b"):
        await live.streams.append_many(milestones(run_id))
    events = await connect(live.endpoint, "a", "b", multiplexed=True).until_complete()
    cursor = [event.id for event in events if event.id][-1]
    again = connect(live.endpoint, "a", "b", multiplexed=True, headers={"Last-Event-ID": str(cursor)})
    await again.until_complete()
    assert again.status == 204


async def test_check_31_a_denied_run_does_not_affect_the_other(live: Live) -> None:
    live.refusals["b"] = unknown("b")
    for run_id in ("a", "b"):
        await live.streams.append_many(milestones(run_id))
    events = await connect(live.endpoint, "a", "b", multiplexed=True).until_complete()
    assert [event.json["runid"] for event in events if event.event == "denied"] == ["b"]
    assert of_run(events, "a") == list(range(1, 10))
    assert of_run(events, "b") == []


async def test_if_all_runs_are_denied_the_response_is_404(live: Live) -> None:
    for run_id in ("a", "b"):
        live.refusals[run_id] = unknown(run_id)
    connection = connect(live.endpoint, "a", "b", multiplexed=True)
    await connection.until_complete()
    assert connection.status == 404


@pytest.mark.parametrize(
    "runs", [(), tuple(f"run-{number}" for number in range(51))], ids=["none", "too many"]
)
async def test_the_number_of_runs_is_bounded(live: Live, runs: tuple[str, ...]) -> None:
    connection = connect(live.endpoint, *runs, multiplexed=True)
    await connection.until_complete()
    assert connection.status == 422
    assert "run" in connection.text


async def test_one_run_being_rebuilt_resets_only_that_run(live: Live) -> None:
    for run_id in ("a", "b"):
        await live.streams.append_many(milestones(run_id)[:2])
    connection = connect(live.endpoint, "a", "b", multiplexed=True)
    await connection.until_events(2)
    projected = await live.streams.snapshot("acme:a")
    assert projected is not None
    await live.streams.rebuild(projected.snapshot)
    await connection.until_events(4)
    assert [event.json["runid"] for event in connection.events if event.event == "reset"] == ["a"]
    await connection.leave()
