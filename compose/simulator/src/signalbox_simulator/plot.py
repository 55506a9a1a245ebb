"""Draws backlog and paid workers over time as SVG, for light and dark backgrounds."""

from collections.abc import Callable, Sequence
from html import escape
from typing import Final

from signalbox_simulator.outcome import FleetSample, SimulationOutcome

_WIDTH, _PANEL, _LEFT, _TOP, _GAP = 900, 220, 70, 56, 46
_COLOURS: Final = ("#2f6fde", "#d9480f", "#2b8a3e", "#ae3ec9", "#e67700", "#0b7285", "#868e96")
_STYLE: Final = (
    "text{font:13px system-ui,sans-serif;fill:#495057}.t{font-size:16px;font-weight:600}"
    ".g{stroke:#adb5bd;stroke-opacity:.5}"
    "@media(prefers-color-scheme:dark){text{fill:#ced4da}.g{stroke:#868e96}}"
)


def plot(title: str, outcomes: Sequence[SimulationOutcome]) -> str:
    """Two panels over one time axis, which is cut off after 80 % of the simulations have ended."""
    ends = sorted(outcome.course[-1].at_s for outcome in outcomes if outcome.course)
    end_s = max(1.0, ends[int(0.8 * (len(ends) - 1))] if ends else 1.0)
    height = _TOP + 2 * _PANEL + 2 * _GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}">',
        f"<style>{_STYLE}</style>",
        f'<text class="t" x="{_LEFT}" y="20">{escape(title)}</text>',
        *_legend(outcomes),
        *_panel("backlog", outcomes, lambda point: point.backlog, _TOP, end_s),
        *_panel("burst workers", outcomes, lambda point: point.workers, _TOP + _PANEL + _GAP, end_s),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _legend(outcomes: Sequence[SimulationOutcome]) -> list[str]:
    parts: list[str] = []
    x = float(_LEFT)
    for number, outcome in enumerate(outcomes):
        parts.append(f'<rect x="{x:.0f}" y="32" width="10" height="10" fill="{_colour(number)}"/>')
        parts.append(f'<text x="{x + 14:.0f}" y="42">{escape(outcome.scaler)}</text>')
        x += 34 + 7.2 * len(outcome.scaler)
    return parts


def _panel(
    label: str,
    outcomes: Sequence[SimulationOutcome],
    value: Callable[[FleetSample], int],
    top: int,
    end_s: float,
) -> list[str]:
    most = max((value(point) for outcome in outcomes for point in outcome.course), default=0) or 1
    bottom, inner = top + _PANEL, _WIDTH - _LEFT - 10
    parts = [f'<text x="{_LEFT}" y="{top + 12}">{escape(label)}</text>']
    for part in range(3):
        y = bottom - (_PANEL - 20) * part / 2
        parts.append(f'<line class="g" x1="{_LEFT}" x2="{_WIDTH - 10}" y1="{y:.0f}" y2="{y:.0f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.0f}" text-anchor="end">{most * part // 2:,}</text>')
    for part in range(5):
        x = _LEFT + inner * part / 4
        anchor = "end" if part == 4 else "middle"
        parts.append(
            f'<text x="{x:.0f}" y="{bottom + 18}" text-anchor="{anchor}">{end_s * part / 4:,.0f} s</text>'
        )
    for number, outcome in enumerate(outcomes):
        points = [
            f"{_LEFT + inner * point.at_s / end_s:.1f},{bottom - (_PANEL - 20) * value(point) / most:.1f}"
            for point in outcome.course
            if point.at_s <= end_s
        ]
        parts.append(
            f'<polyline fill="none" stroke="{_colour(number)}" stroke-width="2" points="{" ".join(points)}"/>'
        )
    return parts


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]
