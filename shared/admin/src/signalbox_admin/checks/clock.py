"""The clock of a server against the clock of this machine. Pure."""

from typing import Final

from signalbox_admin.checks.findings import Finding, Reporter

_MAX_SKEW_S: Final = 30.0
"""A tenth of the time for which a signature is valid."""


def assess_clock(report: Reporter, skew_s: float) -> Finding:
    """Assess how far a server's clock is ahead of the clock here."""
    if abs(skew_s) > _MAX_SKEW_S:
        return report.warning(
            f"its clock is off from the one here by {abs(skew_s):.0f} s; from 300 s signatures are refused",
            "synchronize the clocks of both machines (NTP)",
        )
    return report.ok(f"its clock is off from the one here by less than {_MAX_SKEW_S:g} s")
