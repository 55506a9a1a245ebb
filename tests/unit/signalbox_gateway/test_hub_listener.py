"""Bounds on a slow listener, and its fallback to the log."""

import asyncio

import pytest
from starlette.types import Message

from signalbox_core.streams import Frame
from signalbox_gateway.streaming import frames
from signalbox_gateway.streaming.listener import MAX_BUFFERED_BYTES, MAX_BUFFERED_FRAMES, Listener
from signalbox_gateway.streaming.transport import SseTransport


def encoded(sequence: int, size: int = 10) -> frames.EncodedFrame:
    return frames.encode_frame(
        "run-1", Frame(epoch="aa", sequence=sequence, name="x.y", data=b"x" * size, terminal=False)
    )


async def test_a_full_buffer_is_cleared_and_its_runs_are_read_again() -> None:
    listener = Listener(["run-1", "run-2"], now=0, closes_at=9)
    for sequence in range(MAX_BUFFERED_FRAMES):
        listener.offer(encoded(sequence))
    assert listener.behind == set()
    listener.offer(encoded(MAX_BUFFERED_FRAMES))
    assert listener.behind == {"run-1", "run-2"}
    assert [item.frame.sequence for item in listener.take_buffered()] == [MAX_BUFFERED_FRAMES]


async def test_the_buffer_is_bounded_in_bytes_too() -> None:
    listener = Listener(["run-1"], now=0, closes_at=9)
    for sequence in range(10):
        listener.offer(encoded(sequence, MAX_BUFFERED_BYTES // 4))
    assert sum(len(item.body) for item in listener.take_buffered()) <= MAX_BUFFERED_BYTES
    assert listener.behind == {"run-1"}


async def test_one_frame_larger_than_the_buffer_still_goes_through() -> None:
    listener = Listener(["run-1"], now=0, closes_at=9)
    listener.offer(encoded(1, MAX_BUFFERED_BYTES * 2))
    assert len(listener.take_buffered()) == 1
    assert listener.behind == set()


async def test_a_frame_is_encoded_once_for_all_listeners() -> None:
    shared = encoded(7)
    assert shared.with_id == b"id: aa:7\r\ndata: xxxxxxxxxx\r\n\r\n"
    assert shared.body == b"data: xxxxxxxxxx\r\n\r\n"


async def test_frames_stay_in_order_under_backpressure() -> None:
    """`send_nowait` steps the server's `send` up to its first suspension; `drain` completes it."""
    free, taken = asyncio.Event(), list[bytes]()

    async def send(message: Message) -> None:
        taken.append(message["body"])
        await free.wait()

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    transport = SseTransport(receive, send, Listener(["run-1"], now=0, closes_at=9))
    transport.send_nowait(b"one")
    assert (taken, transport.is_blocked) == ([b"one"], True)
    draining = asyncio.ensure_future(transport.drain())
    await asyncio.sleep(0)
    assert not draining.done()
    free.set()
    await draining
    transport.send_nowait(b"two")
    assert (taken, transport.is_blocked) == ([b"one", b"two"], False)


@pytest.mark.parametrize(
    "error", [ConnectionResetError(), RuntimeError("response already completed")], ids=["gone", "broken"]
)
async def test_a_failed_connection_ends_only_its_own_listener(error: Exception) -> None:
    async def send(_message: Message) -> None:
        raise error

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    listener = Listener(["run-1"], now=0, closes_at=9)
    SseTransport(receive, send, listener).send_nowait(b"one")
    assert listener.is_disconnected
