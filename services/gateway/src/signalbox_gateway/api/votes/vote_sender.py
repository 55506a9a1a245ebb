"""Sends votes to runs, and shows what they would do; the reply of every entry point that decides."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

from signalbox_core.errors import InvalidInput, NotFound, SignalboxError
from signalbox_core.events.policy import describe_progress
from signalbox_core.events.snapshot import BlockedState, Snapshot
from signalbox_core.ids import run_key
from signalbox_core.pipeline.contract.messages import (
    ANSWER_TOO_LARGE,
    DIGEST_REQUIRED,
    MAX_ANSWER_BYTES,
    SIGNATURE_REQUIRED,
    Decision,
    DecisionPreview,
    DecisionRecord,
    VoteResult,
    answer_too_large,
    digest_required,
    signature_required,
)
from signalbox_core.pipeline.spec import PipelineSpec, json_schema
from signalbox_gateway.api.schemas import DecideResponse
from signalbox_gateway.auth.principal import Principal
from signalbox_gateway.http import validation
from signalbox_gateway.passkeys.decision_signatures import DecisionAssertion, DecisionSignatures
from signalbox_gateway.runs.decide import Decisions, error_of
from signalbox_gateway.runs.lookup import RunReader
from signalbox_gateway.runs.outcomes import check_same_answer, find_approval, recorded_outcome, run_ended

_STATUS: Final[Mapping[VoteResult, Literal["accepted", "counted", "vetoed"]]] = {
    "decided": "accepted",
    "counted": "counted",
    "vetoed": "vetoed",
}


class VoteSender:
    """Sends votes to the workflow, which accepts or refuses them.

    Only what the workflow cannot do is done here: the responses once the run has ended, and, because the
    workflow cannot refuse a decision that it gets as a signal (when no worker responds to the update), the
    checks of the answer's type and of the presence of a digest and of a signature. Passkeys are looked up
    here.
    """

    def __init__(
        self,
        states: RunReader,
        decisions: Decisions,
        pipelines: Mapping[str, PipelineSpec],
        signatures: DecisionSignatures,
    ) -> None:
        self._states = states
        self._decisions = decisions
        self._pipelines = pipelines
        self._signatures = signatures

    async def send(
        self,
        principal: Principal,
        snapshot: Snapshot,
        decision: Decision,
        *,
        signature: DecisionAssertion | None = None,
        by_signal: bool = False,
    ) -> DecideResponse:
        """Send a vote; idempotent by its decision id.

        Args:
            snapshot: of the run, as the projection has it.
            signature: with the passkey of who votes.
            by_signal: as of `Decisions.send`.

        Raises:
            SignalboxError: as `Decisions.send` or `DecisionSignatures.verify`, or the run has ended.
        """
        record = self._recorded(snapshot, decision)
        if record is None:
            if signature is None:
                _check_unsigned(snapshot, decision)
            else:
                tenant, run_id = principal.tenant, snapshot.run_id
                decision = await self._signatures.verify(tenant, run_id, decision, signature)
            record = await self._send(principal, snapshot, decision, by_signal=by_signal)
        if record is None:
            return _stored(snapshot.run_id, decision, snapshot.blocked)
        return _applied(snapshot.run_id, record)

    async def preview(
        self, principal: Principal, snapshot: Snapshot, decisions: Sequence[Decision]
    ) -> Sequence[DecideResponse | SignalboxError]:
        """Return what each vote would do now, in the order of the decisions. Changes nothing.

        Raises:
            Unavailable: Temporal is unavailable.
        """
        found: dict[str, DecideResponse | SignalboxError] = {}
        open_votes = []
        for decision in decisions:
            try:
                record = self._recorded(snapshot, decision)
                if record is None:
                    _check_unsigned(snapshot, decision)
                lacks_digest = record is None and self._lacks_digest(snapshot, decision)
            except SignalboxError as error:
                found[decision.approval_id] = error
                continue
            if record is not None:
                found[decision.approval_id] = _applied(snapshot.run_id, record)
            else:
                open_votes.append((decision, lacks_digest))
        if open_votes:
            found.update(await self._preview(principal, snapshot, open_votes))
        return [found[decision.approval_id] for decision in decisions]

    async def _preview(
        self, principal: Principal, snapshot: Snapshot, votes: Sequence[tuple[Decision, bool]]
    ) -> Mapping[str, DecideResponse | SignalboxError]:
        run_id = snapshot.run_id
        decisions = [decision for decision, _ in votes]
        try:
            previews = await self._decisions.preview(run_key(principal.tenant, run_id), decisions)
        except NotFound:
            return {decision.approval_id: run_ended(run_id, "ended") for decision in decisions}
        if previews is None:
            return {
                decision.approval_id: _no_digest(decision)
                if lacks_digest
                else _stored(run_id, decision, snapshot.blocked)
                for decision, lacks_digest in votes
            }
        return {
            decision.approval_id: _previewed(run_id, decision, preview)
            for decision, preview in zip(decisions, previews, strict=True)
        }

    def _recorded(self, snapshot: Snapshot, decision: Decision) -> DecisionRecord | None:
        """The record of a vote that the snapshot holds; None when the workflow has to answer.

        Raises:
            InvalidInput: the answer is too large or of another type.
            Conflict: as `recorded_outcome`.
        """
        _check_size(decision)
        if not decision.objection:
            self._check_answer(snapshot, decision)
        return recorded_outcome(snapshot, decision)

    async def _send(
        self, principal: Principal, snapshot: Snapshot, decision: Decision, *, by_signal: bool
    ) -> DecisionRecord | None:
        lacks_digest = self._lacks_digest(snapshot, decision)
        try:
            record = await self._decisions.send(
                run_key(principal.tenant, snapshot.run_id),
                decision,
                lacks_digest=lacks_digest,
                by_signal=by_signal,
            )
        except NotFound as error:
            if error.stable_code != "unknown_run":
                raise
            return await self._outcome_after_end(principal, snapshot.run_id, decision)
        if record is not None:
            # Temporal deduplicates updates by id before the workflow sees a second answer under the same id.
            check_same_answer(decision, record)
        return record

    async def _outcome_after_end(
        self, principal: Principal, run_id: str, decision: Decision
    ) -> DecisionRecord:
        """The outcome when the run ended after its snapshot was read.

        The projection may lack the end, so the workflow's snapshot is read as well.
        """
        projected = (await self._states.get(principal, run_id)).snapshot
        for snapshot in (projected, await self._states.snapshot_from_temporal(projected.key)):
            record = recorded_outcome(snapshot, decision) if snapshot is not None else None
            if record is not None:
                return record
        raise run_ended(run_id, "ended")

    def _lacks_digest(self, snapshot: Snapshot, decision: Decision) -> bool:
        """Whether a person decides a question without the digest of what was shown.

        Raises:
            InvalidInput: `digest_required`: so it is, and the question is asked.
        """
        is_service = decision.decider is not None and decision.decider.kind == "service"
        if decision.digest is not None or is_service:
            return False
        if find_approval(snapshot, decision.approval_id) is not None:
            raise _no_digest(decision)
        spec = self._pipelines.get(snapshot.pipeline)
        declared = spec.approvals if spec is not None else ()
        return not any(item.early and decision.approval_id.startswith(item.name) for item in declared)

    def _check_answer(self, snapshot: Snapshot, decision: Decision) -> None:
        spec, state = self._pipelines.get(snapshot.pipeline), find_approval(snapshot, decision.approval_id)
        if spec is None or state is None:
            return
        contract = next((item for item in spec.approvals if item.name == state.name), None)
        # The workflow validates an answer to a question that another version of the contract asked.
        if contract is not None and _is_schema_of(contract.answer, state.answer_schema):
            validation.decode(contract.answer, decision.answer, at="answer")


def _check_size(decision: Decision) -> None:
    """Raises: InvalidInput: `answer_too_large`."""
    if (size := len(bytes(decision.answer))) > MAX_ANSWER_BYTES:
        message = answer_too_large(decision.approval_id, size)
        raise InvalidInput(message, field="answer", code=ANSWER_TOO_LARGE)


def _is_schema_of(answer: type[msgspec.Struct], recorded: msgspec.Raw) -> bool:
    live = msgspec.json.encode(json_schema(answer))
    return bool(msgspec.json.decode(live) == msgspec.json.decode(recorded))


def _check_unsigned(snapshot: Snapshot, decision: Decision) -> None:
    """Check that a question needs no signature.

    Raises:
        InvalidInput: `signature_required`.
    """
    state = find_approval(snapshot, decision.approval_id)
    if state is not None and state.policy is not None and state.policy.require_signature:
        raise InvalidInput(
            signature_required(decision.approval_id), field="signature", code=SIGNATURE_REQUIRED
        )


def _no_digest(decision: Decision) -> InvalidInput:
    return InvalidInput(digest_required(decision.approval_id), field="digest", code=DIGEST_REQUIRED)


def _applied(run_id: str, record: DecisionRecord) -> DecideResponse:
    return DecideResponse(
        run_id=run_id,
        approval_id=record.approval_id,
        decision_id=record.decision_id,
        status=_STATUS[record.result or "decided"],
        decided_by=record.decided_by,
        decided_at=record.decided_at,
        answer=record.answer,
        quorum=record.quorum or (),
        message=describe_progress(record.quorum) if record.quorum else None,
    )


def _previewed(run_id: str, decision: Decision, preview: DecisionPreview) -> DecideResponse | SignalboxError:
    if preview.refusal is not None:
        return error_of(preview.refusal)
    return DecideResponse(
        run_id=run_id,
        approval_id=decision.approval_id,
        decision_id=decision.decision_id,
        status=_STATUS[preview.result],
        decided_by=decision.decided_by,
        decided_at=None,
        answer=decision.answer,
        quorum=preview.quorum,
        message=describe_progress(preview.quorum) if preview.quorum else None,
    )


def _stored(run_id: str, decision: Decision, blocked: BlockedState | None) -> DecideResponse:
    return DecideResponse(
        run_id=run_id,
        approval_id=decision.approval_id,
        decision_id=decision.decision_id,
        status="recorded",
        decided_by=decision.decided_by,
        decided_at=None,
        answer=decision.answer,
        blocked=blocked,
    )
