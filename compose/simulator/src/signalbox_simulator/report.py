"""Formats outcomes as a text table, CSV and charts."""

import csv
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from signalbox_simulator.outcome import SimulationOutcome
from signalbox_simulator.plot import plot

HEADINGS = (
    "trace",
    "seed",
    "autoscaler",
    "makespan s",
    "worker-s",
    "cost",
    "p50 wait s",
    "p95 wait s",
    "launched",
    "peak",
    "re-executed",
)


def rows(
    outcomes: Sequence[SimulationOutcome], price_per_worker_s: Decimal, currency: str
) -> list[tuple[str, ...]]:
    return [
        (
            outcome.trace,
            str(outcome.seed),
            outcome.scaler,
            f"{outcome.makespan_s:,.0f}",
            f"{outcome.burst_worker_s:,.0f}",
            f"{outcome.cost(price_per_worker_s):.3f} {currency}",
            f"{outcome.p50_wait_s:.1f}",
            f"{outcome.p95_wait_s:.1f}",
            str(outcome.launched),
            str(outcome.peak),
            str(outcome.reexecuted),
        )
        for outcome in outcomes
    ]


def table(headings: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A text table; the first three columns are left-aligned, numbers right-aligned."""
    widths = [max(len(row[column]) for row in (headings, *body)) for column in range(len(headings))]
    lines = [
        "  ".join(_cell(text, widths[column], column) for column, text in enumerate(row)).rstrip()
        for row in (headings, *body)
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def write(
    folder: Path, outcomes: Sequence[SimulationOutcome], price_per_worker_s: Decimal, currency: str
) -> list[Path]:
    """Write `results.csv` and one chart per trace and seed; return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    results = folder / "results.csv"
    with results.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADINGS)
        writer.writerows(rows(outcomes, price_per_worker_s, currency))
    written = [results]
    for trace, seed in dict.fromkeys((outcome.trace, outcome.seed) for outcome in outcomes):
        same = [outcome for outcome in outcomes if (outcome.trace, outcome.seed) == (trace, seed)]
        path = folder / f"{trace.replace(' ', '-')}-{seed}.svg"
        path.write_text(plot(f"{trace}, seed {seed}", same), encoding="utf-8")
        written.append(path)
    return written


def _cell(text: str, width: int, column: int) -> str:
    return text.ljust(width) if column < 3 else text.rjust(width)
