"""A run's stream in Redis: its log, snapshot and live channel, and the tenant's inbox of approvals."""

from signalbox_core.streams.channels import Channels, RedisChannels
from signalbox_core.streams.keys import tenant_channel
from signalbox_core.streams.redis_stream import RedisRunStream
from signalbox_core.streams.run_stream import (
    INBOX_CHANGED,
    MAX_DECIDED,
    PRESENCE_CHANGED,
    RUN_APPEARED,
    AppendOutcome,
    Cursor,
    DecidedItem,
    Frame,
    Gap,
    History,
    InboxItem,
    InboxPage,
    InboxPosition,
    ProjectedSnapshot,
    RunStream,
)

__all__ = [
    "INBOX_CHANGED",
    "MAX_DECIDED",
    "PRESENCE_CHANGED",
    "RUN_APPEARED",
    "AppendOutcome",
    "Channels",
    "Cursor",
    "DecidedItem",
    "Frame",
    "Gap",
    "History",
    "InboxItem",
    "InboxPage",
    "InboxPosition",
    "ProjectedSnapshot",
    "RedisChannels",
    "RedisRunStream",
    "RunStream",
    "tenant_channel",
]
