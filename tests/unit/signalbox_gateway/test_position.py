"""What a live frame means to a listener, by where it stands."""

import pytest

from signalbox_core.streams import Cursor, Frame
from signalbox_gateway.streaming import frames
from signalbox_gateway.streaming.cursor import (
    NO_STREAM,
    FrameAction,
    RunSubscription,
    classify_frame,
    drop_stale,
    event_id,
    parse_subscriptions,
)

HERE = Cursor("aa", 5)


def frame(
    sequence: int | None, *, epoch: str = "aa", name: str = "step.started", terminal: bool = False
) -> Frame:
    return Frame(epoch=epoch, sequence=sequence, name=name, data=b"{}", terminal=terminal)


@pytest.mark.parametrize(
    ("position", "live", "verdict"),
    [
        pytest.param(HERE, frame(6), FrameAction.SEND, id="the next one"),
        pytest.param(HERE, frame(5), FrameAction.DROP, id="the last one again"),
        pytest.param(HERE, frame(1), FrameAction.DROP, id="an old one again"),
        pytest.param(HERE, frame(8), FrameAction.REREAD, id="a later one: some are missing"),
        pytest.param(HERE, frame(None), FrameAction.SEND, id="progress"),
        pytest.param(HERE, frame(6, epoch="bb"), FrameAction.RESET, id="another epoch"),
        pytest.param(HERE, frame(None, epoch="bb"), FrameAction.RESET, id="progress of another epoch"),
        pytest.param(
            HERE,
            frame(None, epoch="bb", name="stream.rebuilt"),
            FrameAction.RESET,
            id="told that it was rebuilt",
        ),
        pytest.param(
            HERE,
            frame(None, name="stream.rebuilt"),
            FrameAction.DROP,
            id="told of the rebuilding that it stands on",
        ),
        pytest.param(
            HERE, frame(4, terminal=True), FrameAction.RESET, id="the end, before where the snapshot stands"
        ),
        pytest.param(HERE, frame(6, terminal=True), FrameAction.SEND, id="the end"),
        pytest.param(
            NO_STREAM, frame(None, epoch=""), FrameAction.SEND, id="progress of a run without a stream"
        ),
        pytest.param(NO_STREAM, frame(1), FrameAction.REREAD, id="the first of a new stream"),
        pytest.param(
            Cursor("", 4), frame(5), FrameAction.REREAD, id="the stream of a run that Temporal described"
        ),
    ],
)
def test_the_verdict_on_a_live_frame(position: Cursor, live: Frame, verdict: FrameAction) -> None:
    assert classify_frame(position, live) is verdict


def test_progress_from_before_what_the_log_gave_is_dropped() -> None:
    buffered = [frames.encode_frame("run-1", item) for item in (frame(None), frame(5), frame(None), frame(6))]
    left = drop_stale(buffered, {"run-1": RunSubscription("run-1", HERE)})
    assert [item.frame.sequence for item in left] == [5, None, 6]


def test_runs_do_not_make_each_other_stale() -> None:
    buffered = [frames.encode_frame("run-2", frame(None)), frames.encode_frame("run-1", frame(5))]
    left = drop_stale(
        buffered, {"run-1": RunSubscription("run-1", HERE), "run-2": RunSubscription("run-2", HERE)}
    )
    assert [item.run_id for item in left] == ["run-2", "run-1"]


def test_an_id_leads_every_run_back_to_its_place() -> None:
    feeds = [
        RunSubscription("a", Cursor("aa", 3)),
        RunSubscription("b", None),
        RunSubscription("c", Cursor("cc", 0)),
        RunSubscription("d", NO_STREAM),
    ]
    text = event_id(feeds)
    assert text == "aa:3,-,cc:0,-"
    assert [feed.position for feed in parse_subscriptions(("a", "b", "c", "d"), text)] == [
        Cursor("aa", 3),
        None,
        Cursor("cc", 0),
        None,
    ]


@pytest.mark.parametrize(
    "text", ["aa:3", "aa:3,bb:1,cc:2", "aa:3;bb:1", "aa:03,bb:1", "AA:3,bb:1", ",", "aa:3,"]
)
def test_an_id_of_another_stream_is_lost_for_every_run(text: str) -> None:
    feeds = parse_subscriptions(("a", "b"), text)
    assert [(feed.position, feed.needs_reset) for feed in feeds] == [(None, True), (None, True)]


def test_without_an_id_there_is_nothing_to_forget() -> None:
    (feed,) = parse_subscriptions(("a",), None)
    assert (feed.position, feed.needs_reset) == (None, False)
