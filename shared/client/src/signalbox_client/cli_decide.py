"""`signalbox approvals` and `signalbox decide`."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from signalbox_client.models import Approval, Decided
from signalbox_client.prompts import ask_answer, parse_answer, picture_of
from signalbox_client.screen import moment, print_json, table
from signalbox_client.session import Session
from signalbox_core.errors import Conflict, InvalidInput


async def approvals(session: Session, _: argparse.Namespace) -> int:
    waiting = await session.client.approvals()
    if session.as_json:
        print_json(session.console, waiting)
        return 0
    rows = [
        (item.run_id, item.approval_id, item.title, moment(item.requested_at), moment(item.deadline_at))
        for item in waiting
    ]
    session.console.print(
        table(("run", "approval", "question", "asked", "deadline"), rows)
        if rows
        else "nothing waits for a decision"
    )
    return 0


async def decide(session: Session, options: argparse.Namespace) -> int:
    """With --answer once; on a terminal until the answer is accepted."""
    approval = await session.client.approval(options.run, options.approval)
    if options.answer is not None:
        answer = parse_answer(sys.stdin.read() if options.answer == "-" else options.answer)
        decided = await session.client.decide(
            options.run, options.approval, answer, digest=approval.digest or None, note=options.note
        )
    else:
        decided = await decide_by_asking(session, options.run, approval, options.note)
    _tell(session, decided)
    return 0


async def decide_by_asking(
    session: Session, run_id: str, approval: Approval, note: str | None = None
) -> Decided:
    """Ask the person at the terminal; an answer that the run refuses is asked again.

    Raises:
        InvalidInput: there is no terminal, or the person gave up (Ctrl-D); the approval stays open.
        Conflict: it is decided already.
    """
    if approval.status != "pending":
        raise Conflict(f"approval {approval.approval_id} of run {run_id} is {approval.status}; nothing to do")
    if not session.can_ask:
        raise InvalidInput(
            "give the answer with --answer JSON (there is no terminal to ask on)", field="--answer"
        )
    session.tell(approval.title)
    with _picture_to_look_at(session, approval):
        while True:
            try:
                answer = await ask_answer(approval, session.ask, session.tell)
                return await session.client.decide(
                    run_id, approval.approval_id, answer, digest=approval.digest or None, note=note
                )
            except EOFError:
                raise InvalidInput(
                    f"no answer given; approval {approval.approval_id} stays open", field="--answer"
                ) from None
            except InvalidInput as error:
                session.tell(f"\nthe run did not take that: {error.detail}\n")


@contextmanager
def _picture_to_look_at(session: Session, approval: Approval) -> Iterator[None]:
    """The question's picture as a file, as long as it is asked; a browser shows it."""
    picture = picture_of(approval)
    if picture is None:
        yield
        return
    with TemporaryDirectory(prefix="signalbox-") as folder:
        path = Path(folder) / f"picture.{picture.ending}"
        path.write_bytes(picture.body)
        session.tell(f"The picture is in {path} (a browser opens it).")
        yield


def _tell(session: Session, decided: Decided) -> None:
    if session.as_json:
        print_json(session.console, decided)
    elif decided.status == "recorded":
        session.tell(f"recorded as {decided.decision_id}; it is applied as soon as a worker runs")
    else:
        session.tell(f"decided ({decided.decision_id})")
