"""Which runs a tenant's feed shows: those that are open when it begins, and every one that appears while it is read."""

from typing import Final

import msgspec

from signalbox_core.streams import RUN_APPEARED, tenant_channel
from signalbox_gateway.streaming import frames
from signalbox_gateway.streaming.cursor import Feed
from signalbox_gateway.streaming.frames import Packet
from signalbox_gateway.streaming.hub import Hub
from signalbox_gateway.streaming.listener import Listener

MAX_RUNS: Final = 500


class _Appeared(msgspec.Struct, frozen=True):
    runid: str


class Roster:
    """The feeds of one tenant's listener; `topic` is what its news are heard under."""

    def __init__(self, hub: Hub, listener: Listener, tenant: str) -> None:
        self.topic = tenant_channel(tenant)
        self.feeds: dict[str, Feed] = {}
        self._tenant = tenant
        self._hub = hub
        self._listener = listener
        self._is_full = False

    async def read(self) -> bytes:
        """Take the open runs in; the frame that names them, as what it does not name is over or beyond the limit.

        Raises:
            Unavailable: the store is away.
        """
        found = await self._hub.open_runs(self._tenant, MAX_RUNS + 1)
        self._is_full = len(found) > MAX_RUNS
        for run_id in found[:MAX_RUNS]:
            self._take_in(run_id)
        return frames.runs_event(tuple(self.feeds), is_partial=self._is_full)

    def hear(self, packet: Packet) -> bytes:
        """Take in a run that appeared; a frame to send, when it is one too many for the first time."""
        if packet.frame.name != RUN_APPEARED:
            return b""
        run_id = msgspec.json.decode(packet.frame.data, type=_Appeared).runid
        if run_id in self.feeds or len(self.feeds) < MAX_RUNS:
            self._take_in(run_id)
            return b""
        was_full, self._is_full = self._is_full, True
        return b"" if was_full else frames.runs_event(tuple(self.feeds), is_partial=True)

    def part(self, run_id: str) -> None:
        """The run has ended: nothing more comes of it."""
        self.feeds.pop(run_id, None)
        self._hub.unwatch(self._listener, run_id)

    def _take_in(self, run_id: str) -> None:
        if run_id not in self.feeds:
            self.feeds[run_id] = Feed(run_id, None)
            self._hub.watch(self._listener, run_id)
