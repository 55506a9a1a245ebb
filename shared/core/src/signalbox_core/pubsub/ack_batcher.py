"""Batches a subscriber's acknowledgements and lease changes into as few requests as possible."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final, TypeVar

from google.pubsub_v1.types import StreamingPullRequest

PING_INTERVAL_S: Final = 20.0
V = TypeVar("V")

# A request may have 512 KiB; Google's acknowledgement ids have about 180 bytes.
_MAX_IDS: Final = 1_000


class AckBatcher:
    """Outlives a stream: what one stream could not send is sent on the next.

    Bounded by the messages in flight.
    """

    def __init__(self) -> None:
        self._acks: dict[str, None] = {}
        self._deadlines: dict[str, int] = {}
        self._pending = asyncio.Event()

    def acknowledge(self, ack_id: str) -> None:
        self._deadlines.pop(ack_id, None)
        self._acks[ack_id] = None
        self._pending.set()

    def modify_deadline(self, ack_id: str, seconds: int) -> None:
        """Extend a lease; zero seconds is a negative acknowledgement."""
        self._deadlines[ack_id] = seconds
        self._pending.set()

    async def requests(self, first: StreamingPullRequest) -> AsyncIterator[StreamingPullRequest]:
        """Generate the requests of one stream.

        An empty request is a ping. The first ping follows at once, so that its response confirms the stream.
        """
        yield first
        yield StreamingPullRequest()
        while True:
            try:
                async with asyncio.timeout(PING_INTERVAL_S):
                    await self._pending.wait()
            except TimeoutError:
                yield StreamingPullRequest()
            while request := self.next_request():
                yield request
            self._pending.clear()

    def next_request(self) -> StreamingPullRequest | None:
        """Remove and return what is pending, up to the size of one request; None when nothing is."""
        acks = _take(self._acks)
        deadlines = _take(self._deadlines)
        if not acks and not deadlines:
            return None
        return StreamingPullRequest(
            ack_ids=list(acks),
            modify_deadline_ack_ids=list(deadlines),
            modify_deadline_seconds=list(deadlines.values()),
        )


def _take(pending: dict[str, V]) -> dict[str, V]:
    taken = {ack_id: pending[ack_id] for ack_id in list(pending)[:_MAX_IDS]}
    for ack_id in taken:
        del pending[ack_id]
    return taken
