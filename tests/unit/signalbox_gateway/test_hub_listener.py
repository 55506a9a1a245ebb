"""What a slow listener costs, and that it is told to read again."""

from signalbox_core.streams import Frame
from signalbox_gateway import frames
from signalbox_gateway.listener import MAX_BUFFERED_BYTES, MAX_BUFFERED_FRAMES, Listener


def packet(sequence: int, size: int = 10) -> frames.Packet:
    return frames.packet("run-1", Frame(epoch="aa", sequence=sequence, name="x.y", data=b"x" * size, terminal=False))


async def test_a_full_buffer_is_emptied_and_its_runs_are_read_again() -> None:
    listener = Listener(["run-1", "run-2"], now=0, closes_at=9)
    for sequence in range(MAX_BUFFERED_FRAMES):
        listener.offer(packet(sequence))
    assert listener.behind == set()
    listener.offer(packet(MAX_BUFFERED_FRAMES))
    assert listener.behind == {"run-1", "run-2"}
    assert [item.frame.sequence for item in listener.take()] == [MAX_BUFFERED_FRAMES]


async def test_the_buffer_is_bounded_in_bytes_too() -> None:
    listener = Listener(["run-1"], now=0, closes_at=9)
    for sequence in range(10):
        listener.offer(packet(sequence, MAX_BUFFERED_BYTES // 4))
    assert sum(len(item.body) for item in listener.take()) <= MAX_BUFFERED_BYTES
    assert listener.behind == {"run-1"}


async def test_one_frame_larger_than_the_buffer_still_goes_through() -> None:
    listener = Listener(["run-1"], now=0, closes_at=9)
    listener.offer(packet(1, MAX_BUFFERED_BYTES * 2))
    assert len(listener.take()) == 1
    assert listener.behind == set()


async def test_a_frame_is_encoded_once_for_all_listeners() -> None:
    shared = packet(7)
    assert shared.wire == b"id: aa:7\r\ndata: xxxxxxxxxx\r\n\r\n"
    assert shared.body == b"data: xxxxxxxxxx\r\n\r\n"
