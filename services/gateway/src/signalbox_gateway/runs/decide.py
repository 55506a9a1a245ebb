"""Sends a decision to its run.

The decision is a Temporal update, validated before it enters history. When no worker responds in time, or
the run is blocked, it is sent as a durable signal.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec
from temporalio.client import (
    Client,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from signalbox_core.errors import Conflict, Forbidden, InvalidInput, NotFound, SignalboxError, Unavailable
from signalbox_core.ids import run_id_of
from signalbox_core.passkeys.verification import (
    SIGNATURE_INVALID,
    SIGNATURE_MISMATCH,
    USER_NOT_VERIFIED,
)
from signalbox_core.pipeline.contract.external_event import INVALID_EVENT, UNKNOWN_EVENT
from signalbox_core.pipeline.contract.messages import (
    ALREADY_DECIDED,
    ANSWER_TOO_LARGE,
    APPROVAL_EXPIRED,
    DIGEST_REQUIRED,
    INVALID_ANSWER,
    NOT_ALLOWED_BY_POLICY,
    NOT_ASKED_YET,
    QUERY_PREVIEW,
    REASON_REQUIRED,
    SIGNAL_DECIDE,
    SIGNATURE_REQUIRED,
    STALE_DIGEST,
    UNKNOWN_APPROVAL,
    UPDATE_ASSIGN,
    UPDATE_DECIDE,
    VETOED,
    WITHDRAWN,
    Assignment,
    AssignmentRecord,
    Decision,
    DecisionBatch,
    DecisionPreview,
    DecisionPreviews,
    DecisionRecord,
    ErrorDetails,
    digest_required,
)
from signalbox_core.temporal.updates import send_update
from signalbox_gateway.runs.availability import TemporalAvailability
from signalbox_gateway.runs.temporal_errors import map_temporal_errors, temporal_unavailable
from signalbox_gateway.runs.workflow_ids import WorkflowIds

CLASS_OF_REFUSAL: Final = {
    UNKNOWN_APPROVAL: NotFound,
    ALREADY_DECIDED: Conflict,
    APPROVAL_EXPIRED: Conflict,
    STALE_DIGEST: Conflict,
    NOT_ASKED_YET: Conflict,
    WITHDRAWN: Conflict,
    VETOED: Conflict,
    REASON_REQUIRED: InvalidInput,
    SIGNATURE_REQUIRED: InvalidInput,
    DIGEST_REQUIRED: InvalidInput,
    INVALID_ANSWER: InvalidInput,
    ANSWER_TOO_LARGE: InvalidInput,
    NOT_ALLOWED_BY_POLICY: Forbidden,
    SIGNATURE_INVALID: Forbidden,
    SIGNATURE_MISMATCH: Forbidden,
    USER_NOT_VERIFIED: Forbidden,
    UNKNOWN_EVENT: NotFound,
    INVALID_EVENT: InvalidInput,
}


class _NoWorkerResponds(Exception):
    """The update timed out, or the run's workflow task fails again and again."""


class Decisions:
    """Sends decisions to running workflows.

    Args:
        within: timeout of the update. After it, the decision is also sent as a signal.
    """

    def __init__(
        self,
        client: Client,
        workflow_ids: WorkflowIds,
        availability: TemporalAvailability,
        *,
        within: timedelta = timedelta(seconds=3),
    ) -> None:
        self._client = client
        self._workflow_ids = workflow_ids
        self._availability = availability
        self._within = within

    async def send(
        self, key: str, decision: Decision, *, lacks_digest: bool = False, by_signal: bool = False
    ) -> DecisionRecord | None:
        """Send a decision to the run of a run key; idempotent, because the update id is the decision id.

        Args:
            lacks_digest: a person decides without a digest, which the run refuses unless the decision repeats
                an earlier one. So it is not sent as a signal.
            by_signal: no worker has responded to another decision of the run, so do not wait for one.

        Returns:
            The workflow's record of the decision. None when no worker responded in time, or the run is
            blocked, and the decision was sent as a durable signal.

        Raises:
            NotFound: the approval is unknown, or the run has ended (`unknown_run`).
            Conflict: the approval is not asked yet or has another outcome, or the digest is stale.
            InvalidInput: the answer violates the pipeline's schema or rules, or an objection has no reason.
            Forbidden: the decider is an agent, or the question's policy excludes it.
            Unavailable: Temporal is unavailable.
        """
        await self._require_temporal()
        return await self._workflow_ids.call(
            key,
            lambda workflow_id: self._send(
                workflow_id, decision, lacks_digest=lacks_digest, by_signal=by_signal
            ),
        )

    async def preview(self, key: str, decisions: Sequence[Decision]) -> tuple[DecisionPreview, ...] | None:
        """Return what the run would do with each decision now, in their order; nothing is changed.

        Returns:
            None when no worker responded in time.

        Raises:
            NotFound: the run is unknown (`unknown_run`).
            Unavailable: Temporal is unavailable.
        """
        await self._require_temporal()
        batch = DecisionBatch(decisions=tuple(decisions))
        return await self._workflow_ids.call(key, lambda workflow_id: self._preview(workflow_id, batch))

    async def _require_temporal(self) -> None:
        if self._availability.is_known_down and not await self._availability.check_promptly():
            raise temporal_unavailable()

    async def _preview(self, workflow_id: str, batch: DecisionBatch) -> tuple[DecisionPreview, ...] | None:
        handle = self._client.get_workflow_handle(workflow_id)
        try:
            async with map_temporal_errors():
                found: DecisionPreviews = await handle.query(
                    QUERY_PREVIEW, batch, result_type=DecisionPreviews, rpc_timeout=self._within
                )
        except (WorkflowQueryFailedError, Unavailable):
            return None
        return found.previews

    async def assign(self, key: str, assignment: Assignment) -> AssignmentRecord:
        """Claim, release or delegate an approval; idempotent by the request id.

        Raises:
            NotFound, Conflict, Forbidden: the workflow refuses it, or the run has ended (`unknown_run`).
            Unavailable: Temporal is unavailable, or no worker responded.
        """
        return await self._workflow_ids.call(key, lambda workflow_id: self._assign(workflow_id, assignment))

    async def _assign(self, workflow_id: str, assignment: Assignment) -> AssignmentRecord:
        handle = self._client.get_workflow_handle(workflow_id)
        try:
            async with map_temporal_errors():
                return await send_update(
                    handle,
                    UPDATE_ASSIGN,
                    assignment,
                    update_id=assignment.request_id,
                    result_type=AssignmentRecord,
                    within=self._within,
                )
        except WorkflowUpdateFailedError as error:
            raise refusal_of(error.cause) from error
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            raise Unavailable("no worker responded; nothing was changed; try again") from None

    async def _send(
        self, workflow_id: str, decision: Decision, *, lacks_digest: bool, by_signal: bool
    ) -> DecisionRecord | None:
        handle = self._client.get_workflow_handle(workflow_id)
        if not by_signal:
            try:
                async with map_temporal_errors():
                    return await self._update(handle, decision)
            except WorkflowUpdateFailedError as error:
                raise refusal_of(error.cause) from error
            except _NoWorkerResponds:
                pass
        if lacks_digest:
            raise InvalidInput(digest_required(decision.approval_id), field="digest", code=DIGEST_REQUIRED)
        # Whether the update was applied is unknown; the workflow drops a second decision of the same id.
        async with map_temporal_errors():
            await self._refuse_if_cancelling(handle)
            await handle.signal(SIGNAL_DECIDE, decision, rpc_timeout=self._within)
        return None

    async def _update(self, handle: WorkflowHandle[Any, Any], decision: Decision) -> DecisionRecord:
        try:
            return await send_update(
                handle,
                UPDATE_DECIDE,
                decision,
                update_id=decision.decision_id,
                result_type=DecisionRecord,
                within=self._within,
            )
        except WorkflowUpdateRPCTimeoutOrCancelledError as error:
            raise _NoWorkerResponds from error
        except RPCError as error:
            if error.status == RPCStatusCode.FAILED_PRECONDITION:
                raise _NoWorkerResponds from error
            raise

    async def _refuse_if_cancelling(self, handle: WorkflowHandle[Any, Any]) -> None:
        """A run whose cancel waits for a worker drops every decision; 202 would promise otherwise."""
        found = await handle.describe(rpc_timeout=self._within)
        if found.raw_description.workflow_extended_info.cancel_requested:
            raise Conflict(f"run {run_id_of(handle.id)} is being cancelled; nothing to decide")


def refusal_of(cause: BaseException) -> SignalboxError:
    """Map the update validator's refusal to a Signalbox error."""
    if not isinstance(cause, ApplicationError):
        return Conflict(f"the run did not accept the decision: {cause}", code="run_ended")
    return error_of(_refusal(cause.type or "rejected", cause.message, cause.details))


def error_of(refusal: ErrorDetails) -> SignalboxError:
    """Map the run's refusal of a decision to a Signalbox error."""
    kind = CLASS_OF_REFUSAL.get(refusal.code, Conflict)
    facts = msgspec.json.decode(refusal.facts, type=dict[str, object])
    for taken in ("detail", "field", "code"):
        facts.pop(taken, None)
    return kind(refusal.message, field=refusal.field, code=refusal.code, **facts)


def _refusal(code: str, message: str, details: Sequence[object]) -> ErrorDetails:
    try:
        return msgspec.json.decode(msgspec.json.encode(details[0]), type=ErrorDetails)
    except (IndexError, TypeError, msgspec.MsgspecError):
        return ErrorDetails(code=code, message=message)
