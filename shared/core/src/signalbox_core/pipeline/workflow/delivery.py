"""The delivery of a run's events: the activity, and the batches that the receiver accepts."""

from collections.abc import Collection, Iterator, Sequence
from typing import Final

import msgspec
from msgspec import Struct
from temporalio import activity

from signalbox_core.errors import Conflict, Unavailable
from signalbox_core.events import CloudEvent
from signalbox_core.ids import tenant_of
from signalbox_core.pipeline.contract.approved_effect import check_events
from signalbox_core.pipeline.contract.emitter import Emitter, EventBatch
from signalbox_core.pipeline.contract.failures import as_application_error
from signalbox_core.pipeline.contract.tenancy import tenant_mismatch

DELIVER: Final = "signalbox.deliver"
MAX_BATCH: Final = 100
MAX_BATCH_BYTES: Final = 900_000
"""The receiver accepts 1 MiB."""
_ENVELOPE_BYTES: Final = 600
_STARTED_BYTES: Final = 1_000
"""The size that `run.started` counts as: it lists the steps of the contract with their titles."""
TITLED: Final = frozenset(
    {"step.started", "step.completed", "step.failed", "artifact.created", "wait.requested", "child.started"}
)
"""The other events whose title comes from the contract or the code of the pipeline.

Not `approval.requested`: replay takes it from the history.
"""


class _Titled(Struct, frozen=True, kw_only=True):
    title: str | None = None


_titled_decoder: Final = msgspec.json.Decoder(_Titled)


class Delivered(Struct, frozen=True, kw_only=True):
    """The result of a delivery; histories of older releases have none.

    Attributes:
        is_awaited: whether a run with a long history waits for a delivery in flight before it ends.
    """

    is_awaited: bool = False


class DeliverActivities:
    """The delivery activity; every worker registers it."""

    def __init__(self, emitter: Emitter) -> None:
        self._emitter = emitter

    @activity.defn(name=DELIVER)
    async def deliver(self, batch: EventBatch) -> Delivered:
        """Deliver events in order. Idempotent by event id: the receiver skips events that it has.

        Raises:
            ApplicationError: not retryable: `tenant_mismatch`: an event is not of the run's tenant;
                `not_what_was_approved`: an approved event was changed.
        """
        tenant = tenant_of(activity.info().workflow_id or "")
        if tenant is not None and any(event.tenantid != tenant for event in batch.events):
            raise tenant_mismatch(f"an event to deliver does not belong to tenant {tenant}, as its run does")
        check_approved_events(batch.events, batch.approved)
        try:
            await self._emitter.deliver(batch.events)
        except Unavailable as error:
            # Benign: the emitter logs once that the receiver is unavailable, not once per run and attempt.
            raise as_application_error(error, benign=True) from error
        return Delivered(is_awaited=True)


def check_approved_events(events: Sequence[CloudEvent], approved: Collection[str]) -> None:
    """Check that approved events are delivered as they were emitted.

    Args:
        approved: ids of the events that must have a digest.

    Raises:
        ApplicationError: `not_what_was_approved`, not retryable.
    """
    try:
        check_events(events, approved)
    except Conflict as error:
        raise as_application_error(error) from error


def batches(events: Sequence[CloudEvent]) -> Iterator[tuple[CloudEvent, ...]]:
    """Yield batches of at most 100 events and 900 kB, in order.

    Each is built when it is taken, so the first one of many events costs no more than that of a few.
    """
    current: list[CloudEvent] = []
    total = 0
    for event in events:
        size = size_bytes(event)
        if current and (len(current) == MAX_BATCH or total + size > MAX_BATCH_BYTES):
            yield tuple(current)
            current, total = [], 0
        current.append(event)
        total += size
    if current:
        yield tuple(current)


def untitled_size_bytes(event: CloudEvent) -> int:
    """Estimate the size of an event without titles, which may differ on replay."""
    if event.name == "run.started":
        return _STARTED_BYTES
    if event.name not in TITLED:
        return size_bytes(event)
    title = _titled_decoder.decode(event.data).title
    return size_bytes(event) - len(msgspec.json.encode(title))


def size_bytes(event: CloudEvent) -> int:
    """Estimate the size of an event in a batch."""
    return len(bytes(event.data)) + _ENVELOPE_BYTES
