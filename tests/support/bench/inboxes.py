"""An inbox of many pending approvals in Redis, without the runs behind it."""

from datetime import UTC, datetime, timedelta
from typing import Final

from redis.asyncio import Redis

from signalbox_core.ids import run_key
from signalbox_core.streams import InboxItem
from signalbox_core.streams.inbox_index import add_entry
from signalbox_core.streams.keys import RunKeys

_PER_RUN: Final = 100
_START: Final = datetime(2026, 1, 1, tzinfo=UTC)


async def fill_inbox(redis: Redis, tenant: str, count: int) -> None:
    """Add pending approvals of a tenant: a hundred per run, a second apart."""
    for start in range(0, count, _PER_RUN):
        key = run_key(tenant, f"run-{start // _PER_RUN}")
        async with redis.pipeline(transaction=False) as pipe:
            pipe.hset(
                RunKeys(key).meta, mapping={"epoch": "e1", "top": "1", "tenant": tenant, "pipeline": "echo"}
            )
            for number in range(start, min(start + _PER_RUN, count)):
                add_entry(pipe, tenant, _item(key, number))
            await pipe.execute()


def _item(key: str, number: int) -> InboxItem:
    return InboxItem(
        run_id=key,
        approval_id=f"publish-{number}",
        title=f"Publish the ads of batch {number}?",
        pipeline="echo",
        requested_at=_START + timedelta(seconds=number),
        deadline_at=_START + timedelta(days=3, seconds=number),
    )
