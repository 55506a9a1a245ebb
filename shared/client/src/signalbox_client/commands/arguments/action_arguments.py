"""The arguments of the commands that decide approvals and control runs."""

from signalbox_client.commands import decide as decide_commands
from signalbox_client.commands import inbox as inbox_command
from signalbox_client.commands import retry as retry_commands
from signalbox_client.commands import runs as run_commands
from signalbox_client.commands.command_context import AddCommand, add_run, whole_number
from signalbox_client.commands.send import add_send


def add_actions(add: AddCommand) -> None:
    add("approvals", "list the pending approvals, with policy and votes", inbox_command.approvals)
    decide = add(
        "decide",
        "show an approval's question and answer it",
        decide_commands.decide,
        details="On a terminal you are prompted for the answer; elsewhere give --answer, --agree or "
        "--object. It is refused if the question changes meanwhile.",
    )
    add_run(decide)
    decide.add_argument(
        "approval",
        metavar="APPROVAL",
        nargs="?",
        help="the approval's id, see `signalbox approvals`; with --all the name of the questions to decide",
    )
    decide.add_argument("--all", action="store_true", help="give --answer to all pending questions of RUN")
    decide.add_argument(
        "--dry-run", action="store_true", help="with --all: show which questions would refuse the answer"
    )
    vote = decide.add_mutually_exclusive_group()
    vote.add_argument("--answer", metavar="JSON", help="the answer as a JSON object (-: from standard input)")
    vote.add_argument("--agree", action="store_true", help="submit the answer that the votes so far agree on")
    vote.add_argument("--object", metavar="REASON", help="object, with a reason")
    decide.add_argument("--note", metavar="TEXT", help="a comment, stored with the decision")
    for name, text in decide_commands.ASSIGNMENTS.items():
        assign = add(name, text, decide_commands.assign)
        add_run(assign)
        assign.add_argument("approval", metavar="APPROVAL", help="the approval's id")
        assign.set_defaults(action=name)
    assign.add_argument("to", metavar="TO", help="a subject (key:ID, ISSUER#SUBJECT), or group:NAME")
    assign.add_argument("--note", metavar="TEXT", help="a comment for the delegate")
    cancel = add("cancel", "cancel a run; it cleans up first", run_commands.cancel)
    add_run(cancel)
    cancel.add_argument("--reason", metavar="TEXT", help="the reason, stored with the run")
    add_run(add("pause", "pause a run: it starts no further step", run_commands.pause))
    add_run(add("resume", "resume a paused run", run_commands.resume))
    add_send(add)
    _add_retry(add)


def _add_retry(add: AddCommand) -> None:
    retry = add(
        "retry",
        "retry runs that have ended",
        retry_commands.retry,
        details="By default a run continues from its failed step, under the same id; completed steps keep "
        "their results. With --from start a new run repeats it; its input can be changed with the flags of "
        "`signalbox start`. --where retries every run that matches, at a steady rate.",
    )
    retry.add_argument("run", metavar="RUN", nargs="?", help="the run id; or use --where")
    retry.add_argument(
        "--from",
        dest="at",
        choices=("failed", "start"),
        default="failed",
        help="where to begin (default: %(default)s)",
    )
    retry.add_argument("--where", metavar="QUERY", help="a search, as in 'status:failed started:7d'")
    retry.add_argument(
        "--dry-run", action="store_true", help="list the runs that --where selects, without retrying them"
    )
    retry.add_argument(
        "--per-second",
        type=whole_number,
        default=5,
        metavar="N",
        help="runs retried each second (default: %(default)s)",
    )
