"""`signalbox-admin capacity`: the size and the monthly cost of a deployment, from a linear model."""

import argparse
from typing import Final

import msgspec

from signalbox_admin.capacity_model import SOURCE, Capacity, Prices, Workload, estimate
from signalbox_admin.command_line import Subparsers, add_command, print_line
from signalbox_core.errors import InvalidInput

_CAVEAT: Final = (
    "A linear model from one machine: it shows the order of magnitude and does not replace a load test."
)


def add_parser(subparsers: Subparsers) -> None:
    parser = add_command(
        subparsers,
        "capacity",
        "estimate processes, storage and monthly cost for a number of runs a minute",
        f"{_CAVEAT} Needs no server (docs/capacity.md).",
    )
    parser.add_argument(
        "--runs-per-minute", type=float, required=True, metavar="N", help="runs started per minute"
    )
    parser.add_argument(
        "--steps", type=float, default=5.0, metavar="N", help="activity calls per run (default 5)"
    )
    parser.add_argument(
        "--approvals", type=float, default=1.0, metavar="N", help="approvals per run (default 1)"
    )
    parser.add_argument(
        "--step-cpu-ms",
        type=float,
        default=0.0,
        metavar="MS",
        help="CPU time of an activity's own work, which the model excludes (default 0)",
    )
    parser.add_argument(
        "--step-seconds",
        type=float,
        default=0.0,
        metavar="S",
        help="how long an activity takes; heartbeats after its first second are billed (default 0)",
    )
    parser.add_argument(
        "--history-days", type=float, default=30.0, metavar="DAYS", help="Temporal's retention (default 30)"
    )
    parser.add_argument(
        "--price",
        action="append",
        default=[],
        metavar="NAME=DOLLARS",
        help=f"replace an assumed price: {', '.join(Prices.__struct_fields__)}",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    workload = Workload(
        runs_per_minute=_not_negative("--runs-per-minute", options.runs_per_minute),
        steps=_not_negative("--steps", options.steps),
        approvals=_not_negative("--approvals", options.approvals),
        step_cpu_ms=_not_negative("--step-cpu-ms", options.step_cpu_ms),
        step_s=_not_negative("--step-seconds", options.step_seconds),
        history_days=_not_negative("--history-days", options.history_days),
    )
    capacity = estimate(workload, _prices(options.price))
    if options.json:
        document = {**msgspec.to_builtins(capacity), "total": capacity.total, "source": SOURCE}
        print_line(msgspec.json.encode(document).decode())
    else:
        for line in report(workload, capacity):
            print_line(line)
    return 0


def report(workload: Workload, capacity: Capacity) -> list[str]:
    """Return the lines of the table."""
    return [
        f"{workload.runs_per_minute:,g} runs a minute; steps of a run: {workload.steps:g}, "
        f"approvals: {workload.approvals:g}",
        "",
        f"{'part':24}{'cores':>10}{'processes':>11}{'memory MB':>12}",
        *(
            f"{part.name:24}{part.cores:>10,.3f}{part.processes:>11,}{_memory(part.memory_mb):>12}"
            for part in capacity.parts
        ),
        "",
        f"{'Redis':24}{capacity.redis_gb:>10,.2f} GB",
        f"{'histories':24}{capacity.history_gb:>10,.2f} GB",
        f"{'Pub/Sub':24}{capacity.pubsub_tb_month:>10,.3f} TB a month",
        f"{'actions of Temporal':24}{capacity.actions_month / 1e6:>10,.2f} million a month",
        "",
        *(f"{item:24}{dollars:>10,.0f} $ a month" for item, dollars in capacity.costs.items()),
        f"{'total':24}{capacity.total:>10,.0f} $ a month",
        f"{'  without Temporal Cloud':24}{capacity.total_without_temporal_cloud:>10,.0f} $ a month",
        "",
        *(f"warning: {warning}" for warning in capacity.warnings),
        _CAVEAT,
        f"Figures: {SOURCE}. Prices are assumptions; replace them with --price.",
    ]


def _memory(megabytes: float) -> str:
    return f"{megabytes:,.0f}" if megabytes else ""


def _prices(given: list[str]) -> Prices:
    prices = {}
    for text in given:
        name, _, value = text.partition("=")
        if name not in Prices.__struct_fields__:
            known = ", ".join(Prices.__struct_fields__)
            raise InvalidInput(
                f"--price: {text!r} is not NAME=DOLLARS; the names are: {known}", field="--price"
            )
        prices[name] = _not_negative(f"--price {name}", _number(text, value))
    return Prices(**prices)


def _number(text: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise InvalidInput(f"--price: {text!r} is not NAME=DOLLARS", field="--price") from None


def _not_negative(name: str, value: float) -> float:
    if not 0 <= value < float("inf"):
        raise InvalidInput(f"{name} must be a number from 0 on (got {value:g})", field=name)
    return value
