"""What a subscriber tells the server: acknowledgements and lease changes, gathered into as few requests as possible."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final, TypeVar

from google.pubsub_v1.types import StreamingPullRequest

PING_EVERY_S: Final = 20.0
V = TypeVar("V")

# A request may have 512 KiB; Google's acknowledgement ids have about 180 bytes.
_MAX_IDS: Final = 1_000


class Outgoing:
    """Outlives a stream: what could not be sent on one goes out on the next. Bounded by the messages in hand."""

    def __init__(self) -> None:
        self._acks: dict[str, None] = {}
        self._deadlines: dict[str, int] = {}
        self._due = asyncio.Event()

    def acknowledge(self, ack_id: str) -> None:
        self._deadlines.pop(ack_id, None)
        self._acks[ack_id] = None
        self._due.set()

    def set_deadline(self, ack_id: str, seconds: int) -> None:
        """Extend a lease, or give the message back with zero seconds."""
        self._deadlines[ack_id] = seconds
        self._due.set()

    async def requests(self, first: StreamingPullRequest) -> AsyncIterator[StreamingPullRequest]:
        """The request side of one stream. An empty request is a ping; the first one at once, so its answer shows the stream is up."""
        yield first
        yield StreamingPullRequest()
        while True:
            try:
                async with asyncio.timeout(PING_EVERY_S):
                    await self._due.wait()
            except TimeoutError:
                yield StreamingPullRequest()
            while request := self.next_request():
                yield request
            self._due.clear()

    def next_request(self) -> StreamingPullRequest | None:
        """What is due now, at most one request's worth."""
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
