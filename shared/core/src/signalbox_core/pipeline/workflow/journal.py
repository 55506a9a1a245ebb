"""A run's journal: numbers the milestones and maintains the snapshot they fold into. Pure.

It is the only place that assigns sequence numbers.
"""

from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from signalbox_core.events import MAX_EVENT_BYTES, CloudEvent, Snapshot, fold, full_type
from signalbox_core.events.approval_folds import with_recorded_question
from signalbox_core.events.effect_digest import with_effect_digest
from signalbox_core.events.snapshot import ENDED
from signalbox_core.ids import derived_id
from signalbox_core.pipeline.contract.emitter import SOURCE
from signalbox_core.pipeline.contract.failures import pipeline_bug
from signalbox_core.pipeline.contract.messages import EarlyDecision
from signalbox_core.pipeline.workflow.ballot.carried import CarriedQuestion
from signalbox_core.pipeline.workflow.external.wait_registry import CarriedWaits

MAX_DATA_BYTES: Final = MAX_EVENT_BYTES - 4_096
"""Leaves room for the envelope."""
MAX_RESULT_BYTES: Final = MAX_DATA_BYTES - 64
"""Leaves room for the member of the event that holds the result."""


class CarriedState(Struct, frozen=True, kw_only=True):
    """What a run's next execution (after continue-as-new) starts from.

    Attributes:
        asked: how many questions of each approval name the run has asked.
        early: decisions that arrived before their questions.
        questions: those that the run carries over (`Run.carry`).
        kept: the value that the author passed to `Run.keep`.
        waits: external events that no wait has received, and which ones were received.
    """

    snapshot: Snapshot
    undelivered: tuple[CloudEvent, ...] = ()
    asked: tuple[tuple[str, int], ...] = ()
    early: tuple[EarlyDecision, ...] = ()
    kept: msgspec.Raw = msgspec.Raw(b"null")
    waits: CarriedWaits = CarriedWaits()
    questions: tuple[CarriedQuestion, ...] = ()


class RunJournal:
    """Numbers milestones from 1. Deterministic: a replay produces the same events with the same ids.

    Args:
        workflow_id: makes the ids of events unique, because run ids are unique only within a tenant; by
            default the run id.
        traceparent: the trace context of the run's start; milestones have it.
    """

    def __init__(
        self, run_id: str, tenant: str, *, workflow_id: str | None = None, traceparent: str | None = None
    ) -> None:
        self.snapshot = Snapshot(run_id=run_id, tenant=tenant)
        self._workflow_id = workflow_id or run_id
        self._traceparent = traceparent
        self._progress_count = 0
        self._least = 1

    @property
    def has_ended(self) -> bool:
        """Whether the event that ends the run is recorded."""
        return self.snapshot.status in ENDED

    def milestone(
        self,
        name: str,
        data: Struct,
        now: datetime,
        *,
        step: str | None = None,
        is_effect: bool = False,
    ) -> CloudEvent:
        """Create the next event in sequence and fold it into the snapshot.

        Args:
            is_effect: a person approved the event, so a later change of it must be detectable.

        Raises:
            ApplicationError: the data is too large for an event; large bodies are passed by reference.
        """
        sequence = max(self.snapshot.sequence + 1, self._least)
        body = msgspec.json.encode(data)
        if len(body) > MAX_DATA_BYTES:
            raise pipeline_bug(
                f"event {name} has {len(body)} bytes, at most {MAX_DATA_BYTES}: "
                "put the body in the object store and pass its key"
            )
        event = self._event(derived_id(self._workflow_id, str(sequence)), name, body, now, step, sequence)
        self.snapshot = fold(self.snapshot, event)
        return with_effect_digest(event) if is_effect else event

    def skip_to(self, sequence: int) -> None:
        """Let the next milestone have at least this number."""
        self._least = sequence

    def restore(self, event: CloudEvent) -> None:
        """Take over a question as the history has it: its `approval.requested`."""
        self.snapshot = with_recorded_question(self.snapshot, event)

    def progress(self, data: Struct, now: datetime, *, step: str) -> CloudEvent:
        """Create a progress event, which has no sequence number, and fold it into the snapshot."""
        self._progress_count += 1
        identity = derived_id(
            self._workflow_id, "progress", step, str(self.snapshot.sequence), str(self._progress_count)
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
            # Progress is not traced: it is too frequent.
            traceparent=self._traceparent if sequence is not None else None,
            data=msgspec.Raw(body),
        )
