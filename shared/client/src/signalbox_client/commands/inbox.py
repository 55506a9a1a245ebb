"""`signalbox approvals`: the pending questions, with their policy and the votes so far."""

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from signalbox_client.commands.command_context import CommandContext
from signalbox_client.commands.renderers import format_time, print_json, table
from signalbox_client.models import Approval, ApprovalPolicy, InboxEntry
from signalbox_core.errors import NotFound
from signalbox_core.events.policy import QuorumProgress, describe_progress
from signalbox_core.events.states import ClaimState, RefusedVoteState, VoteState

_MAX_PARALLEL: Final = 5
_COLUMNS: Final = ("run", "approval", "question", "policy", "votes", "requested", "deadline")


class ListedApproval(Struct, frozen=True, kw_only=True):
    """A pending question in the JSON output: its entry in the inbox, its policy and the votes so far.

    Attributes:
        policy: None, as the votes are empty, if the run cannot be read any more.
    """

    run_id: str
    approval_id: str
    title: str
    pipeline: str
    requested_at: datetime
    deadline_at: datetime | None
    policy: ApprovalPolicy | None = None
    quorum: tuple[QuorumProgress, ...] = ()
    votes: tuple[VoteState, ...] = ()
    claim: ClaimState | None = None
    refused: tuple[RefusedVoteState, ...] = ()


async def approvals(context: CommandContext, _: argparse.Namespace) -> int:
    pending = await context.client.approvals()
    if not pending and not context.as_json:
        context.console.print("no pending approvals")
        return 0
    shown = await _questions(context, pending)
    if context.as_json:
        listed = [_listed(item, shown.get((item.run_id, item.approval_id))) for item in pending]
        print_json(context.console, listed)
        return 0
    rows = [_row(item, shown.get((item.run_id, item.approval_id))) for item in pending]
    context.console.print(table(_COLUMNS, rows))
    return 0


def _listed(item: InboxEntry, approval: Approval | None) -> ListedApproval:
    entry = ListedApproval(
        run_id=item.run_id,
        approval_id=item.approval_id,
        title=item.title,
        pipeline=item.pipeline,
        requested_at=item.requested_at,
        deadline_at=item.deadline_at,
    )
    if approval is None:
        return entry
    return replace(
        entry,
        policy=approval.policy,
        quorum=approval.quorum,
        votes=approval.votes,
        claim=approval.claim,
        refused=approval.refused,
    )


def _row(item: InboxEntry, approval: Approval | None) -> tuple[str, ...]:
    return (
        item.run_id,
        item.approval_id,
        item.title,
        approval.policy.text if approval is not None else "",
        describe_votes_briefly(approval) if approval is not None else "",
        format_time(item.requested_at),
        format_time(item.deadline_at),
    )


def describe_votes_briefly(approval: Approval) -> str:
    """What is still needed, who has claimed the question, and how many votes were refused."""
    parts = []
    if any(item.counted for item in approval.quorum):
        parts.append(describe_progress(approval.quorum))
    objections = sum(vote.objection for vote in approval.votes)
    if objections:
        parts.append(f"{objections} objected")
    if approval.claim is not None:
        parts.append(f"claimed by {approval.claim.by.name or approval.claim.by.subject}")
    if approval.refused:
        parts.append(f"{len(approval.refused)} refused")
    return "; ".join(parts)


async def _questions(
    context: CommandContext, pending: Sequence[InboxEntry]
) -> Mapping[tuple[str, str], Approval]:
    """Read the runs that ask; one that is gone by now is left out."""
    slots = asyncio.Semaphore(_MAX_PARALLEL)

    async def read(run_id: str) -> Sequence[tuple[tuple[str, str], Approval]]:
        async with slots:
            try:
                run = await context.client.run(run_id)
            except NotFound:
                return ()
        return [((run_id, approval.approval_id), approval) for approval in run.approvals]

    runs = await asyncio.gather(*(read(run_id) for run_id in dict.fromkeys(item.run_id for item in pending)))
    return dict(found for run in runs for found in run)
