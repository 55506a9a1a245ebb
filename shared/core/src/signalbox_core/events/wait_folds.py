"""How events change the waits of a snapshot."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec.structs import replace

from signalbox_core.events import waits
from signalbox_core.events.envelope import CloudEvent, decode_data
from signalbox_core.events.states import EventWaitState, Fold, Snapshot


def _wait_requested(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = decode_data(event, waits.WaitRequested)
    state = EventWaitState(
        wait_id=data.wait_id,
        name=data.name,
        title=data.title,
        key=data.key,
        step=data.step,
        is_callback=data.is_callback,
        requested_at=event.time,
        deadline_at=data.deadline_at,
        data=msgspec.Raw(b"null"),
    )
    others = tuple(item for item in snapshot.waits if item.wait_id != data.wait_id)
    return replace(snapshot, waits=(*others, state))


def _wait_received(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    data = decode_data(event, waits.WaitReceived)
    return _with_wait(
        snapshot,
        data.wait_id,
        status="received",
        ended_at=event.time,
        event_id=data.event_id,
        data=data.data,
        sender=data.sender,
    )


def _wait_expired(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    wait_id = decode_data(event, waits.WaitExpired).wait_id
    return _with_wait(snapshot, wait_id, status="expired", ended_at=event.time)


def _wait_withdrawn(snapshot: Snapshot, event: CloudEvent) -> Snapshot:
    wait_id = decode_data(event, waits.WaitWithdrawn).wait_id
    return _with_wait(snapshot, wait_id, status="withdrawn", ended_at=event.time)


WAIT_FOLDS: Final[Mapping[str, Fold]] = {
    "wait.requested": _wait_requested,
    "wait.received": _wait_received,
    "wait.expired": _wait_expired,
    "wait.withdrawn": _wait_withdrawn,
}


def _with_wait(snapshot: Snapshot, wait_id: str, **changes: object) -> Snapshot:
    return replace(
        snapshot,
        waits=tuple(replace(item, **changes) if item.wait_id == wait_id else item for item in snapshot.waits),
    )
