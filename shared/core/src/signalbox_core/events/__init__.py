"""CloudEvents: the envelope, the catalogue of event types, and the snapshot that a run's events fold into."""

from signalbox_core.events.catalogue import (
    CATALOGUE,
    MAX_SAFE_INTEGER,
    EventKind,
    EventType,
    full_type,
    short_name,
)
from signalbox_core.events.envelope import (
    MAX_EVENT_BYTES,
    CloudEvent,
    EventFrame,
    decode_event,
    encode_event,
    frame_data,
)
from signalbox_core.events.snapshot import Snapshot, assemble, fold, snapshot_key

__all__ = [
    "CATALOGUE",
    "MAX_EVENT_BYTES",
    "MAX_SAFE_INTEGER",
    "CloudEvent",
    "EventFrame",
    "EventKind",
    "EventType",
    "Snapshot",
    "assemble",
    "decode_event",
    "encode_event",
    "fold",
    "frame_data",
    "full_type",
    "short_name",
    "snapshot_key",
]
