"""Classification of live frames by a listener's position."""

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
    ("position", "live", "action"),
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
            id="the stream was rebuilt",
        ),
        pytest.param(
            HERE,
            frame(None, name="stream.rebuilt"),
            FrameAction.DROP,
            id="the rebuild of its own epoch",
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
def test_the_action_for_a_live_frame(position: Cursor, live: Frame, action: FrameAction) -> None:
    assert classify_frame(position, live) is action


def test_progress_older_than_the_log_is_dropped() -> None:
    buffered = [frames.encode_frame("run-1", item) for item in (frame(None), frame(5), frame(None), frame(6))]
    left = drop_stale(buffered, {"run-1": RunSubscription("run-1", HERE)})
    assert [item.frame.sequence for item in left] == [5, None, 6]


def test_runs_do_not_make_each_other_stale() -> None:
    buffered = [frames.encode_frame("run-2", frame(None)), frames.encode_frame("run-1", frame(5))]
    left = drop_stale(
        buffered, {"run-1": RunSubscription("run-1", HERE), "run-2": RunSubscription("run-2", HERE)}
    )
    assert [item.key for item in left] == ["run-2", "run-1"]


def test_an_id_restores_the_position_of_every_run() -> None:
    subscriptions = [
        RunSubscription("a", Cursor("aa", 3)),
        RunSubscription("b", None),
        RunSubscription("c", Cursor("cc", 0)),
        RunSubscription("d", NO_STREAM),
    ]
    text = event_id(subscriptions)
    assert text == "aa:3,-,cc:0,-"
    assert [subscription.position for subscription in parse_subscriptions(("a", "b", "c", "d"), text)] == [
        Cursor("aa", 3),
        None,
        Cursor("cc", 0),
        None,
    ]


@pytest.mark.parametrize(
    "text", ["aa:3", "aa:3,bb:1,cc:2", "aa:3;bb:1", "aa:03,bb:1", "AA:3,bb:1", ",", "aa:3,"]
)
def test_a_malformed_id_resets_every_run(text: str) -> None:
    subscriptions = parse_subscriptions(("a", "b"), text)
    assert [(subscription.position, subscription.needs_reset) for subscription in subscriptions] == [
        (None, True),
        (None, True),
    ]


def test_without_an_id_there_is_no_reset() -> None:
    (subscription,) = parse_subscriptions(("a",), None)
    assert (subscription.position, subscription.needs_reset) == (None, False)
