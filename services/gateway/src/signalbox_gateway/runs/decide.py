"""Sending a decision to its run: an update, validated before it enters history; a durable signal when no worker answers."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec
from temporalio.client import (
    Client,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError

from signalbox_core.errors import Conflict, InvalidInput, NotFound, SignalboxError
from signalbox_core.pipeline.contract.messages import (
    ALREADY_DECIDED,
    APPROVAL_EXPIRED,
    INVALID_ANSWER,
    SIGNAL_DECIDE,
    STALE_DIGEST,
    UNKNOWN_APPROVAL,
    UPDATE_DECIDE,
    Decision,
    DecisionRecord,
    ErrorDetails,
)
from signalbox_core.temporal.updates import send_update
from signalbox_gateway.runs.temporal import translated

_CLASSES: Final = {
    UNKNOWN_APPROVAL: NotFound,
    ALREADY_DECIDED: Conflict,
    APPROVAL_EXPIRED: Conflict,
    STALE_DIGEST: Conflict,
    INVALID_ANSWER: InvalidInput,
}


class Decisions:
    """The way of a decision to its run.

    Args:
        within: how long an update may take; then nobody knows whether a worker runs, and the signal follows.
    """

    def __init__(self, client: Client, within: timedelta = timedelta(seconds=3)) -> None:
        self._client = client
        self._within = within

    async def send(self, run_id: str, decision: Decision) -> DecisionRecord | None:
        """Give the decision to the run.

        The update's id is the decision's, so the same decision sent twice is one decision with one outcome.

        Returns:
            The record of the run; None when no worker answered in time and the decision waits, durably, as a signal.

        Raises:
            NotFound: unknown approval, or the run has ended (`unknown_run`).
            Conflict: already decided, or the digest is stale.
            InvalidInput: the answer breaks a rule of the pipeline.
        """
        handle = self._client.get_workflow_handle(run_id)
        try:
            async with translated():
                record = await send_update(
                    handle,
                    UPDATE_DECIDE,
                    decision,
                    update_id=decision.decision_id,
                    result_type=DecisionRecord,
                    within=self._within,
                )
        except WorkflowUpdateFailedError as error:
            raise refusal_of(error.cause) from error
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            # Whether the update was applied is unknown; the workflow drops a second decision of the same id.
            async with translated():
                await self._refuse_if_cancelling(handle)
                await handle.signal(SIGNAL_DECIDE, decision, rpc_timeout=self._within)
            return None
        return record

    async def _refuse_if_cancelling(self, handle: WorkflowHandle[Any, Any]) -> None:
        """A run whose cancel waits for a worker drops every decision; 202 would promise otherwise."""
        found = await handle.describe(rpc_timeout=self._within)
        if found.raw_description.workflow_extended_info.cancel_requested:
            raise Conflict(f"run {handle.id} is being cancelled; nothing to decide")


def refusal_of(cause: BaseException) -> SignalboxError:
    """The validator's refusal as one of our errors."""
    if not isinstance(cause, ApplicationError):
        return Conflict(f"the run did not take the decision: {cause}", code="run_ended")
    refusal = _refusal(cause.type or "rejected", cause.message, cause.details)
    kind = _CLASSES.get(refusal.code, Conflict)
    facts = msgspec.json.decode(refusal.facts, type=dict[str, object])
    for taken in ("detail", "field", "code"):
        facts.pop(taken, None)
    return kind(refusal.message, field=refusal.field, code=refusal.code, **facts)


def _refusal(code: str, message: str, details: Sequence[object]) -> ErrorDetails:
    try:
        return msgspec.json.decode(msgspec.json.encode(details[0]), type=ErrorDetails)
    except (IndexError, TypeError, msgspec.MsgspecError):
        return ErrorDetails(code=code, message=message)
