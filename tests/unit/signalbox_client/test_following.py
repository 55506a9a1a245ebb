"""Following a stream: resume, duplicates, resets, reconnect delays, the end."""

import httpx2
import pytest

from signalbox_client.retry import RequestFailure, response_failure, retry_delay_s
from signalbox_client.stream_follower import Follower
from signalbox_core.errors import Forbidden, NotFound, RateLimited, SignalboxError, Unavailable
from support.fakes.stream_frames import STEP_COMPLETED, event_frame, parsed, retry_frame, snapshot_frame

URL = "http://gateway.example"
SNAPSHOT = parsed(snapshot_frame())
COMPLETED = parsed(STEP_COMPLETED)
PROGRESS = parsed(event_frame("step.progress", step="say", percent=40.0))
RESET = parsed("event: reset\ndata: {}\n\n")
UNAVAILABLE = RequestFailure(error=Unavailable("down"))
REFUSED = RequestFailure(error=NotFound("there is no run r1"), is_final=True)
FOREIGN = RequestFailure(error=Unavailable("404 of a proxy"), is_foreign=True)


def follower(last_event_id: str | None = None, *, opening_backoff_s: tuple[float, ...] = (1, 2)) -> Follower:
    return Follower("r1", last_event_id, opening_backoff_s=opening_backoff_s, jitter=lambda: 0.0)


def begun() -> Follower:
    made = follower()
    made.take(SNAPSHOT)
    return made


def delays(of: Follower, count: int, failure: RequestFailure = UNAVAILABLE) -> list[float]:
    found = []
    for _ in range(count):
        of.fail(failure)
        found.append(of.next_delay_s())
    return found


def test_a_new_follower_starts_from_the_beginning() -> None:
    assert follower().headers() == {}


def test_after_a_snapshot_it_resumes_from_the_snapshots_cursor() -> None:
    made = follower()
    update = made.take(SNAPSHOT)
    assert update is not None
    assert update.snapshot.steps[0].status == "running"
    assert made.headers() == {"last-event-id": "e:2"}


def test_an_event_updates_the_snapshot_and_moves_the_cursor() -> None:
    made = begun()
    update = made.take(COMPLETED)
    assert update is not None
    assert update.event is not None
    assert (update.event.name, update.snapshot.steps[0].status) == ("step.completed", "completed")
    assert made.headers() == {"last-event-id": "e:3"}


def test_a_duplicate_event_is_dropped() -> None:
    made = begun()
    made.take(COMPLETED)
    assert made.take(COMPLETED) is None


def test_progress_is_yielded_and_does_not_move_the_cursor() -> None:
    made = begun()
    update = made.take(PROGRESS)
    assert update is not None
    assert update.snapshot.steps[0].percent == 40.0
    assert made.headers() == {"last-event-id": "e:2"}


def test_a_reset_drops_the_cursor_until_the_next_snapshot() -> None:
    made = follower("e6:9")
    assert made.take(RESET) is None
    assert made.headers() == {}
    assert made.take(parsed(snapshot_frame(sequence=4))) is not None
    assert made.headers() == {"last-event-id": "e:4"}


def test_a_frame_with_retry_alone_yields_nothing() -> None:
    assert follower().take(parsed(retry_frame(1000))) is None


def test_an_end_frame_ends_it() -> None:
    made = follower()
    made.take(parsed("event: end\ndata: {}\n\n"))
    assert made.has_ended


def test_a_final_refusal_is_raised() -> None:
    for made in (follower(), begun()):
        made.fail(REFUSED)
        with pytest.raises(NotFound, match="no run r1"):
            made.next_delay_s()


def test_until_the_first_frame_it_follows_the_clients_schedule_and_gives_up() -> None:
    made = follower(opening_backoff_s=(1, 2))
    assert delays(made, 2) == [1, 2]
    made.fail(UNAVAILABLE)
    with pytest.raises(Unavailable, match=r"cannot watch run r1: down.*`signalbox watch r1`"):
        made.next_delay_s()


def test_after_the_first_frame_delays_grow_without_an_end() -> None:
    assert delays(begun(), 9) == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]


def test_only_a_new_cursor_resets_the_backoff() -> None:
    made = begun()
    delays(made, 3)
    made.take(PROGRESS)
    made.take(RESET)
    made.take(SNAPSHOT)
    assert delays(made, 1) == [0.8]
    made.take(COMPLETED)
    assert delays(made, 1) == [0.1]


def test_put_off_for_twelve_seconds_it_connects_twice_in_fifteen() -> None:
    made, at = begun(), [0.0]
    while at[-1] < 15:
        made.take(parsed(retry_frame(12_000)))
        at.append(at[-1] + made.next_delay_s())
    assert at == [0, 12, 24]


def test_retry_after_is_respected_and_never_a_busy_loop() -> None:
    asked = RequestFailure(error=Unavailable("down"), retry_after_s=7)
    assert delays(begun(), 2, asked) == [7, 7]
    at_once = RequestFailure(error=Unavailable("down"), retry_after_s=0)
    assert delays(begun(), 3, at_once) == [0.1, 0.2, 0.4]


def test_a_foreign_page_is_retried_for_half_a_minute() -> None:
    made = begun()
    assert 30 < sum(delays(made, 12, FOREIGN)) < 60
    made.fail(FOREIGN)
    with pytest.raises(Unavailable, match="cannot watch run r1: 404 of a proxy"):
        made.next_delay_s()


@pytest.mark.parametrize(
    ("status", "media_type", "error", "is_final", "is_foreign"),
    [
        pytest.param(404, "application/problem+json", NotFound, True, False, id="404 problem"),
        pytest.param(403, "application/problem+json; v=1", Forbidden, True, False, id="403 problem"),
        pytest.param(503, "application/problem+json", Unavailable, False, False, id="503 problem"),
        pytest.param(429, "application/problem+json", RateLimited, False, False, id="429 problem"),
        pytest.param(404, "text/html", Unavailable, False, True, id="404 page"),
        pytest.param(403, "application/json", Unavailable, False, True, id="403 JSON"),
        pytest.param(408, "text/html", Unavailable, False, False, id="408 page"),
        pytest.param(429, "text/html", RateLimited, False, False, id="429 page"),
        pytest.param(502, "text/html", Unavailable, False, False, id="502 page"),
    ],
)
def test_only_a_problem_of_the_gateway_is_final(
    status: int, media_type: str, error: type[SignalboxError], is_final: bool, is_foreign: bool
) -> None:
    response = httpx2.Response(status, headers={"content-type": media_type}, content=b'{"detail": "why"}')
    failure = response_failure(URL, response)
    assert (type(failure.error), failure.is_final, failure.is_foreign) == (error, is_final, is_foreign)


@pytest.mark.parametrize(
    ("server_delay_s", "jitter", "expected"),
    [(None, 0, 2), (None, 1, 2.5), (12, 0, 12), (12, 1, 15), (0, 1, 0), (86_400, 0, 300)],
)
def test_jitter_lengthens_a_delay_and_never_shortens_it(
    server_delay_s: float | None, jitter: float, expected: float
) -> None:
    assert retry_delay_s(2, server_delay_s, jitter) == expected
