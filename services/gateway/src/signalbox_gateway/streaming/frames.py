"""Server-sent events as bytes. Each event is encoded once per process; listeners share the bytes."""

from typing import Final

import msgspec
from sse_starlette import ServerSentEvent

from signalbox_core.streams import Cursor, Frame

HEARTBEAT: Final = b": \r\n\r\n"


class Packet(msgspec.Struct, frozen=True, kw_only=True):
    """A frame ready to be sent.

    Attributes:
        body: the event without its id, for streams of several runs, whose ids are their own.
        wire: the event as the stream of one run sends it.
        cursor: the place after it; None of what is not kept.
    """

    run_id: str
    frame: Frame
    body: bytes
    wire: bytes
    cursor: Cursor | None


def packet(run_id: str, frame: Frame) -> Packet:
    """Encode a frame. It has no event field, so `onmessage` sees it; what is not kept has no id."""
    body = ServerSentEvent(frame.data.decode()).encode()
    cursor = None if frame.sequence is None else Cursor(frame.epoch, frame.sequence)
    wire = body if cursor is None else id_line(str(cursor)) + body
    return Packet(run_id=run_id, frame=frame, body=body, wire=wire, cursor=cursor)


def id_line(cursor: str) -> bytes:
    return f"id: {cursor}\r\n".encode()


def retry(milliseconds: int) -> bytes:
    return ServerSentEvent(retry=milliseconds).encode()


def snapshot_event(data: bytes) -> bytes:
    return ServerSentEvent(data.decode(), event="snapshot").encode()


def reset_event(run_id: str) -> bytes:
    """Forget what you have of this run: a snapshot follows."""
    return _named("reset", _OfRun(runid=run_id))


def end_event(run_id: str) -> bytes:
    """Nothing more will come of this run."""
    return _named("end", _OfRun(runid=run_id))


def denied_event(run_id: str) -> bytes:
    """This run is unknown or not yours; the others of the stream go on."""
    return _named("denied", _Denied(runid=run_id))


def runs_event(runs: tuple[str, ...], *, is_partial: bool) -> bytes:
    """The runs that a tenant's feed shows; the snapshot of each follows."""
    return _named("runs", _Runs(runs=runs, partial=is_partial))


class _Runs(msgspec.Struct, frozen=True, kw_only=True):
    runs: tuple[str, ...]
    partial: bool


class _OfRun(msgspec.Struct, frozen=True, kw_only=True):
    runid: str


class _Denied(msgspec.Struct, frozen=True, kw_only=True):
    runid: str
    code: str = "unknown_run"


def _named(name: str, data: msgspec.Struct) -> bytes:
    return ServerSentEvent(msgspec.json.encode(data).decode(), event=name).encode()
