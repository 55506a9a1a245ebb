"""A run's journal: numbers its milestones and keeps the snapshot they fold into. Pure; the one writer of sequence numbers."""

from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from signalbox_core.events import MAX_EVENT_BYTES, CloudEvent, Snapshot, fold, full_type
from signalbox_core.ids import derived_id
from signalbox_core.pipeline.contract.emitter import SOURCE
from signalbox_core.pipeline.contract.failures import bug

MAX_DATA_BYTES: Final = MAX_EVENT_BYTES - 4_096
"""Leaves room for the envelope."""


class Carried(Struct, frozen=True, kw_only=True):
    """What a run's next execution (continue-as-new) starts from."""

    snapshot: Snapshot
    undelivered: tuple[CloudEvent, ...] = ()
    asked: tuple[tuple[str, int], ...] = ()
    kept: msgspec.Raw = msgspec.Raw(b"null")


class Journal:
    """Numbers from 1; the same calls give the same events with the same ids, so a replay changes nothing."""

    def __init__(self, run_id: str, tenant: str) -> None:
        self.snapshot = Snapshot(run_id=run_id, tenant=tenant)
        self._ticks = 0

    def milestone(self, name: str, data: Struct, now: datetime, *, step: str | None = None) -> CloudEvent:
        """The next event in sequence.

        Raises:
            ApplicationError: the data is too large for an event; bodies travel by reference.
        """
        sequence = self.snapshot.sequence + 1
        body = msgspec.json.encode(data)
        if len(body) > MAX_DATA_BYTES:
            raise bug(
                f"event {name} has {len(body)} bytes, at most {MAX_DATA_BYTES}: put the body in the object store and pass its key"
            )
        event = self._event(derived_id(self.snapshot.run_id, str(sequence)), name, body, now, step, sequence)
        self.snapshot = fold(self.snapshot, event)
        return event

    def progress(self, data: Struct, now: datetime, *, step: str) -> CloudEvent:
        """A progress event: no sequence, folded into the snapshot, best effort from here on."""
        self._ticks += 1
        identity = derived_id(
            self.snapshot.run_id, "progress", step, str(self.snapshot.sequence), str(self._ticks)
        )
        event = self._event(identity, "step.progress", msgspec.json.encode(data), now, step, None)
        self.snapshot = fold(self.snapshot, event)
        return event

    def _event(
        self, identity: str, name: str, body: bytes, now: datetime, step: str | None, sequence: int | None
    ) -> CloudEvent:
        return CloudEvent(
            id=identity,
            source=SOURCE,
            type=full_type(name),
            time=now,
            subject=self.snapshot.run_id,
            tenantid=self.snapshot.tenant,
            runid=self.snapshot.run_id,
            sequence=sequence,
            stepid=step,
            data=msgspec.Raw(body),
        )
