"""Decides many approvals in one request, each as a decision of its own; or previews it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from starlette.responses import Response

from signalbox_core.errors import InvalidInput, Rejected, SignalboxError
from signalbox_core.events.snapshot import Snapshot
from signalbox_core.pipeline.contract.messages import Decision
from signalbox_gateway.api.approvals import decision_of
from signalbox_gateway.api.endpoint import ApiCall, json_response
from signalbox_gateway.api.schemas import DecideResponse
from signalbox_gateway.api.votes.bulk_schemas import BulkResult, DecideMany, DecideManyResponse
from signalbox_gateway.api.votes.vote_sender import VoteSender
from signalbox_gateway.auth.principal import Principal
from signalbox_gateway.auth.rate_limits import RequestLimiter
from signalbox_gateway.runs.lookup import RunReader

_MAX_PARALLEL: Final = 20
_MAX_PARALLEL_OF_RUN: Final = 5
"""Temporal accepts ten updates of one run at a time, from all callers."""


class BulkDecisionHandler:
    """The handler of /v1/approvals:decide. A refused decision does not stop the others.

    Args:
        limiter: counts each decision as a request of the caller.
    """

    def __init__(self, states: RunReader, votes: VoteSender, limiter: RequestLimiter) -> None:
        self._states = states
        self._votes = votes
        self._limiter = limiter

    async def decide(self, call: ApiCall) -> Response:
        """Decide all, or preview it.

        Raises:
            Forbidden: the caller is an agent.
            InvalidInput: an approval is named twice.
            RateLimited: the caller exceeds its limit; nothing is decided.
        """
        call.principal.require_decider()
        request = await call.body(DecideMany)
        by_run = _group_by_run(call, request)
        await self._limiter.count_further(call.principal, len(request.decisions))
        slots = asyncio.Semaphore(_MAX_PARALLEL)
        async with asyncio.TaskGroup() as tasks:
            pending = [
                tasks.create_task(
                    self._decide_run(call.principal, run_id, decisions, slots, is_dry_run=request.dry_run)
                )
                for run_id, decisions in by_run.items()
            ]
        found = {(item.run_id, item.approval_id): item for task in pending for item in task.result()}
        results = tuple(found[item.run_id, item.approval_id] for item in request.decisions)
        return json_response(DecideManyResponse(dry_run=request.dry_run, results=results))

    async def _decide_run(
        self,
        principal: Principal,
        run_id: str,
        decisions: Sequence[Decision],
        slots: asyncio.Semaphore,
        *,
        is_dry_run: bool,
    ) -> Sequence[BulkResult]:
        try:
            async with slots:
                snapshot = (await self._states.get(principal, run_id)).snapshot
                replies = await self._votes.preview(principal, snapshot, decisions) if is_dry_run else ()
        except SignalboxError as error:
            replies = [error] * len(decisions)
        else:
            if not is_dry_run:
                replies = await self._send_all(principal, snapshot, decisions, slots)
        return [_result(run_id, decision, reply) for decision, reply in zip(decisions, replies, strict=True)]

    async def _send_all(
        self,
        principal: Principal,
        snapshot: Snapshot,
        decisions: Sequence[Decision],
        slots: asyncio.Semaphore,
    ) -> Sequence[DecideResponse | SignalboxError]:
        run_slots = asyncio.Semaphore(_MAX_PARALLEL_OF_RUN)
        has_worker = True

        async def send(decision: Decision) -> DecideResponse | SignalboxError:
            nonlocal has_worker
            async with run_slots, slots:
                try:
                    reply = await self._votes.send(principal, snapshot, decision, by_signal=not has_worker)
                except SignalboxError as error:
                    return error
                has_worker = has_worker and reply.status != "recorded"
                return reply

        async with asyncio.TaskGroup() as tasks:
            pending = [tasks.create_task(send(decision)) for decision in decisions]
        return [task.result() for task in pending]


def _group_by_run(call: ApiCall, request: DecideMany) -> Mapping[str, Sequence[Decision]]:
    named: set[tuple[str, str]] = set()
    by_run: dict[str, list[Decision]] = {}
    for number, item in enumerate(request.decisions):
        if (item.run_id, item.approval_id) in named:
            raise InvalidInput(
                f"approval {item.approval_id[:128]} of run {item.run_id[:128]} is named twice; name it once",
                field=f"decisions[{number}].approval_id",
            )
        named.add((item.run_id, item.approval_id))
        decision = decision_of(call, item, item.approval_id, door="bulk")
        by_run.setdefault(item.run_id, []).append(decision)
    return by_run


def _result(run_id: str, decision: Decision, reply: DecideResponse | SignalboxError) -> BulkResult:
    if isinstance(reply, SignalboxError):
        return BulkResult(
            run_id=run_id,
            approval_id=decision.approval_id,
            decision_id=decision.decision_id,
            status="refused" if isinstance(reply, Rejected) else "failed",
            code=reply.stable_code,
            detail=reply.detail,
        )
    return BulkResult(
        run_id=run_id,
        approval_id=decision.approval_id,
        decision_id=reply.decision_id,
        status=reply.status,
        quorum=reply.quorum,
        message=reply.message,
    )
