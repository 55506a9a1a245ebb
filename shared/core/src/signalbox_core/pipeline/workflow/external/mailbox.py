"""The mailbox of a business key: a workflow that brings events and waits of one key together.

An event that was accepted is in the mailbox's history, so it survives the loss of every process. A mailbox
ends when it keeps nothing, nobody waits, and duplicates of what was received are no longer expected.
"""

import asyncio
from datetime import timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace
from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

from signalbox_core.pipeline.contract.external_event import (
    CLOSE_WAIT,
    DELIVER_EVENT,
    DELIVER_TO_MAILBOX,
    DELIVERY_OUTCOME,
    MAILBOX,
    OPEN_WAIT,
    REFUSE_WAIT,
    RETURN_EVENT,
    InboundEvent,
    InboundEventRecord,
    MailboxContent,
    MailboxWait,
    ReturnedEvent,
)
from signalbox_core.pipeline.workflow.external.mailbox_state import MailboxState
from signalbox_core.pipeline.workflow.external.recurring_patch import RETURNED_EVENTS, RecurringPatch
from signalbox_core.pipeline.workflow.waits import wait_until

REFUSED_WAITS: Final = "signalbox.refused-waits"
"""The patch since which a full mailbox refuses a wait; older histories, in which the oldest wait gave way,
replay as recorded."""
MAX_MESSAGES: Final = 500
"""After this many messages the mailbox continues as new, so that its history stays short."""
_REFUSALS_AT_ONCE: Final = 100


@workflow.defn(name=MAILBOX)
class MailboxWorkflow:
    """One mailbox; its workflow id names tenant, pipeline, event and key (`mailbox_id`)."""

    @workflow.init
    def __init__(self, content: MailboxContent) -> None:
        self._state = MailboxState(content)
        self._messages = 0
        self._refused = list(content.refused_waits)
        self._refuses_waits = RecurringPatch(REFUSED_WAITS)
        self._takes_events_back = RecurringPatch(RETURNED_EVENTS)

    @workflow.run
    async def run(self, content: MailboxContent) -> None:  # noqa: ARG002 - `__init__` has taken it
        while True:
            await self._forward_all()
            expiry = self._state.next_expiry()
            if expiry is None and not self._refused:
                return
            if expiry is None or self._continues_as_new:
                workflow.continue_as_new(replace(self._state.content(), refused_waits=tuple(self._refused)))
            seen = self._messages
            await wait_until(
                lambda seen=seen: self._messages > seen,  # type: ignore[misc]
                max(expiry - workflow.now(), timedelta()),
            )
            self._state.expire(workflow.now())

    @workflow.signal(name=DELIVER_TO_MAILBOX)
    def deliver(self, event: InboundEvent) -> None:
        self._messages += 1
        self._state.add_event(event, workflow.now())

    @workflow.signal(name=OPEN_WAIT)
    def open_wait(self, wait: MailboxWait) -> None:
        self._messages += 1
        if self._state.lacks_room_for(wait) and self._refuses_waits.is_on():
            self._state.expire(workflow.now())
            if self._state.lacks_room_for(wait):
                self._refused.append(wait)
                return
        self._state.add_wait(wait)

    @workflow.signal(name=CLOSE_WAIT)
    def close_wait(self, wait: MailboxWait) -> None:
        self._messages += 1
        self._state.remove_wait(wait)

    @workflow.signal(name=RETURN_EVENT)
    def return_event(self, returned: ReturnedEvent) -> None:
        # In a rolling upgrade, a worker of an earlier release may have ignored the signal.
        if self._takes_events_back.is_on():
            self._messages += 1
            self._state.take_back(returned, workflow.now())

    @workflow.query(name=DELIVERY_OUTCOME)
    def delivery_outcome(self, event_id: str, delivery_id: str) -> InboundEventRecord | None:
        return self._state.outcome(event_id, delivery_id)

    @property
    def _continues_as_new(self) -> bool:
        return self._messages >= MAX_MESSAGES or workflow.info().is_continue_as_new_suggested()

    async def _forward_all(self) -> None:
        """Send every event that a wait can receive, and the refusals. A run that has ended has no waits.

        However many waits are refused, events are sent in between, and the mailbox continues as new in time:
        its next execution sends the refusals that are left.
        """
        while True:
            await self._send_refusals()
            if (match := self._state.next_match()) is not None:
                event, wait = match
                forwarded = replace(event, wait_id=wait.wait_id)
                if await _signal_run(wait.workflow_id, DELIVER_EVENT, forwarded):
                    self._state.settle(event, wait, workflow.now())
                else:
                    self._state.remove_wait(wait)
            elif not self._refused or self._continues_as_new:
                return

    async def _send_refusals(self) -> None:
        refused, self._refused = self._refused[:_REFUSALS_AT_ONCE], self._refused[_REFUSALS_AT_ONCE:]
        await asyncio.gather(*(_signal_run(wait.workflow_id, REFUSE_WAIT, wait) for wait in refused))


async def _signal_run(workflow_id: str, signal: str, message: Struct) -> bool:
    """Signal a run. Returns whether it is still open."""
    try:
        await workflow.get_external_workflow_handle(workflow_id).signal(signal, message)
    except FailureError as error:
        if is_cancelled_exception(error):
            raise
        return False
    return True
