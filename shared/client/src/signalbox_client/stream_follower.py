"""Following a run: folds stream frames into a snapshot, across reconnects. Pure; the clients do the I/O."""

import random
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import httpx2
import msgspec
from msgspec import Struct

from signalbox_client.models import Run
from signalbox_client.retry import MAX_SERVER_DELAY_S, RequestFailure, retry_delay_s
from signalbox_client.wire.http_options import BACKOFF_S
from signalbox_client.wire.snapshots import snapshot_of
from signalbox_core.errors import Unavailable
from signalbox_core.events import CloudEvent, Snapshot, fold
from signalbox_core.events.catalogue import short_name
from signalbox_core.events.snapshot import ENDED

_MIN_BACKOFF_S: Final = 0.1
_MAX_BACKOFF_S: Final = 5.0
_MAX_DOUBLINGS: Final = 6
# About 35 seconds of backoff: long enough for a proxy to be reconfigured or restarted.
_MAX_FOREIGN_ATTEMPTS: Final = 12


class StreamEvent(Struct, frozen=True, kw_only=True):
    """One event of the stream. `sequence` is None for progress events, which are not stored."""

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
    """The state of following one run: the cursor, the snapshot, and the retries since the last progress.

    Before the first frame, retries follow `opening_backoff_s` and then stop. After it they continue until the
    run has ended or the gateway refuses; a 4xx of a proxy ends them after about 35 seconds without progress.
    Only a frame that moves the cursor is progress and resets the backoff.
    """

    def __init__(
        self,
        run_id: str,
        last_event_id: str | None = None,
        *,
        opening_backoff_s: Sequence[float] = BACKOFF_S,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._run_id = run_id
        self._snapshot = Snapshot(run_id=run_id, tenant="")
        self._cursor = self._last_cursor = last_event_id
        self._opening_backoff_s = opening_backoff_s
        self._jitter = jitter
        self._attempts = 0
        self._stream_retry_s = 0.0
        self._failure: RequestFailure | None = None
        self._has_begun = False
        self.has_ended = False

    def headers(self) -> dict[str, str]:
        """The request headers of the next connection."""
        return {"last-event-id": self._cursor} if self._cursor else {}

    def take(self, frame: httpx2.ServerSentEvent) -> Update | None:
        """Apply one frame; None when it changes nothing that a watcher sees."""
        self._has_begun = True
        if frame.retry is not None:
            self._stream_retry_s = min(frame.retry / 1000, MAX_SERVER_DELAY_S)
        if frame.event == "snapshot":
            return self._apply_snapshot(frame.data)
        if frame.event == "reset":
            self._cursor = None
        elif frame.event == "end":
            self.has_ended = True
        elif frame.event == "message" and frame.data:
            return self._apply_event(frame)
        return None

    def fail(self, failure: RequestFailure) -> None:
        """Note why the connection failed, for the next call of `next_delay_s`."""
        self._failure = failure

    def next_delay_s(self) -> float:
        """Seconds to wait before connecting again, after a connection that failed or was closed.

        Never less than the stream's `retry:` value, or the `Retry-After` of a refusal.

        Raises:
            SignalboxError: the gateway refused, or the retries are used up.
        """
        failure, self._failure = self._failure, None
        if failure is not None and failure.is_final:
            raise failure.error
        if self._must_give_up(failure):
            raise self._last_error(failure)
        backoff_s = max(self._stream_retry_s, self._backoff_s())
        retry_after_s = failure.retry_after_s if failure else None
        if self._has_begun and retry_after_s is not None:
            # These retries have no limit, so `Retry-After: 0` must not make them a busy loop.
            retry_after_s = max(retry_after_s, backoff_s)
        self._attempts += 1
        return retry_delay_s(backoff_s, retry_after_s, self._jitter())

    def _must_give_up(self, failure: RequestFailure | None) -> bool:
        if not self._has_begun:
            return self._attempts >= len(self._opening_backoff_s)
        return failure is not None and failure.is_foreign and self._attempts >= _MAX_FOREIGN_ATTEMPTS

    def _backoff_s(self) -> float:
        if not self._has_begun:
            return self._opening_backoff_s[self._attempts]
        return float(min(_MAX_BACKOFF_S, _MIN_BACKOFF_S * 2 ** min(self._attempts, _MAX_DOUBLINGS)))

    def _last_error(self, failure: RequestFailure | None) -> Unavailable:
        cause = failure.error if failure else None
        reason = cause.detail if cause else "the stream was closed before its first frame"
        error = Unavailable(
            f"cannot watch run {self._run_id}: {reason}."
            f" The run itself is not affected; `signalbox watch {self._run_id}` watches it again",
            field=cause.field if cause else None,
            code=cause.stable_code if cause else None,
        )
        error.__cause__ = cause
        return error

    def _apply_snapshot(self, data: str) -> Update:
        run = msgspec.json.decode(data, type=Run)
        self._snapshot = snapshot_of(run)
        if run.epoch:
            self._move_cursor(f"{run.epoch}:{run.sequence}")
        return Update(snapshot=self._snapshot)

    def _apply_event(self, frame: httpx2.ServerSentEvent) -> Update | None:
        event = msgspec.json.decode(frame.data, type=StreamEvent)
        if event.sequence is not None:
            if event.sequence <= self._snapshot.sequence:
                return None
            self._move_cursor(frame.id)
        self._snapshot = fold(self._snapshot, _cloud_event(event))
        return Update(snapshot=self._snapshot, event=event)

    def _move_cursor(self, cursor: str) -> None:
        """A snapshot at the same place as before a reset is not progress."""
        if cursor != self._last_cursor:
            self._attempts = 0
        self._cursor = self._last_cursor = cursor


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
