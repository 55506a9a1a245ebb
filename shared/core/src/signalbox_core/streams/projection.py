"""From the newest event of each sort to the run's snapshot. Pure; the same for the store and its fake."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec.structs import replace

from signalbox_core.events import EventFrame, Snapshot, assemble

BASE: Final = "base"
"""The field with the snapshot from which a rebuilt stream continues; an event's field has a slash."""


_event_decoder: Final = msgspec.json.Decoder(EventFrame)
_snapshot_decoder: Final = msgspec.json.Decoder(Snapshot)


def project(run_id: str, tenant: str, newest: Mapping[str, bytes], top: int) -> Snapshot:
    """Assemble the newest events over the base.

    Args:
        newest: the snapshot hash; values are frame data.
        top: the stream's newest sequence, which may be an event that no snapshot shows.
    """
    base = newest.get(BASE)
    snapshot = _snapshot_decoder.decode(base) if base else Snapshot(run_id=run_id, tenant=tenant)
    stored = (_event_decoder.decode(data) for field, data in newest.items() if field != BASE)
    snapshot = assemble(snapshot, (event.to_cloud_event(tenant) for event in stored))
    return replace(snapshot, sequence=max(top, snapshot.sequence))
