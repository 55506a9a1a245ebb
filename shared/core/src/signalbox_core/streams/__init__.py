"""The run's log in Redis: an ordered stream, its snapshot, its live channel, the tenant's inbox of approvals."""

from signalbox_core.streams.channels import Channels, RedisChannels
from signalbox_core.streams.keys import tenant_news
from signalbox_core.streams.redis_stream import RedisRunStream
from signalbox_core.streams.run_stream import (
    INBOX_CHANGED,
    RUN_APPEARED,
    Cursor,
    Frame,
    Gap,
    History,
    InboxItem,
    Outcome,
    Projected,
    RunStream,
)

__all__ = [
    "INBOX_CHANGED",
    "RUN_APPEARED",
    "Channels",
    "Cursor",
    "Frame",
    "Gap",
    "History",
    "InboxItem",
    "Outcome",
    "Projected",
    "RedisChannels",
    "RedisRunStream",
    "RunStream",
    "tenant_news",
]
