"""The runs of a tenant's stream: those open when it begins, and every run that starts while it is open."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from signalbox_core.streams import PRESENCE_CHANGED, RUN_APPEARED, Cursor, tenant_channel
from signalbox_gateway.streaming import frames
from signalbox_gateway.streaming.cursor import RunSubscription
from signalbox_gateway.streaming.frames import EncodedFrame
from signalbox_gateway.streaming.hub import Hub
from signalbox_gateway.streaming.listener import Listener
from signalbox_gateway.streaming.tenant_cursor import (
    DELIVERED,
    TRANSIT,
    ResumePlan,
    TenantCursor,
    encode_cursor,
    key_digest,
    plan_resume,
)

MAX_RUNS: Final = 500
_MAX_ENDED: Final = 1_000
# The index of ended runs is written after the terminal event, not atomically with it.
_INDEX_LAG_S: Final = 0.5


class _RunAppeared(msgspec.Struct, frozen=True):
    """`runid` is the key of the run's stream."""

    runid: str


class TenantRuns:
    """The run subscriptions of one listener on a tenant's stream.

    Args:
        included: the runs that the request names; they are followed whether they are open or not.
        resume: the position of the connection that this one continues.

    Attributes:
        topic: the hub's name for the channel that announces new runs of the tenant.
        subscriptions: by the keys of their streams, at most `MAX_RUNS` and the included ones.
    """

    def __init__(
        self,
        hub: Hub,
        listener: Listener,
        tenant: str,
        *,
        included: Sequence[RunSubscription] = (),
        resume: TenantCursor | None = None,
    ) -> None:
        self.topic = tenant_channel(tenant)
        self.subscriptions = {
            subscription.key: subscription for subscription in included if not subscription.has_ended
        }
        self._included = included
        self._tenant = tenant
        self._hub = hub
        self._listener = listener
        self._resume = resume
        self._digests: dict[str, str] = {}
        self._ended: dict[str, datetime] = {}
        self._is_truncated = False

    async def load_open_runs(self) -> bytes:
        """Subscribe to the open runs.

        Returns:
            The `runs` event. A run that it does not list has ended or exceeds the limit. Nothing when the
            stream was resumed without a loss.

        Raises:
            Unavailable: the store is unavailable.
        """
        if self._resume is not None:
            plan = await self._plan_resume(self._resume)
            self._ended.update(
                (digest, self._resume.written_at)
                for digest, position in self._resume.positions.items()
                if position == DELIVERED
            )
            self._resume = None
            for subscription in plan.subscriptions[:MAX_RUNS]:
                self._follow(subscription)
            self._is_truncated = len(plan.subscriptions) > MAX_RUNS
            return b"" if plan.is_complete and not self._is_truncated else self._runs_event()
        open_runs = await self._hub.open_runs(self._tenant, MAX_RUNS + 1)
        self._is_truncated = len(open_runs) > MAX_RUNS
        for key in open_runs[:MAX_RUNS]:
            self.add(key)
        # Runs that ended before the stream began are not news after a reconnect.
        for key, ended_at in (await self._hub.ended_runs(self._tenant, _MAX_ENDED)).items():
            if key not in self.subscriptions:
                self._ended.setdefault(key_digest(key), ended_at)
        return self._runs_event()

    def on_event(self, frame: EncodedFrame) -> bytes:
        """Subscribe to the run that a frame announces.

        Returns:
            The `presence` event of a frame with one; a `runs` event when the limit is exceeded for the first
            time; otherwise nothing.
        """
        if frame.frame.name == PRESENCE_CHANGED:
            return frames.presence_event(frame.frame.data)
        if frame.frame.name != RUN_APPEARED:
            return b""
        key = msgspec.json.decode(frame.frame.data, type=_RunAppeared).runid
        if key in self.subscriptions or len(self.subscriptions) < MAX_RUNS:
            self._follow(RunSubscription(key, None, include_history=True))
            return b""
        was_truncated, self._is_truncated = self._is_truncated, True
        return b"" if was_truncated else self._runs_event()

    def remove(self, key: str) -> None:
        """Unsubscribe from a run that has ended."""
        self.subscriptions.pop(key, None)
        self._ended[key_digest(key)] = datetime.now(UTC)
        self._digests.pop(key, None)
        self._hub.unwatch(self._listener, key)

    def add(self, key: str) -> None:
        """Subscribe to a run; idempotent."""
        self._follow(RunSubscription(key, None))

    def event_id(self) -> str:
        """The event id that holds the position in every run, for `Last-Event-ID`."""
        now = datetime.now(UTC)
        # A run is announced once; what is older than the transit of its end cannot be mistaken for a new one.
        for digest in [each for each, ended_at in self._ended.items() if now - ended_at > 2 * TRANSIT]:
            del self._ended[digest]
        return encode_cursor(self._included, self._followed(), now)

    def _followed(self) -> Iterator[tuple[str, Cursor | None]]:
        for key, digest in self._digests.items():
            yield digest, self.subscriptions[key].position
        for digest in self._ended:
            yield digest, DELIVERED

    def _follow(self, subscription: RunSubscription) -> None:
        key = subscription.key
        if key not in self.subscriptions:
            self.subscriptions[key] = subscription
            self._digests[key] = key_digest(key)
            # A run that was retried after its end has one position, not a second one for that end.
            self._ended.pop(self._digests[key], None)
            self._hub.watch(self._listener, key)

    async def _plan_resume(self, cursor: TenantCursor) -> ResumePlan:
        plan = await self._read_plan(cursor)
        if plan.is_complete:
            return plan
        await asyncio.sleep(_INDEX_LAG_S)
        return await self._read_plan(cursor)

    async def _read_plan(self, cursor: TenantCursor) -> ResumePlan:
        # In this order: a run that ends between the two reads is in both, not in neither.
        open_runs = await self._hub.open_runs(self._tenant, MAX_RUNS + 1)
        ended_runs = await self._hub.ended_runs(self._tenant, _MAX_ENDED)
        return plan_resume(cursor, open_runs, ended_runs)

    def _runs_event(self) -> bytes:
        runs = tuple(subscription.run_id for subscription in self.subscriptions.values())
        return frames.runs_event(runs, is_partial=self._is_truncated)
