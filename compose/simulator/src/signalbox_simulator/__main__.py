"""`python -m signalbox_simulator`: compare autoscalers, recompute a decision log, or estimate the cost of
imports.
"""

import argparse
import gzip
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from signalbox_autoscaler.audit.recompute import recompute
from signalbox_autoscaler.model import ScalingDecisionRecord, ScalingPolicy
from signalbox_core.errors import InvalidInput
from signalbox_simulator import cost_study, report
from signalbox_simulator.outcome import SimulationOutcome, simulate
from signalbox_simulator.scalers import PEERS, SIGNALBOX_SIZING, new_scaler
from signalbox_simulator.traces import GENERATED, TEST_SEEDS, TUNING_SEEDS, Trace, read_trace, trace_of_log

SETS = {"tuning": TUNING_SEEDS, "test": TEST_SEEDS}
_MAX_DIFFERENCES_SHOWN = 10
_DESCRIPTION = (
    "Compare autoscalers on simulated traces, recompute a decision log, or estimate the cost of imports."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 success, 1 a recomputed decision differs from the log, 2 an invalid argument or file."""
    options = _parser().parse_args(arguments)
    try:
        if options.replay:
            return _recompute(options.replay)
        if options.scale_study is not None:
            return _estimate_cost(Path(options.scale_study) if options.scale_study else None)
        return _compare(options)
    except InvalidInput as error:
        sys.stderr.write(f"simulate: {error.detail}\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        allow_abbrev=False, prog="python -m signalbox_simulator", description=_DESCRIPTION
    )
    parser.add_argument(
        "--traces",
        default="ramp,closed,paced",
        help=f"any of {', '.join(GENERATED)}; or all (default %(default)s)",
    )
    parser.add_argument(
        "--trace-file",
        action="append",
        type=Path,
        default=[],
        help="use a recorded trace (JSON); can be repeated",
    )
    parser.add_argument(
        "--from-log",
        type=Path,
        help="derive the trace from the decision log of one queue (NDJSON, optionally gzipped)",
    )
    parser.add_argument(
        "--set",
        choices=SETS,
        default="test",
        help="the seeds: those the sizing was tuned on, or those held back (default %(default)s)",
    )
    parser.add_argument("--seeds", help="seeds to use instead of a set, for example 7,8")
    parser.add_argument(
        "--scalers",
        default="all",
        help=f"any of {SIGNALBOX_SIZING} (Signalbox's own sizing), {', '.join(PEERS)}; or all",
    )
    parser.add_argument("--policy", default="{}", help='policy fields as JSON, for example {"slo_s": 120}')
    parser.add_argument("--to", type=Path, help="write results.csv and one chart per trace to this folder")
    parser.add_argument(
        "--replay", type=Path, metavar="LOG", help="recompute the decisions of a log and compare"
    )
    parser.add_argument(
        "--scale-study",
        nargs="?",
        const="",
        metavar="TOML",
        help="estimate cost and quotas; TOML replaces the built-in prices and scenarios",
    )
    return parser


def _compare(options: argparse.Namespace) -> int:
    policy = _policy(options.policy)
    names = _select("scalers", options.scalers, [SIGNALBOX_SIZING, *PEERS])
    outcomes: list[SimulationOutcome] = []
    for trace, seed in _traces(options):
        for name in names:
            _progress(f"{trace.name}, seed {seed}: {name}")
            outcomes.append(
                simulate(trace, new_scaler(name, policy), seed=seed, slots=policy.slots_per_worker)
            )
    _progress("")
    print(report.table(report.HEADINGS, report.rows(outcomes, policy.price_per_worker_s, policy.currency)))
    if options.to:
        for path in report.write(options.to, outcomes, policy.price_per_worker_s, policy.currency):
            print(path)
    return 0


def _progress(text: str) -> None:
    """Overwrite one progress line, on a terminal only."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{text.ljust(60)}" if text else f"\r{' ' * 60}\r")


def _traces(options: argparse.Namespace) -> list[tuple[Trace, int]]:
    seeds = SETS[options.set] if options.seeds is None else _parse_seeds(options.seeds)
    if options.from_log:
        return [(trace_of_log(read_log(options.from_log), seed), seed) for seed in seeds[:1]]
    if options.trace_file:
        return [(read_trace(path, seed), seed) for path in options.trace_file for seed in seeds]
    return [
        (GENERATED[name](seed), seed)
        for name in _select("traces", options.traces, list(GENERATED))
        for seed in seeds
    ]


def _recompute(path: Path) -> int:
    replayed = recompute(read_log(path))
    for difference in replayed.differences[:_MAX_DIFFERENCES_SHOWN]:
        record = difference.record
        print(
            f"{record.at.isoformat()} {record.queue}: "
            f"{difference.field} was {difference.recorded}, is {difference.decided}"
        )
    skipped = f" ({replayed.skipped} before the first state skipped)" if replayed.skipped else ""
    print(f"{replayed.decided} decisions recomputed{skipped}: {len(replayed.differences)} differences")
    return 1 if replayed.differences else 0


def _estimate_cost(path: Path | None) -> int:
    prices, scenarios = cost_study.read_study(path) if path else (cost_study.CloudPrices(), cost_study.STUDY)
    print(
        f"Costs in {prices.currency}, at {prices.vcpu_s} per vCPU-second and {prices.gib_s} per GiB-second. "
        "Calculated, not measured."
    )
    print(
        report.table(
            cost_study.HEADINGS,
            cost_study.rows([cost_study.estimate(scenario, prices) for scenario in scenarios]),
        )
    )
    return 0


def read_log(path: Path) -> list[ScalingDecisionRecord]:
    """Read the records of an NDJSON file, gzipped or not.

    Raises:
        InvalidInput: the file cannot be read, or a line is not a record; the message has its number.
    """
    try:
        body = path.read_bytes()
        lines = (gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body).splitlines()
    except (OSError, EOFError) as error:
        raise InvalidInput(f"log {path}: {error}", field="log") from None
    records: list[ScalingDecisionRecord] = []
    for number, line in enumerate(lines, 1):
        try:
            records.append(msgspec.json.decode(line, type=ScalingDecisionRecord))
        except msgspec.DecodeError as error:
            raise InvalidInput(f"log {path}, line {number}: {error}", field="log") from None
    return records


def _policy(text: str) -> ScalingPolicy:
    try:
        return msgspec.json.decode(text, type=ScalingPolicy)
    except msgspec.DecodeError as error:
        raise InvalidInput(f"--policy: {error}", field="policy") from None


def _select(option: str, text: str, known: list[str]) -> list[str]:
    names = known if text == "all" else [name.strip() for name in text.split(",")]
    for name in names:
        if name not in known:
            raise InvalidInput(
                f"--{option}: {name!r} is not known; choose from: {', '.join(known)}", field=option
            )
    return names


def _parse_seeds(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InvalidInput(
            f"--seeds: {text!r} is not a list of whole numbers separated by commas", field="seeds"
        ) from None


if __name__ == "__main__":
    sys.exit(main())
