"""The message handlers of a run for external events: update and signal `deliver_event`."""

from typing import Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from signalbox_core.errors import InvalidInput
from signalbox_core.pipeline.contract.external_event import (
    CALLBACK_CLOSED,
    CALLBACK_USED,
    DELIVER_EVENT,
    DUPLICATE_EVENT,
    MAX_KEPT,
    MAX_KEPT_BYTES,
    REFUSE_WAIT,
    TOO_MANY_EVENTS,
    UNKNOWN_EVENT,
    InboundEvent,
    InboundEventRecord,
    MailboxWait,
    check_event_data,
)
from signalbox_core.pipeline.contract.failures import as_application_error, non_retryable_error
from signalbox_core.pipeline.workflow.external.returns import resend_returned, returns, send_back
from signalbox_core.pipeline.workflow.external.wait import leave_mailboxes, record_received
from signalbox_core.pipeline.workflow.recorded import recorded_refusal
from signalbox_core.pipeline.workflow.state import RunState

REFUSED_WAIT: Final = "signalbox.refused-wait"
"""With the wait's id, the patch since which a mailbox can end a wait; older histories replay as recorded."""


class EventMessageHandlers:
    """Registers the handlers. An event is matched at once; the waiting workflow code continues after it."""

    def __init__(self, state: RunState) -> None:
        self._state = state
        self._signal_count = 0
        workflow.set_update_handler(DELIVER_EVENT, self.deliver, validator=self.validate)
        workflow.set_signal_handler(DELIVER_EVENT, self.deliver_by_signal)
        workflow.set_signal_handler(REFUSE_WAIT, self.refuse_wait)
        leave_mailboxes(state)
        resend_returned(state)

    def validate(self, event: InboundEvent) -> None:
        """Refuse an event that the run cannot use, before it enters the history.

        Raises:
            ApplicationError: `unknown_event`, `invalid_event`, `duplicate_event` (with the wait that received
                the first one), `too_many_events`, `callback_used`, `callback_closed`, or `conflict` when the
                run has ended or is being cancelled.
        """
        self._check_contract(event)
        if event.is_for_callback:
            self._check_callback(event)
        duplicate = self._state.waits.find_duplicate(event)
        if duplicate is not None:
            raise non_retryable_error(
                DUPLICATE_EVENT, f"event {event.event_id} arrived before", wait_id=duplicate.wait_id
            )
        status = self._state.journal.snapshot.status
        if self._state.journal.has_ended or self._state.is_cancelling:
            raise non_retryable_error(
                "conflict", f"run {self._state.run_id} waits no longer ({status}); the event is not accepted"
            )
        if not self._state.waits.has_room(event):
            raise non_retryable_error(
                TOO_MANY_EVENTS,
                f"run {self._state.run_id} keeps {MAX_KEPT} events or {MAX_KEPT_BYTES} bytes that it has not"
                " waited for; send the event again later",
            )

    def deliver(self, event: InboundEvent) -> InboundEventRecord:
        """Accept an event. Replay runs no validator: what the history accepted is not validated again."""
        record = self._state.waits.accept(event, workflow.now())
        if record.status == "received" and record.wait_id is not None:
            record_received(self._state, record.wait_id, event)
        return record

    async def deliver_by_signal(self, event: InboundEvent) -> None:
        """Accept an event without a reply: from a mailbox, or when no worker ran. A refusal is logged.

        What a mailbox has forwarded for a wait that has ended goes back to it.
        """
        self._signal_count += 1
        is_returned = returns(self._state, event)
        if self._state.journal.has_ended and not is_returned:
            return
        if recorded_refusal(f"signalbox.event-{self._signal_count}", lambda: self._refuses(event)):
            return
        if is_returned and await send_back(self._state, event):
            return
        if not self._state.journal.has_ended:
            self.deliver(event)

    def refuse_wait(self, wait: MailboxWait) -> None:
        """End a wait that its mailbox refused, because too many runs wait for the key.

        In a rolling upgrade, a worker of an earlier release may have ignored the signal.
        """
        if workflow.patched(f"{REFUSED_WAIT}-{wait.wait_id}"):
            self._state.waits.refuse(wait.wait_id)

    def _refuses(self, event: InboundEvent) -> bool:
        try:
            self._check_contract(event)
        except ApplicationError as refusal:
            extra = {"event": event.name, "event_id": event.event_id, "reason": refusal.type}
            workflow.logger.warning("external event dropped", extra=extra)
            return True
        return False

    def _check_callback(self, event: InboundEvent) -> None:
        waits = self._state.journal.snapshot.waits
        status = next((item.status for item in waits if item.wait_id == event.wait_id), None)
        if status == "received":
            raise non_retryable_error(CALLBACK_USED, "this callback was used before; it works once")
        if status != "pending":
            raise non_retryable_error(CALLBACK_CLOSED, "the run waits for this callback no longer")

    def _check_contract(self, event: InboundEvent) -> None:
        spec = self._state.spec
        declared = spec.external_event(event.name)
        if declared is None:
            names = ", ".join(item.name for item in spec.external_events) or "none"
            raise non_retryable_error(
                UNKNOWN_EVENT, f"pipeline {spec.name} waits for no event {event.name!r}; it declares: {names}"
            )
        try:
            check_event_data(declared, event.data)
        except InvalidInput as error:
            raise as_application_error(error) from None
