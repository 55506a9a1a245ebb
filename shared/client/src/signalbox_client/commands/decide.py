"""`signalbox decide`, `receipt`, `claim`, `release` and `delegate`."""

import argparse
import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from signalbox_client.commands.command_context import CommandContext
from signalbox_client.commands.decide_all import decide_all
from signalbox_client.commands.prompts import picture_of, prompt_for_answer, read_answer
from signalbox_client.commands.question_text import artifact_names, question_lines
from signalbox_client.commands.renderers import format_time, print_json
from signalbox_client.models import Approval, Decided
from signalbox_core.errors import Conflict, InvalidInput, SignalboxError
from signalbox_core.events.policy import describe_progress

ASSIGNMENTS: Final = {
    "claim": "claim an approval for 15 minutes: others see that you are deciding",
    "release": "end your claim on an approval",
    "delegate": "ask someone else to decide an approval",
}
"""The commands that change who deals with an approval, with their help."""


async def receipt(context: CommandContext, options: argparse.Namespace) -> int:
    """Print the receipt as it is, or save it."""
    body = await context.client.receipt(options.run, options.approval)
    if options.to is None:
        context.print(body.decode())
        return 0
    try:
        await asyncio.to_thread(Path(options.to).write_bytes, body)
    except OSError as error:
        raise InvalidInput(f"--to {options.to}: {error.strerror}", field="--to") from None
    context.print(options.to)
    return 0


async def decide(context: CommandContext, options: argparse.Namespace) -> int:
    """Show the question. Send --answer, --agree or --object once; at a terminal, prompt for an answer."""
    if options.all:
        return await decide_all(context, options)
    if options.approval is None or options.dry_run:
        raise InvalidInput(
            "name the APPROVAL, see `signalbox approvals`; --dry-run needs --all", field="APPROVAL"
        )
    approval = await context.client.approval(options.run, options.approval)
    if not context.as_json and (options.answer or options.agree or options.object) is not None:
        context.print("\n".join([*question_lines(approval, {}), *describe_votes(approval)]))
    if options.object is not None:
        decided = await context.client.raise_objection(
            options.run, options.approval, options.object, shown=approval
        )
    elif options.agree:
        decided = await context.client.decide(
            options.run, options.approval, _given_answer(approval), shown=approval, note=options.note
        )
    elif options.answer is not None:
        answer = read_answer(options.answer)
        decided = await context.client.decide(
            options.run, options.approval, answer, shown=approval, note=options.note
        )
    else:
        decided = await decide_interactively(context, options.run, approval, options.note)
    _print_decided(context, decided)
    return 0


async def assign(context: CommandContext, options: argparse.Namespace) -> int:
    """Claim, release or delegate an approval."""
    client = context.client
    if options.action == "delegate":
        assigned = await client.delegate(options.run, options.approval, options.to, note=options.note)
    elif options.action == "claim":
        assigned = await client.claim(options.run, options.approval)
    else:
        assigned = await client.release(options.run, options.approval)
    if context.as_json:
        print_json(context.console, assigned)
    elif options.action == "claim":
        context.print(f"claimed until {format_time(assigned.claimed_until)}")
    else:
        context.print(f"delegated to {options.to}" if options.action == "delegate" else "released")
    return 0


def _given_answer(approval: Approval) -> msgspec.Raw:
    """The answer on which all who have answered agree.

    Raises:
        InvalidInput: nobody has answered, or their answers differ.
    """
    answers = [vote.answer for vote in approval.votes if not vote.objection]
    if not answers:
        raise InvalidInput("nobody has answered yet; give the answer with --answer", field="--agree")
    if any(msgspec.json.decode(answer) != msgspec.json.decode(answers[0]) for answer in answers):
        raise InvalidInput("the answers so far differ; give yours with --answer", field="--agree")
    return answers[0]


async def decide_interactively(
    context: CommandContext, run_id: str, approval: Approval, note: str | None = None
) -> Decided:
    """Prompt for the answer; prompt again if the run rejects it.

    Raises:
        InvalidInput: there is no terminal, or the user pressed Ctrl-D; the approval stays pending.
        Conflict: the approval is not pending.
    """
    if approval.status != "pending":
        raise Conflict(f"approval {approval.approval_id} of run {run_id} is {approval.status}; nothing to do")
    if not context.is_interactive:
        raise InvalidInput(
            "give the answer with --answer JSON: there is no terminal to prompt on", field="--answer"
        )
    with (
        _unanswered_notice(run_id, approval.approval_id),
        _picture_file(context, approval),
        TemporaryDirectory(prefix="signalbox-") as folder,
    ):
        files = await _save_pictures(context, run_id, approval, Path(folder))
        context.print("\n".join([*question_lines(approval, files), *describe_votes(approval)]))
        while True:
            try:
                answer = await prompt_for_answer(approval, context.prompt, context.print)
                return await context.client.decide(
                    run_id, approval.approval_id, answer, shown=approval, note=note
                )
            except EOFError:
                raise InvalidInput(
                    f"no answer given; approval {approval.approval_id} is still pending", field="--answer"
                ) from None
            except InvalidInput as error:
                context.print(f"\nThe run rejected this answer: {error.detail}\n")


@contextmanager
def _unanswered_notice(run_id: str, approval_id: str) -> Iterator[None]:
    """On Ctrl-C, state on standard error that nothing was sent, and how to return to the question."""
    try:
        yield
    except asyncio.CancelledError:
        command = f"signalbox decide {run_id} {approval_id}"
        print(f"\nsignalbox: stopped; the approval is still pending. To return: {command}", file=sys.stderr)
        raise


async def _save_pictures(
    context: CommandContext, run_id: str, approval: Approval, folder: Path
) -> dict[str, str]:
    """Save the pictures of the candidates while the user is prompted; one that cannot be read is left out."""
    saved = {}
    for number, name in enumerate(artifact_names(approval), 1):
        with suppress(SignalboxError):
            # Artifacts of different folders may have the same file name.
            path = folder / f"{number}-{Path(name).name}"
            path.write_bytes(await context.client.artifact(run_id, name))
            saved[name] = str(path)
    return saved


def describe_votes(approval: Approval) -> Iterator[str]:
    """The policy of an approval, the votes so far and what is still needed, one line each."""
    if approval.about:
        yield approval.about
    if approval.policy.text:
        yield f"policy: {approval.policy.text}"
    for vote in approval.votes:
        voter = vote.voted_by.name or vote.voted_by.subject
        yield (
            f"{voter} objected: {vote.note}"
            if vote.objection
            else f"{voter} answered {bytes(vote.answer).decode()}"
        )
    for refused in approval.refused:
        voter = refused.voted_by.name or refused.voted_by.subject
        yield f"the vote of {voter} was refused: {refused.reason}"
    if approval.status == "pending" and any(item.counted for item in approval.quorum):
        yield f"votes: {describe_progress(approval.quorum)}"


@contextmanager
def _picture_file(context: CommandContext, approval: Approval) -> Iterator[None]:
    """Save the question's picture to a temporary file while the user is prompted."""
    picture = picture_of(approval)
    if picture is None:
        yield
        return
    with TemporaryDirectory(prefix="signalbox-") as folder:
        path = Path(folder) / f"picture.{picture.suffix}"
        path.write_bytes(picture.body)
        context.print(f"The picture is in {path} (open it in a browser).")
        yield


def _print_decided(context: CommandContext, decided: Decided) -> None:
    if context.as_json:
        print_json(context.console, decided)
    elif decided.status == "recorded":
        context.print(f"recorded ({decided.decision_id}); it is applied when a worker is available")
        if decided.blocked is not None:
            context.print(f"the run is blocked: {decided.blocked.reason}")
    elif decided.status == "counted":
        context.print(f"counted ({decided.decision_id}): {decided.message or 'the approval stays pending'}")
    else:
        word = "vetoed" if decided.status == "vetoed" else "decided"
        context.print(f"{word} ({decided.decision_id})")
