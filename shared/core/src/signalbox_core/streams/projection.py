"""From the newest event of each sort to the run's snapshot. Pure; the same for the store and its fake."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from signalbox_core.events import EventFrame, Snapshot, assemble
from signalbox_core.events.children import ChildStatus

BASE: Final = "base"
"""The field with the snapshot from which a rebuilt stream continues; an event's field has a slash."""

_STATUS_AFTER: Final[Mapping[str | None, ChildStatus]] = {
    "run.completed": "completed",
    "run.failed": "failed",
    "run.cancelled": "cancelled",
    "run.terminated": "terminated",
    "run.timed_out": "timed_out",
}

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


def running_children(snapshot: Snapshot) -> list[str]:
    """The run ids of the children whose end the run has not received."""
    return [child.run_id for child in snapshot.children if child.status == "running"]


def with_ends_of_children(snapshot: Snapshot, ends: Sequence[str | None]) -> Snapshot:
    """Correct the status of `running_children` from their own streams.

    A run does not receive the end of a child that ends after the run has ended or continued as new.

    Args:
        ends: the terminal event of each; None for one that has not ended.
    """
    found = dict(zip(running_children(snapshot), ends, strict=True))
    if not any(found.values()):
        return snapshot
    return replace(
        snapshot,
        children=tuple(
            replace(child, status=_STATUS_AFTER[end])
            if child.status == "running" and (end := found[child.run_id]) in _STATUS_AFTER
            else child
            for child in snapshot.children
        ),
    )
