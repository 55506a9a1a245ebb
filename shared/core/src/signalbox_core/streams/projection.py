"""From the newest event of each sort to the run's snapshot. Pure; the same for the store and its fake."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

import msgspec
from msgspec.structs import replace

from signalbox_core.events import CloudEvent, Snapshot, fold

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
    """Fold the newest events over the base, milestones in order first, then progress.

    Args:
        newest: the snapshot hash; values are frame data.
        top: the stream's newest sequence, which may be an event that no snapshot shows.
    """
    base = newest.get(BASE)
    snapshot = _snapshot.decode(base) if base else Snapshot(run_id=run_id, tenant=tenant)
    for event in _in_order(data for field, data in newest.items() if field != BASE):
        snapshot = fold(snapshot, _as_event(event, tenant))
    return replace(snapshot, sequence=max(top, snapshot.sequence))


def _in_order(values: Iterable[bytes]) -> list[_Kept]:
    return sorted((_kept.decode(value) for value in values), key=lambda kept: (kept.sequence is None, kept.sequence or 0, kept.time))


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
