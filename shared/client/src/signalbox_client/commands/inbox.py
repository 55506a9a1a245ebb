"""`signalbox approvals`: the pending questions, with their policy and the votes so far."""

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from signalbox_client.commands.command_context import CommandContext
from signalbox_client.commands.renderers import format_time, print_json, table
from signalbox_client.models import Approval, InboxEntry
from signalbox_core.errors import NotFound
from signalbox_core.events.policy import describe_progress

_MAX_PARALLEL: Final = 5
_COLUMNS: Final = ("run", "approval", "question", "policy", "votes", "requested", "deadline")


async def approvals(context: CommandContext, _: argparse.Namespace) -> int:
    pending = await context.client.approvals()
    if context.as_json:
        print_json(context.console, pending)
        return 0
    if not pending:
        context.console.print("no pending approvals")
        return 0
    shown = await _questions(context, pending)
    rows = [_row(item, shown.get((item.run_id, item.approval_id))) for item in pending]
    context.console.print(table(_COLUMNS, rows))
    return 0


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
