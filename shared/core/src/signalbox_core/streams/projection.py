"""From the newest event of each sort to the run's snapshot. Pure; the same for the store and its fake."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec
from msgspec.structs import replace

from signalbox_core.events import CloudEvent, Snapshot, assemble

BASE: Final = "base"
"""The field that holds the snapshot from which a rebuilt stream goes on; an event's field has a slash."""


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    type: str
    time: datetime
    runid: str
    data: msgspec.Raw
    sequence: int | None = None
    stepid: str | None = None
    attempt: int | None = None


_kept: Final = msgspec.json.Decoder(_Kept)
_snapshot: Final = msgspec.json.Decoder(Snapshot)


def project(run_id: str, tenant: str, newest: Mapping[str, bytes], top: int) -> Snapshot:
    """Assemble the newest events over the base.

    Args:
        newest: the snapshot hash; values are frame data.
        top: the stream's newest sequence, which may be an event that no snapshot shows.
    """
    base = newest.get(BASE)
    snapshot = _snapshot.decode(base) if base else Snapshot(run_id=run_id, tenant=tenant)
    events = (_as_event(_kept.decode(data), tenant) for field, data in newest.items() if field != BASE)
    snapshot = assemble(snapshot, events)
    return replace(snapshot, sequence=max(top, snapshot.sequence))


def _as_event(kept: _Kept, tenant: str) -> CloudEvent:
    return CloudEvent(
        id=kept.id,
        source="",
        type=kept.type,
        time=kept.time,
        subject=kept.runid,
        tenantid=tenant,
        runid=kept.runid,
        data=kept.data,
        sequence=kept.sequence,
        stepid=kept.stepid,
        attempt=kept.attempt,
    )
