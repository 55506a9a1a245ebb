"""`signalbox decide RUN [NAME] --all`: one answer for all pending questions of a run."""

import argparse
import asyncio
import sys
from typing import Final

from msgspec import Struct

from signalbox_client.commands.command_context import CommandContext
from signalbox_client.commands.prompts import parse_answer
from signalbox_client.commands.question_text import summary
from signalbox_client.commands.renderers import print_json, table
from signalbox_client.models import Approval
from signalbox_core.errors import InvalidInput, SignalboxError

_MAX_PARALLEL: Final = 5
"""Temporal accepts ten updates of one run at a time."""


class BulkDecision(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one question; `status` is `pending` in a dry run, else as the gateway answers."""

    approval_id: str
    title: str
    digest: str
    status: str
    code: str | None = None
    detail: str | None = None


async def decide_all(context: CommandContext, options: argparse.Namespace) -> int:
    """Decide all pending questions, each with the digest of what is listed; 1 if any is refused.

    Raises:
        InvalidInput: there is no --answer.
    """
    if options.answer is None:
        raise InvalidInput("--all needs --answer JSON: the same answer for every question", field="--answer")
    answer = parse_answer(sys.stdin.read() if options.answer == "-" else options.answer)
    run = await context.client.run(options.run)
    pending = [
        item
        for item in run.approvals
        if item.status == "pending" and options.approval in (None, item.name, item.approval_id)
    ]
    if not context.as_json:
        rows = [(item.approval_id, item.title, summary(item)) for item in pending]
        context.console.print(table(("approval", "question", "shows"), rows))
    if options.dry_run:
        outcomes = [_outcome(item, "pending") for item in pending]
    else:
        slots = asyncio.Semaphore(_MAX_PARALLEL)
        outcomes = await asyncio.gather(*(_decide(context, options, item, answer, slots) for item in pending))
    _print(context, outcomes, is_dry_run=options.dry_run)
    return 1 if any(item.status == "refused" for item in outcomes) else 0


async def _decide(
    context: CommandContext,
    options: argparse.Namespace,
    approval: Approval,
    answer: object,
    slots: asyncio.Semaphore,
) -> BulkDecision:
    async with slots:
        try:
            decided = await context.client.decide(
                options.run, approval.approval_id, answer, digest=approval.digest, note=options.note
            )
        except SignalboxError as error:
            return _outcome(approval, "refused", code=error.stable_code, detail=error.detail)
        return _outcome(approval, decided.status)


def _outcome(
    approval: Approval, status: str, *, code: str | None = None, detail: str | None = None
) -> BulkDecision:
    return BulkDecision(
        approval_id=approval.approval_id,
        title=approval.title,
        digest=approval.digest,
        status=status,
        code=code,
        detail=detail,
    )


def _print(context: CommandContext, outcomes: list[BulkDecision], *, is_dry_run: bool) -> None:
    if context.as_json:
        print_json(context.console, outcomes)
        return
    refused = [item for item in outcomes if item.status == "refused"]
    if is_dry_run:
        context.print(f"dry run: {len(outcomes)} questions would get this answer; nothing was sent")
    else:
        context.print(f"{len(outcomes) - len(refused)} decided, {len(refused)} refused")
    for item in refused:
        context.print(f"  {item.approval_id}: {item.detail} ({item.code})")
