"""The arguments of the commands that read runs, events, files and receipts."""

from signalbox_client.commands import decide as decide_commands
from signalbox_client.commands import outcome as outcome_commands
from signalbox_client.commands import runs as run_commands
from signalbox_client.commands import watch as watch_commands
from signalbox_client.commands.command_context import AddCommand, add_run, whole_number


def add_queries(add: AddCommand) -> None:
    runs = add(
        "runs",
        "list or search runs, newest first",
        run_commands.runs,
        details="QUERY has the search keys status, pipeline, by, tag, started, ended, error, step and "
        "find.NAME, and words of the subject.",
    )
    runs.add_argument(
        "q",
        metavar="QUERY",
        nargs="?",
        default="",
        help="as in 'status:failed by:minh started:7d coffee'",
    )
    runs.add_argument(
        "--status",
        metavar="STATUS",
        choices=("running", "completed", "failed", "cancelled", "terminated", "timed_out"),
        help="only runs that are running, completed, failed, cancelled, terminated or timed_out",
    )
    runs.add_argument("--pipeline", metavar="NAME", help="only runs of this pipeline")
    runs.add_argument(
        "--limit", type=whole_number, default=20, metavar="N", help="how many to list (default: %(default)s)"
    )
    add_run(
        add("show", "show a run's steps, pending approvals, waits, files and child runs", run_commands.show)
    )
    add_run(
        add(
            "input",
            "print what a run was started with",
            run_commands.show_input,
            details="Prints JSON that `signalbox start NAME --input FILE` accepts. Secrets are masked: give "
            "them again as flags.",
        )
    )
    result = add(
        "result",
        "print the result of a run, as JSON",
        outcome_commands.result,
        details="Exit code 0 if the run completed; 1 if it ended without a result, whose reason is printed; "
        "2 if it has not ended, unless --wait is given.",
    )
    add_run(result)
    result.add_argument("--wait", action="store_true", help="wait until the run has ended")
    opened = add(
        "open",
        "open a run's page in the console",
        outcome_commands.open_run,
        details="Prints the address and opens it in the browser, if there is one.",
    )
    add_run(opened)
    opened.add_argument("--no-browser", action="store_true", help="only print the address")
    receipt = add(
        "receipt",
        "print the receipt of a decision, or save it",
        decide_commands.receipt,
        details="`signalbox-admin audit verify FILE` checks it offline.",
    )
    add_run(receipt)
    receipt.add_argument("approval", metavar="APPROVAL", help="the approval's id in the run")
    receipt.add_argument("--to", metavar="FILE", help="save the receipt in this file")
    artifacts = add("artifacts", "list a run's files, or save them", run_commands.artifacts)
    add_run(artifacts)
    artifacts.add_argument("--to", metavar="DIR", help="save the files in this folder")
    events = add(
        "events",
        "print the events of runs",
        watch_commands.events,
        details="Prints the events so far of each RUN; with --follow also those to come. Without a RUN, "
        "--follow prints the events of all your runs.",
    )
    events.add_argument(
        "runs", metavar="RUN", nargs="*", help="a run id (default with --follow: all your runs)"
    )
    events.add_argument("--follow", "-f", action="store_true", help="print new events until Ctrl-C")
