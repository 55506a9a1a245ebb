"""For pipeline authors: a started run, with the operations of the gateway."""

import asyncio
import contextlib
import uuid
from typing import Any, Final

import msgspec
from msgspec import Struct
from temporalio.client import WorkflowHandle
from temporalio.converter import DataConverter

from signalbox_core.errors import NotFound
from signalbox_core.events import CloudEvent, Snapshot
from signalbox_core.events.snapshot import ApprovalState, EventWaitState
from signalbox_core.ids import run_id_of
from signalbox_core.pipeline.contract import messages
from signalbox_core.pipeline.contract.external_event import ExternalEvent, InboundEventRecord
from signalbox_core.pipeline.contract.messages import CancelReason, Control, Decision, DecisionRecord
from signalbox_core.temporal import data_converter
from signalbox_core.temporal.decrypted_history import open_history
from signalbox_core.temporal.updates import send_update
from signalbox_core.testing.emitter import FakeEmitter
from signalbox_core.testing.external_events import callback_event, find_wait, inbound_event, send_to_run
from signalbox_core.testing.histories import history_json
from signalbox_core.testing.snapshots import query_snapshot

_POLL_S: Final = 0.02
_DELIVERY_S: Final = 10.0
_ENDS: Final = frozenset({"run.completed", "run.failed", "run.cancelled"})


class RunUnderTest:
    """A started run, with the operations of the gateway.

    Args:
        converter: opens the payloads of `history()`.
    """

    def __init__(
        self,
        handle: WorkflowHandle[Any, Any],
        emitter: FakeEmitter,
        *,
        converter: DataConverter = data_converter,
    ) -> None:
        self._converter = converter
        self.handle = handle
        self.run_id = run_id_of(handle.id)
        self.emitter = emitter

    async def result(self) -> Any:
        """Wait for the run to end, and for its last event unless the receiver is down; return its result.

        Raises:
            WorkflowFailureError: the run failed or was cancelled.
        """
        try:
            return await self.handle.result()
        finally:
            await self._until_end_is_delivered()

    async def _until_end_is_delivered(self) -> None:
        """Wait for the event of the run's end, which may be delivered after the result.

        A run that Temporal ended, or whose own emitter refuses events, delivers none: give up after a while.
        """
        deadline = asyncio.get_running_loop().time() + _DELIVERY_S
        while asyncio.get_running_loop().time() < deadline:
            if self.emitter.milestones_down or not _ENDS.isdisjoint(self.event_names()):
                return
            await asyncio.sleep(_POLL_S)

    async def snapshot(self) -> Snapshot:
        """Query the state of the run, once its first workflow task has completed."""
        return await query_snapshot(self.handle)

    async def approval(self, approval_id: str, *, within_s: float = 30.0) -> ApprovalState:
        """Wait until the run requests this approval."""
        async with asyncio.timeout(within_s):
            while True:
                with contextlib.suppress(NotFound):
                    return _find_approval(await self.snapshot(), approval_id)
                await asyncio.sleep(_POLL_S)

    async def decide(
        self, approval_id: str, answer: Struct, *, by: str = "tester", decision_id: str | None = None
    ) -> DecisionRecord:
        """Wait until the run requests the approval, then decide with its digest."""
        requested = await self.approval(approval_id)
        decision = Decision(
            approval_id=approval_id,
            decision_id=decision_id or uuid.uuid4().hex,
            answer=msgspec.Raw(msgspec.json.encode(answer)),
            decided_by=by,
            digest=requested.digest,
        )
        return await self.send(decision)

    async def send(self, decision: Decision) -> DecisionRecord:
        """Send a decision unchanged, whether or not the approval was requested."""
        return await send_update(
            self.handle,
            messages.UPDATE_DECIDE,
            decision,
            update_id=decision.decision_id,
            result_type=DecisionRecord,
        )

    async def wait(self, wait_id: str, *, within_s: float = 30.0) -> EventWaitState:
        """Wait until the run waits for an external event; the id is the event's name, `-2` and so on."""
        return await find_wait(self.handle, wait_id, within_s=within_s)

    async def send_event(
        self, event: ExternalEvent[Any], data: Struct, *, event_id: str | None = None
    ) -> InboundEventRecord:
        """Send an external event to this run. It is kept if the run does not wait for it yet."""
        return await send_to_run(self.handle, inbound_event(event, data, event_id=event_id))

    async def send_callback(
        self, event: ExternalEvent[Any], data: Struct, *, wait_id: str | None = None
    ) -> InboundEventRecord:
        """Wait until the run has begun the wait of a callback, then send what a POST to its URL sends.

        Args:
            wait_id: by default the first callback of this event.
        """
        wait = await self.wait(wait_id or event.name)
        return await send_to_run(self.handle, callback_event(event, data, wait.wait_id))

    async def pause(self) -> None:
        await self.handle.signal(messages.SIGNAL_PAUSE, Control(by="tester"))

    async def resume(self) -> None:
        await self.handle.signal(messages.SIGNAL_RESUME, Control(by="tester"))

    async def cancel(self, reason: str | None = None) -> None:
        await self.handle.signal(messages.SIGNAL_CANCEL_REASON, CancelReason(reason=reason, by="tester"))
        await self.handle.cancel()

    async def history(self) -> str:
        """Return the history so far as readable JSON, as in tests/histories."""
        return history_json(await open_history(await self.handle.fetch_history(), self._converter))

    def events(self) -> list[CloudEvent]:
        """Return the run's milestones that the receiver has, in order of arrival."""
        return [event for event in self.emitter.milestones if event.runid == self.run_id]

    def event_names(self) -> list[str]:
        return [event.name for event in self.events()]


def _find_approval(snapshot: Snapshot, approval_id: str) -> ApprovalState:
    found = next((item for item in snapshot.approvals if item.approval_id == approval_id), None)
    if found is None:
        raise NotFound(f"the run has not requested the approval {approval_id}")
    return found
