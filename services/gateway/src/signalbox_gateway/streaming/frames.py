"""Server-sent events as bytes. Each event is encoded once per process; listeners share the bytes."""

from typing import Final

import msgspec
from sse_starlette import ServerSentEvent

from signalbox_core.streams import Cursor, Frame

# Scripts cannot see comments: a browser detects a silent connection by the event.
HEARTBEAT: Final = b": \r\n\r\nevent: ping\r\ndata: {}\r\n\r\n"


class EncodedFrame(msgspec.Struct, frozen=True, kw_only=True):
    """A frame encoded as a server-sent event; immutable and shared by all listeners.

    Attributes:
        key: of the stream that the frame belongs to.
        body: the event without an id, for streams of several runs, which use composite ids.
        with_id: the event as the stream of a single run sends it.
        cursor: the position after the frame; None for a frame that is not in the log.
    """

    key: str
    frame: Frame
    body: bytes
    with_id: bytes
    cursor: Cursor | None


def encode_frame(key: str, frame: Frame) -> EncodedFrame:
    """Encode a frame without an `event` field, for `onmessage`; only a frame of the log has an id."""
    body = ServerSentEvent(frame.data.decode()).encode()
    cursor = None if frame.sequence is None else Cursor(frame.epoch, frame.sequence)
    with_id = body if cursor is None else id_line(str(cursor)) + body
    return EncodedFrame(key=key, frame=frame, body=body, with_id=with_id, cursor=cursor)


def ping_event() -> ServerSentEvent:
    """The heartbeat of the streams that sse-starlette serves: a comment and the event `ping`."""
    return ServerSentEvent("{}", event="ping", comment="")


def id_line(cursor: str) -> bytes:
    return f"id: {cursor}\r\n".encode()


def retry(milliseconds: int) -> bytes:
    return ServerSentEvent(retry=milliseconds).encode()


def comment(text: str) -> bytes:
    """A line for people who read the stream; clients ignore it."""
    return f": {text}\r\n\r\n".encode()


def snapshot_event(data: bytes) -> bytes:
    return ServerSentEvent(data.decode(), event="snapshot").encode()


def reset_event(run_id: str) -> bytes:
    """The client must discard its state of the run; a snapshot follows."""
    return _named_event("reset", _RunReference(runid=run_id))


def end_event(run_id: str) -> bytes:
    """The run has ended and no more events follow."""
    return _named_event("end", _RunReference(runid=run_id))


def denied_event(run_id: str) -> bytes:
    """The run is unknown or belongs to another tenant; the other runs of the stream continue."""
    return _named_event("denied", _DeniedRun(runid=run_id))


def runs_event(runs: tuple[str, ...], *, is_partial: bool) -> bytes:
    """The runs in a tenant's stream; a snapshot of each follows."""
    return _named_event("runs", _RunList(runs=runs, partial=is_partial))


def presence_event(data: bytes) -> bytes:
    """The viewers of one question, after they have changed."""
    return ServerSentEvent(data.decode(), event="presence").encode()


class _RunList(msgspec.Struct, frozen=True, kw_only=True):
    runs: tuple[str, ...]
    partial: bool


class _RunReference(msgspec.Struct, frozen=True, kw_only=True):
    runid: str


class _DeniedRun(msgspec.Struct, frozen=True, kw_only=True):
    runid: str
    code: str = "unknown_run"


def _named_event(name: str, data: msgspec.Struct) -> bytes:
    return ServerSentEvent(msgspec.json.encode(data).decode(), event=name).encode()
