"""`signalbox decide RUN [NAME] --all`: one answer for all pending questions of a run."""

import argparse
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from signalbox_client.commands.command_context import CommandContext
from signalbox_client.commands.prompts import read_answer
from signalbox_client.commands.question_text import summary
from signalbox_client.commands.renderers import print_json, table
from signalbox_client.models import Approval
from signalbox_core.errors import InvalidInput

_UNDECIDED: Final = ("refused", "failed")


class BulkDecision(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The outcome of one question, in a dry run the possible one; `status` is that of the gateway."""

    approval_id: str
    title: str
    digest: str
    status: str
    code: str | None = None
    detail: str | None = None


async def decide_all(context: CommandContext, options: argparse.Namespace) -> int:
    """Decide all pending questions, each with the digest of what is listed; 1 if any is or would be refused.

    Raises:
        InvalidInput: there is no --answer.
    """
    if options.answer is None:
        raise InvalidInput("--all needs --answer JSON: the same answer for every question", field="--answer")
    answer = read_answer(options.answer)
    run = await context.client.run(options.run)
    pending = [
        item
        for item in run.approvals
        if item.status == "pending" and options.approval in (None, item.name, item.approval_id)
    ]
    if not context.as_json:
        rows = [(item.approval_id, item.title, summary(item)) for item in pending]
        context.console.print(table(("approval", "question", "shows"), rows))
    outcomes = await _decide(context, options, pending, answer)
    _print(context, outcomes, is_dry_run=options.dry_run)
    return 1 if any(item.status in _UNDECIDED for item in outcomes) else 0


async def _decide(
    context: CommandContext, options: argparse.Namespace, pending: Sequence[Approval], answer: object
) -> Sequence[BulkDecision]:
    found = await context.client.decide_many(
        [(options.run, item) for item in pending], answer, note=options.note, dry_run=options.dry_run
    )
    return [
        BulkDecision(
            approval_id=approval.approval_id,
            title=approval.title,
            digest=approval.digest,
            status=outcome.status,
            code=outcome.code,
            detail=outcome.detail,
        )
        for approval, outcome in zip(pending, found, strict=True)
    ]


def _print(context: CommandContext, outcomes: Sequence[BulkDecision], *, is_dry_run: bool) -> None:
    if context.as_json:
        print_json(context.console, outcomes)
        return
    undecided = [item for item in outcomes if item.status in _UNDECIDED]
    count = len(outcomes) - len(undecided)
    if is_dry_run:
        refusals = f", {len(undecided)} would refuse it" if undecided else ""
        context.print(f"dry run: {count} questions would get this answer{refusals}; nothing was decided")
    else:
        context.print(f"{count} decided, {len(undecided)} refused")
    for item in undecided:
        context.print(f"  {item.approval_id}: {item.detail} ({item.code})")
