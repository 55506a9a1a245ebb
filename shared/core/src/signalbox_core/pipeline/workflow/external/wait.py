"""Waiting for an external event: record the wait, ask the mailbox of its key, wait until the deadline."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError, FailureError

from signalbox_core.errors import InvalidInput
from signalbox_core.events.waits import MAX_WAITS, WaitExpired, WaitReceived, WaitRequested, WaitWithdrawn
from signalbox_core.ids import tenant_of
from signalbox_core.pipeline.contract.declared import check_external_event
from signalbox_core.pipeline.contract.external_event import (
    CLOSE_WAIT,
    MAX_MAILBOX_WAITS,
    TOO_MANY_WAITERS,
    ExternalEvent,
    InboundEvent,
    MailboxAddress,
    MailboxWait,
    check_key,
)
from signalbox_core.pipeline.contract.failures import (
    WaitExpiredError,
    as_application_error,
    non_retryable_error,
)
from signalbox_core.pipeline.contract.step_header import current_call
from signalbox_core.pipeline.workflow.answers import decode_accepted
from signalbox_core.pipeline.workflow.external.mailbox_activities import OPEN_WAIT_ACTIVITY, OpenWaitRequest
from signalbox_core.pipeline.workflow.external.wait_registry import LeftMailbox, OpenWait
from signalbox_core.pipeline.workflow.state import RunState
from signalbox_core.pipeline.workflow.waits import wait_until
from signalbox_core.temporal.workflow_trace import link_message
from signalbox_core.traces import parse_traceparent

WITHDRAWN_WAITS: Final = "signalbox.withdrawn-waits"
LEFT_MAILBOXES: Final = "signalbox.left-mailboxes"
"""The patch that a withdrawn wait sets; during an eviction, which cancels the wait too, setting it raises."""
ENDED_REGISTRATIONS: Final = "signalbox.ended-registrations"
"""The patch since which a wait leaves its mailbox after its registration has ended, and gives an event back
that it did not return; older histories replay as recorded."""
_ATTEMPT_TIMEOUT: Final = timedelta(seconds=10)
_RETRY: Final = RetryPolicy(
    initial_interval=timedelta(milliseconds=250), maximum_interval=timedelta(seconds=30), maximum_attempts=0
)


async def wait_for_event(
    state: RunState, event: ExternalEvent[Any], key: str | None, within: timedelta | None
) -> Any:
    """Wait for an event and return its data.

    Raises:
        WaitExpiredError: it did not arrive in time.
        ApplicationError: as `Run.wait_for` raises it.
    """
    wait = open_wait(state, event, key, within)
    registration = _register(state, wait) if key is not None and wait.received is None else None
    return await receive(state, wait, registration)


async def receive(
    state: RunState, wait: OpenWait, registration: "workflow.ActivityHandle[None] | None"
) -> Any:
    """Wait until the event of an open wait has arrived, and return its data.

    Args:
        registration: of a wait with a key, at the mailbox.

    Raises:
        WaitExpiredError: it did not arrive in time.
        ApplicationError: `too_many_waiters`.
    """
    try:
        time_left = max(wait.deadline_at - workflow.now(), timedelta())
        await wait_until(lambda: wait.received is not None or wait.is_refused, time_left)
    except asyncio.CancelledError:
        # A cancelled run closes its waits when it ends.
        if workflow.cancellation_reason() is None and workflow.patched(WITHDRAWN_WAITS):
            _give_up(state, wait, registration)
        raise
    _end_wait(state, wait, registration)
    await state.hold_for_cancel()
    if wait.received is None:
        refused = _too_many_waiters(wait) if wait.is_refused else None
        raise refused or WaitExpiredError(wait.wait_id, wait.event.name, wait.key)
    return decode_accepted(wait.received.data, wait.event.data)


def _end_wait(state: RunState, wait: OpenWait, registration: "workflow.ActivityHandle[None] | None") -> None:
    """Record the end of a wait that was not given up, and leave its mailbox if it does not know of it."""
    state.waits.close(wait.wait_id)
    pending = _unfinished(registration)
    if registration is not None:
        registration.cancel()
    if wait.received is None and wait.is_refused:
        _withdraw(state, wait)
        # A repeated registration may have entered the wait after all.
        _leave_mailbox(state, wait, pending)
    elif wait.received is None:
        state.record_event("wait.expired", WaitExpired(wait_id=wait.wait_id))
    elif registration is not None and wait.received.wait_id != wait.wait_id:
        _leave_mailbox(state, wait, pending)


def withdraw_open_waits(state: RunState) -> None:
    """Withdraw what the run's next execution waits for anew, if it does.

    That execution takes over the events that no wait has returned, and informs the mailboxes.
    """
    for wait in state.waits.open_waits:
        _withdraw(state, wait)
        if wait.key is not None:
            state.waits.leave(_left_mailbox(state, wait))
    state.waits.give_all_back(workflow.now())


def leave_mailboxes(state: RunState) -> None:
    """Inform the mailboxes of the waits that the run's previous execution withdrew.

    A worker of an earlier release, which may execute the first task in a rolling upgrade, does not.
    """
    if not state.waits.leaving or not workflow.patched(LEFT_MAILBOXES):
        return
    for left in state.waits.leaving:
        _start_close(state, left, None)


def record_received(state: RunState, wait_id: str, event: InboundEvent) -> None:
    """Record that a wait received its event."""
    data = WaitReceived(
        wait_id=wait_id,
        name=event.name,
        event_id=event.event_id,
        data=event.data,
        key=event.key,
        sender=event.sender,
    )
    state.record_event("wait.received", data)
    link_message(f"event {event.name}", parse_traceparent(event.traceparent))


def open_wait(
    state: RunState,
    event: ExternalEvent[Any],
    key: str | None,
    within: timedelta | None,
    *,
    is_callback: bool = False,
) -> OpenWait:
    """Begin a wait and record it. Raises: ApplicationError: as `Run.wait_for` raises it."""
    _check(state, event, key, needs_tenant=is_callback or key is not None)
    earlier = sum(item.name == event.name for item in state.journal.snapshot.waits)
    call, now = current_call.get(), workflow.now()
    wait = OpenWait(
        event.name if earlier == 0 else f"{event.name}-{earlier + 1}",
        event,
        key,
        now + (within if within is not None else event.timeout),
        is_callback=is_callback,
    )
    requested = WaitRequested(
        wait_id=wait.wait_id,
        name=event.name,
        title=event.title,
        deadline_at=wait.deadline_at,
        key=key,
        step=call.step if call is not None else None,
        is_callback=is_callback,
    )
    state.record_event("wait.requested", requested, step=requested.step)
    state.waits.open(wait, now)
    if wait.received is not None:
        record_received(state, wait.wait_id, wait.received)
    return wait


def _check(state: RunState, event: ExternalEvent[Any], key: str | None, *, needs_tenant: bool) -> None:
    check_external_event(state.spec, event)
    if len(state.journal.snapshot.waits) >= MAX_WAITS:
        raise non_retryable_error(
            "too_many_waits",
            f"run {state.run_id} has waited {MAX_WAITS} times, the most that one run may; let a child wait",
        )
    if needs_tenant and tenant_of(state.workflow_id) is None:
        raise non_retryable_error(
            "tenant_missing", f"run {state.run_id} has no tenant, so no key and no callback can find it"
        )
    if key is None:
        return
    try:
        check_key(key)
    except InvalidInput as error:
        raise as_application_error(error) from None


def _too_many_waiters(wait: OpenWait) -> ApplicationError:
    return non_retryable_error(
        TOO_MANY_WAITERS,
        f"{MAX_MAILBOX_WAITS} runs wait for {wait.event.name} with this key, the most that may; use a key for"
        " each run, or start runs by the event",
    )


def _register(state: RunState, wait: OpenWait) -> "workflow.ActivityHandle[None]":
    """Enter the wait at the mailbox of its key, which sends the event that it has or gets."""
    request = OpenWaitRequest(address=_address(state, wait), wait=_mailbox_wait(state, wait))
    handle: workflow.ActivityHandle[None] = workflow.start_activity(
        OPEN_WAIT_ACTIVITY,
        request,
        start_to_close_timeout=_ATTEMPT_TIMEOUT,
        retry_policy=_RETRY,
        cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    )
    # Retrieved, because the wait ends by its event or its deadline only.
    handle.add_done_callback(lambda done: done.cancelled() or done.exception())
    return handle


def _give_up(state: RunState, wait: OpenWait, registration: "workflow.ActivityHandle[None] | None") -> None:
    """Withdraw a wait whose task was cancelled. An event that arrived with the cancel is not lost."""
    _withdraw(state, wait)
    if wait.received is not None and workflow.patched(ENDED_REGISTRATIONS):
        other = state.waits.give_back(wait, workflow.now())
        if other is not None:
            record_received(state, other.wait_id, wait.received)
    pending = _unfinished(registration)
    if pending is not None:
        pending.cancel()
    _leave_mailbox(state, wait, pending)


def _unfinished(
    registration: "workflow.ActivityHandle[None] | None",
) -> "workflow.ActivityHandle[None] | None":
    """Return a registration that may still enter the wait at its mailbox."""
    is_unfinished = registration is not None and not registration.done()
    return registration if is_unfinished and workflow.patched(ENDED_REGISTRATIONS) else None


def _withdraw(state: RunState, wait: OpenWait) -> None:
    state.waits.close(wait.wait_id)
    state.record_event("wait.withdrawn", WaitWithdrawn(wait_id=wait.wait_id))


def _leave_mailbox(state: RunState, wait: OpenWait, pending: "workflow.ActivityHandle[None] | None") -> None:
    """Remove the wait from the mailbox of its key.

    Args:
        pending: a cancelled registration, whose end is awaited: else it could enter the wait afterwards.
    """
    if wait.key is not None:
        left = _left_mailbox(state, wait)
        state.waits.leave(left)
        _start_close(state, left, pending)


def _start_close(state: RunState, left: LeftMailbox, pending: "workflow.ActivityHandle[None] | None") -> None:
    task = asyncio.create_task(_send_close(state, left, pending))
    state.waits.closing.add(task)
    task.add_done_callback(state.waits.closing.discard)


async def _send_close(
    state: RunState, left: LeftMailbox, pending: "workflow.ActivityHandle[None] | None"
) -> None:
    if pending is not None:
        await asyncio.wait([pending])
    mailbox = workflow.get_external_workflow_handle(left.address.workflow_id)
    with suppress(FailureError):  # There is no mailbox yet, or no longer.
        await mailbox.signal(CLOSE_WAIT, left.wait)
    state.waits.mark_left(left)


def _left_mailbox(state: RunState, wait: OpenWait) -> LeftMailbox:
    return LeftMailbox(address=_address(state, wait), wait=_mailbox_wait(state, wait))


def _address(state: RunState, wait: OpenWait) -> MailboxAddress:
    assert wait.key is not None, "a wait without a key has no mailbox"
    return MailboxAddress(
        tenant=state.tenant,
        pipeline=state.spec.name,
        name=wait.event.name,
        key=wait.key,
        keep_s=wait.event.keep.total_seconds(),
    )


def _mailbox_wait(state: RunState, wait: OpenWait) -> MailboxWait:
    return MailboxWait(workflow_id=state.workflow_id, wait_id=wait.wait_id, expires_at=wait.deadline_at)
