"""Sends events back to their mailboxes when the waits for which they were forwarded have ended.

A mailbox forwards an event to the wait that began first. That wait may end before the event reaches its run:
by its deadline, because the run gave it up, or with the run. The run must not keep the event then, since
another run may wait for it.
"""

import asyncio

from temporalio import workflow
from temporalio.exceptions import FailureError

from signalbox_core.pipeline.contract.external_event import (
    RETURN_EVENT,
    InboundEvent,
    MailboxAddress,
    ReturnedEvent,
)
from signalbox_core.pipeline.workflow.state import RunState
from signalbox_core.pipeline.workflow.waits import shielded


def returns(state: RunState, event: InboundEvent) -> bool:
    """Whether an event that has just arrived goes back to its mailbox, because the run does not wait for it.

    To be called from a message handler only, as it sets a patch.
    """
    waits = state.waits
    is_stray = event.is_from_mailbox and (state.journal.has_ended or not waits.expects(event))
    return is_stray and waits.find_duplicate(event) is None and waits.returns_events.is_on()


async def send_back(state: RunState, event: InboundEvent) -> bool:
    """Send an event back. Returns False if its mailbox exists no longer, or its contract no longer has it."""
    address = _address(state, event)
    if address is None:
        return False
    mailbox = workflow.get_external_workflow_handle(address.workflow_id)
    state.waits.returning.append(event)
    try:
        await mailbox.signal(RETURN_EVENT, ReturnedEvent(event=event, workflow_id=state.workflow_id))
    except FailureError:
        return False
    finally:
        state.waits.returning.remove(event)
    return True


def resend_returned(state: RunState) -> None:
    """Return again what the run's previous execution may not have returned; the mailbox recognizes it.

    As with `leave_mailboxes`, a worker of an earlier release does not.
    """
    carried = state.waits.take_carried_returns()
    if not carried or not state.waits.returns_events.is_on():
        return
    for event in carried:
        _start_return(state, event)


def return_unreceived(state: RunState) -> None:
    """At the end of the run, return the events of mailboxes that no wait has returned to the workflow."""
    if state.waits.has_unreceived and state.waits.returns_events.is_on():
        for event in state.waits.take_unreceived():
            _start_return(state, event)


async def finish_returns(state: RunState) -> None:
    """Wait until the mailboxes have what the run returns; Temporal drops signals of a workflow that ends."""
    if state.waits.returning:
        await shielded(workflow.wait_condition(lambda: not state.waits.returning))


def _start_return(state: RunState, event: InboundEvent) -> None:
    task = asyncio.create_task(send_back(state, event))
    state.waits.closing.add(task)
    task.add_done_callback(state.waits.closing.discard)


def _address(state: RunState, event: InboundEvent) -> MailboxAddress | None:
    declared = state.spec.external_event(event.name)
    if declared is None or event.key is None:
        return None
    return MailboxAddress(
        tenant=state.tenant,
        pipeline=state.spec.name,
        name=event.name,
        key=event.key,
        keep_s=declared.keep.total_seconds(),
    )
