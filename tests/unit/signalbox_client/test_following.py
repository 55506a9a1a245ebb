"""Following a stream: resume, duplicates, resets, the end."""

import httpx2
import msgspec
import pytest

from signalbox_client.stream_follower import Follower
from signalbox_core.errors import NotFound, Unavailable
from signalbox_core.events import full_type

AT = "2026-01-02T03:04:05Z"


def frame(sequence: int | None, name: str, cursor: str = "", **data: object) -> httpx2.ServerSentEvent:
    body = {
        "id": f"e{sequence}",
        "type": full_type(name),
        "time": AT,
        "runid": "r1",
        "sequence": sequence,
        "data": data,
    }
    if "step" in data:
        body["stepid"] = str(data["step"])
    return httpx2.ServerSentEvent(data=msgspec.json.encode(body).decode(), id=cursor)


def snapshot(sequence: int = 2, status: str = "running") -> httpx2.ServerSentEvent:
    run = {
        "run_id": "r1",
        "pipeline": "echo",
        "status": status,
        "steps": [{"name": "say", "title": "Say it", "status": "running", "attempt": 1, "started_at": AT}],
        "epoch": "e7",
        "sequence": sequence,
        "result": None,
    }
    return httpx2.ServerSentEvent(event="snapshot", data=msgspec.json.encode(run).decode())


def completed(sequence: int) -> httpx2.ServerSentEvent:
    return frame(sequence, "step.completed", f"e7:{sequence}", step="say", title="Say it", started_at=AT)


def test_a_new_follower_asks_from_the_beginning() -> None:
    assert Follower("r1").headers() == {}


def test_after_a_snapshot_it_resumes_where_the_snapshot_stands() -> None:
    follower = Follower("r1")
    update = follower.take(snapshot(2))
    assert update is not None
    assert update.snapshot.steps[0].status == "running"
    assert follower.headers() == {"last-event-id": "e7:2"}


def test_an_event_moves_the_state_and_the_place_to_resume_from() -> None:
    follower = Follower("r1")
    follower.take(snapshot(2))
    update = follower.take(completed(3))
    assert update is not None
    assert update.event is not None
    assert (update.event.name, update.snapshot.steps[0].status) == ("step.completed", "completed")
    assert follower.headers() == {"last-event-id": "e7:3"}


def test_an_event_that_comes_again_is_not_told_again() -> None:
    follower = Follower("r1")
    follower.take(snapshot(2))
    follower.take(completed(3))
    assert follower.take(completed(3)) is None


def test_progress_is_told_and_does_not_move_the_place_to_resume_from() -> None:
    follower = Follower("r1")
    follower.take(snapshot(2))
    update = follower.take(frame(None, "step.progress", "e7:2", step="say", percent=40.0))
    assert update is not None
    assert update.snapshot.steps[0].percent == 40.0
    assert follower.headers() == {"last-event-id": "e7:2"}


def test_a_reset_forgets_the_place_and_the_next_snapshot_counts() -> None:
    follower = Follower("r1", "e6:9")
    assert follower.take(httpx2.ServerSentEvent(event="reset", data="{}")) is None
    assert follower.headers() == {}
    assert follower.take(snapshot(4)) is not None
    assert follower.headers() == {"last-event-id": "e7:4"}


def test_the_first_frame_with_retry_alone_says_nothing() -> None:
    assert Follower("r1").take(httpx2.ServerSentEvent(retry=1000)) is None


def test_the_end_frame_and_a_204_end_it() -> None:
    for_frame, for_status = Follower("r1"), Follower("r1", "e7:9")
    for_frame.take(httpx2.ServerSentEvent(event="end", data="{}"))
    for_status.refused(204, b"")
    assert for_frame.has_ended
    assert for_status.has_ended


def test_a_refusal_that_stays_is_raised() -> None:
    with pytest.raises(NotFound, match="no run r1"):
        Follower("r1").refused(404, b'{"detail": "there is no run r1", "code": "unknown_run"}')


def test_a_refusal_that_passes_is_waited_for_once_the_stream_was_there() -> None:
    follower = Follower("r1")
    with pytest.raises(Unavailable):
        follower.refused(503, b"{}")
    follower.take(snapshot())
    follower.refused(503, b"{}")
    assert not follower.has_ended


def test_pauses_grow_and_begin_anew_after_a_frame() -> None:
    follower = Follower("r1")
    assert [follower.pause_s() for _ in range(8)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    follower.take(snapshot())
    assert follower.pause_s() == 0.1
