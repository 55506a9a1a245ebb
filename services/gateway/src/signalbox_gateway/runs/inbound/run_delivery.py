"""Delivers an external event that names its run."""

from collections.abc import Mapping

from signalbox_core.errors import NotFound, Unavailable
from signalbox_core.events.snapshot import ENDED, Snapshot
from signalbox_core.pipeline.contract.external_event import InboundEvent, InboundEventRecord
from signalbox_core.pipeline.spec import PipelineSpec
from signalbox_gateway.runs.inbound.external_events import ExternalEvents
from signalbox_gateway.runs.inbound.keyed_delivery import PipelineDelivery, check_data, unknown_event
from signalbox_gateway.runs.lookup import RunReader
from signalbox_gateway.runs.outcomes import plain_workflow, run_ended


class RunDelivery:
    """Sends an event to the workflow of a run, which accepts or refuses it.

    The contract is checked here too, because the workflow cannot refuse what it gets as a signal.
    """

    def __init__(
        self, states: RunReader, events: ExternalEvents, pipelines: Mapping[str, PipelineSpec]
    ) -> None:
        self._states = states
        self._events = events
        self._pipelines = pipelines

    async def deliver(self, snapshot: Snapshot, event: InboundEvent) -> PipelineDelivery:
        """Deliver the event; idempotent by its id.

        Args:
            snapshot: of the run.

        Raises:
            NotFound: the contract of the run does not declare the event (`unknown_event`).
            InvalidInput: the data violates the contract.
            Conflict: the run has ended, keeps as many events as it may, or is a plain workflow.
            Unavailable: the event is not stored; deliver it again.
        """
        if snapshot.plain:
            raise plain_workflow(snapshot.run_id)
        spec = self._pipelines.get(snapshot.pipeline)
        if spec is not None:
            declared = spec.external_event(event.name)
            if declared is None:
                names = [item.name for item in spec.external_events]
                raise unknown_event(f"pipeline {spec.name}", event.name, names)
            check_data(declared, event.data)
        record = _received_before(snapshot, event) or await self._send(snapshot, event)
        return PipelineDelivery(
            pipeline=snapshot.pipeline,
            status=record.status if record is not None else "recorded",
            run_id=snapshot.run_id,
            wait_id=record.wait_id if record is not None else None,
        )

    async def _send(self, snapshot: Snapshot, event: InboundEvent) -> InboundEventRecord | None:
        if snapshot.status == "queued":
            raise Unavailable(
                f"run {snapshot.run_id} has not started yet; send the event again later",
                code="temporal_unavailable",
            )
        try:
            return await self._events.send_to_run(snapshot.key, event)
        except NotFound as error:
            if error.stable_code != "unknown_run":
                raise
        latest = await self._states.snapshot_from_temporal(snapshot.key) or snapshot
        record = _received_before(latest, event)
        if record is None:
            raise run_ended(snapshot.run_id, latest.status if latest.status in ENDED else "ended")
        return record


def _received_before(snapshot: Snapshot, event: InboundEvent) -> InboundEventRecord | None:
    """What the snapshot has of an event that a wait received."""
    received = (item for item in snapshot.waits if item.name == event.name)
    found = next((item for item in received if item.event_id == event.event_id), None)
    if found is None:
        return None
    return InboundEventRecord(
        event_id=event.event_id, status="duplicate", run_id=snapshot.run_id, wait_id=found.wait_id
    )
