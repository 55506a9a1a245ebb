"""Following a run: from the frames of its stream to the run's state, across lost connections. Pure; the clients do the reading."""

from datetime import datetime
from typing import Final

import httpx2
import msgspec
from msgspec import Struct

from signalbox_client.models import Run, snapshot_of
from signalbox_client.problems import error_of
from signalbox_core.errors import Unavailable
from signalbox_core.events import CloudEvent, Snapshot, fold
from signalbox_core.events.catalogue import short_name
from signalbox_core.events.snapshot import ENDED

_FIRST_PAUSE_S: Final = 0.1
_MAX_PAUSE_S: Final = 5.0


class StreamEvent(Struct, frozen=True, kw_only=True):
    """One event as the stream gives it. `sequence` is None for progress, which is shown and not kept."""

    id: str
    type: str
    time: datetime
    runid: str
    data: msgspec.Raw
    sequence: int | None = None
    stepid: str | None = None
    attempt: int | None = None

    @property
    def name(self) -> str:
        return short_name(self.type)


class Update(Struct, frozen=True, kw_only=True):
    """The run after one frame; `event` is None when the frame was a snapshot."""

    snapshot: Snapshot
    event: StreamEvent | None = None

    @property
    def has_ended(self) -> bool:
        return self.snapshot.status in ENDED


class Follower:
    """The state of following one run: where to resume, what is known, whether it is over."""

    def __init__(self, run_id: str, last_event_id: str | None = None) -> None:
        self._snapshot = Snapshot(run_id=run_id, tenant="")
        self._cursor = last_event_id
        self._failures = 0
        self.has_begun = False
        self.has_ended = False

    def headers(self) -> dict[str, str]:
        """What the next connection sends."""
        return {"last-event-id": self._cursor} if self._cursor else {}

    def take(self, frame: httpx2.ServerSentEvent) -> Update | None:
        """Fold one frame in; None when it changes nothing that a watcher sees."""
        self._failures = 0
        self.has_begun = True
        if frame.event == "snapshot":
            return self._restart(frame.data)
        if frame.event == "reset":
            self._cursor = None
        elif frame.event == "end":
            self.has_ended = True
        elif frame.event == "message" and frame.data:
            return self._advance(frame)
        return None

    def refused(self, status: int, body: bytes) -> None:
        """Instead of frames there was another answer: 204 says that the run is over, some refusals pass, others are raised."""
        if status == 204:
            self.has_ended = True
            return
        error = error_of(status, body)
        if not isinstance(error, Unavailable) or not self.has_begun:
            raise error

    def pause_s(self) -> float:
        """How long to wait before connecting again: 0.1, 0.2, 0.4 … 5 seconds in a row."""
        self._failures += 1
        return float(min(_MAX_PAUSE_S, _FIRST_PAUSE_S * 2 ** (self._failures - 1)))

    def _restart(self, data: str) -> Update:
        run = msgspec.json.decode(data, type=Run)
        self._snapshot = snapshot_of(run)
        if run.epoch:
            self._cursor = f"{run.epoch}:{run.sequence}"
        return Update(snapshot=self._snapshot)

    def _advance(self, frame: httpx2.ServerSentEvent) -> Update | None:
        event = msgspec.json.decode(frame.data, type=StreamEvent)
        if event.sequence is not None:
            if event.sequence <= self._snapshot.sequence:
                return None
            self._cursor = frame.id
        self._snapshot = fold(self._snapshot, _cloud_event(event))
        return Update(snapshot=self._snapshot, event=event)


def _cloud_event(event: StreamEvent) -> CloudEvent:
    return CloudEvent(
        id=event.id,
        source="",
        type=event.type,
        time=event.time,
        subject=event.runid,
        tenantid="",
        runid=event.runid,
        data=event.data,
        sequence=event.sequence,
        stepid=event.stepid,
        attempt=event.attempt,
    )
