"""The runs of a tenant's stream: those open when it begins, and every run that starts while it is open."""

from typing import Final

import msgspec

from signalbox_core.streams import RUN_APPEARED, tenant_channel
from signalbox_gateway.streaming import frames
from signalbox_gateway.streaming.cursor import RunSubscription
from signalbox_gateway.streaming.frames import EncodedFrame
from signalbox_gateway.streaming.hub import Hub
from signalbox_gateway.streaming.listener import Listener

MAX_RUNS: Final = 500


class _RunAppeared(msgspec.Struct, frozen=True):
    """`runid` is the key of the run's stream."""

    runid: str


class TenantRuns:
    """The run subscriptions of one listener on a tenant's stream.

    Attributes:
        topic: the hub's name for the channel that announces new runs of the tenant.
        subscriptions: by the keys of their streams, at most `MAX_RUNS`.
    """

    def __init__(self, hub: Hub, listener: Listener, tenant: str) -> None:
        self.topic = tenant_channel(tenant)
        self.subscriptions: dict[str, RunSubscription] = {}
        self._tenant = tenant
        self._hub = hub
        self._listener = listener
        self._is_truncated = False

    async def load_open_runs(self) -> bytes:
        """Subscribe to the open runs.

        Returns:
            The `runs` event. A run that it does not list has ended or exceeds the limit.

        Raises:
            Unavailable: the store is unavailable.
        """
        open_runs = await self._hub.open_runs(self._tenant, MAX_RUNS + 1)
        self._is_truncated = len(open_runs) > MAX_RUNS
        for key in open_runs[:MAX_RUNS]:
            self.add(key)
        return frames.runs_event(self._run_ids(), is_partial=self._is_truncated)

    def on_event(self, frame: EncodedFrame) -> bytes:
        """Subscribe to the run that a frame announces.

        Returns:
            A `runs` event when the limit is exceeded for the first time, otherwise nothing.
        """
        if frame.frame.name != RUN_APPEARED:
            return b""
        key = msgspec.json.decode(frame.frame.data, type=_RunAppeared).runid
        if key in self.subscriptions or len(self.subscriptions) < MAX_RUNS:
            self.add(key)
            return b""
        was_truncated, self._is_truncated = self._is_truncated, True
        return b"" if was_truncated else frames.runs_event(self._run_ids(), is_partial=True)

    def remove(self, key: str) -> None:
        """Unsubscribe from a run that has ended."""
        self.subscriptions.pop(key, None)
        self._hub.unwatch(self._listener, key)

    def add(self, key: str) -> None:
        """Subscribe to a run; idempotent."""
        if key not in self.subscriptions:
            self.subscriptions[key] = RunSubscription(key, None)
            self._hub.watch(self._listener, key)

    def _run_ids(self) -> tuple[str, ...]:
        return tuple(subscription.run_id for subscription in self.subscriptions.values())
