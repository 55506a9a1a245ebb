"""`python -m signalbox_simulator`: compare on traces, replay a decision log, or compute the bill of a scale study."""

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
from signalbox_simulator.outcome import Outcome, simulate
from signalbox_simulator.scalers import LAW, PEERS, new_scaler
from signalbox_simulator.traces import GENERATED, TEST_SEEDS, TUNING_SEEDS, Trace, read_trace, trace_of_log

SETS = {"tuning": TUNING_SEEDS, "test": TEST_SEEDS}
_SHOWN = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """0; 1 when a replay decides otherwise than the log; 2 when an argument or file is wrong (one line says which)."""
    options = _parser().parse_args(arguments)
    try:
        if options.replay:
            return _replay(options.replay)
        if options.scale_study is not None:
            return _study(Path(options.scale_study) if options.scale_study else None)
        return _compare(options)
    except InvalidInput as error:
        sys.stderr.write(f"simulate: {error.detail}\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m signalbox_simulator", description=__doc__)
    parser.add_argument("--traces", default="ramp,closed,paced", help=f"of {', '.join(GENERATED)}; or all")
    parser.add_argument(
        "--trace-file",
        action="append",
        type=Path,
        default=[],
        help="a recorded trace (JSON); may be repeated",
    )
    parser.add_argument(
        "--from-log", type=Path, help="a decision log (NDJSON, may be gzipped) of one queue as the trace"
    )
    parser.add_argument(
        "--set", choices=SETS, default="test", help="the seeds: those the law was tuned on, or the others"
    )
    parser.add_argument("--seeds", help="own seeds, for example 7,8; instead of a set")
    parser.add_argument("--scalers", default="all", help=f"of {LAW}, {', '.join(PEERS)}; or all")
    parser.add_argument("--policy", default="{}", help='JSON of policy fields, for example {"slo_s": 120}')
    parser.add_argument("--to", type=Path, help="a folder for results.csv and a picture a trace")
    parser.add_argument(
        "--replay", type=Path, metavar="LOG", help="decide the decisions of a log again and compare"
    )
    parser.add_argument(
        "--scale-study",
        nargs="?",
        const="",
        metavar="TOML",
        help="the bill and the quotas, with own prices and scenarios",
    )
    return parser


def _compare(options: argparse.Namespace) -> int:
    policy = _policy(options.policy)
    names = _chosen("scalers", options.scalers, [LAW, *PEERS])
    outcomes: list[Outcome] = []
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
    """One line that is written over, where a person looks."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{text.ljust(60)}" if text else f"\r{' ' * 60}\r")


def _traces(options: argparse.Namespace) -> list[tuple[Trace, int]]:
    seeds = SETS[options.set] if options.seeds is None else _numbers(options.seeds)
    if options.from_log:
        return [(trace_of_log(read_log(options.from_log), seed), seed) for seed in seeds[:1]]
    if options.trace_file:
        return [(read_trace(path, seed), seed) for path in options.trace_file for seed in seeds]
    return [
        (GENERATED[name](seed), seed)
        for name in _chosen("traces", options.traces, list(GENERATED))
        for seed in seeds
    ]


def _replay(path: Path) -> int:
    replayed = recompute(read_log(path))
    for difference in replayed.differences[:_SHOWN]:
        record = difference.record
        print(
            f"{record.at.isoformat()} {record.queue}: {difference.field} was {difference.recorded}, is {difference.decided}"
        )
    skipped = f", {replayed.skipped} before the first state skipped" if replayed.skipped else ""
    print(f"{replayed.decided} decisions decided again{skipped}: {len(replayed.differences)} differences")
    return 1 if replayed.differences else 0


def _study(path: Path | None) -> int:
    prices, scenarios = cost_study.read_study(path) if path else (cost_study.Prices(), cost_study.STUDY)
    print(
        f"Money in {prices.currency}; {prices.vcpu_s} a vCPU-s, {prices.gib_s} a GiB-s. Computed, not measured."
    )
    print(
        report.table(
            cost_study.HEADINGS,
            cost_study.rows([cost_study.bill(scenario, prices) for scenario in scenarios]),
        )
    )
    return 0


def read_log(path: Path) -> list[ScalingDecisionRecord]:
    """The records of an NDJSON file, gzipped or not.

    Raises:
        InvalidInput: no such file, or a line is no record; names the line.
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


def _chosen(option: str, text: str, known: list[str]) -> list[str]:
    names = known if text == "all" else [name.strip() for name in text.split(",")]
    for name in names:
        if name not in known:
            raise InvalidInput(
                f"--{option}: {name!r} is not known; known are {', '.join(known)}", field=option
            )
    return names


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InvalidInput(
            f"--seeds: {text!r} are not whole numbers with commas between them", field="seeds"
        ) from None


if __name__ == "__main__":
    sys.exit(main())
