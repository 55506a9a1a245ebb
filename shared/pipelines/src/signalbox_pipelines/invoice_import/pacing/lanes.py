"""The lanes of a taxpayer and how fast each may go. Pure."""

from typing import Final, Literal

from msgspec import Struct

from signalbox_core.errors import RateLimited, SignalboxError
from signalbox_pipelines.invoice_import.portal.faults import Blocked, Busy, NoOriginal, SessionOver
from signalbox_pipelines.invoice_import.portal.settings import PortalSettings

LaneName = Literal["query", "export"]
"""`query`: signing in, lists, details; `export`: originals."""
Outcome = Literal["ok", "limited", "slow", "other"]

MARGIN: Final = 1.04
"""Calls are spaced a little wider than asked for: what left at even steps arrives at uneven ones."""
CEILING_MS: Final = 15_000
RECOVERY: Final = 0.5 ** (1 / 20)
"""20 good calls halve the spacing again."""
TRIP: Final = 6
"""Bad calls in a row after which the lane rests; one call then tries whether the portal is well again."""
REST_MS: Final = 30_000
LONGEST_REST_MS: Final = 300_000
LEASE_MARGIN_MS: Final = 5_000


class Lane(Struct, frozen=True, kw_only=True):
    """Attributes:
    spacing_ms: at least between two starts.
    in_flight: at most at once, over all workers.
    lease_ms: a call of which nothing is heard for so long died with its worker.
    """

    name: LaneName
    spacing_ms: int
    in_flight: int
    lease_ms: int

    @property
    def floor_ms(self) -> float:
        return self.spacing_ms * MARGIN


def lanes_of(settings: PortalSettings) -> "dict[LaneName, Lane]":
    return {
        "query": Lane(
            name="query",
            spacing_ms=settings.query_spacing_ms,
            in_flight=settings.query_in_flight,
            lease_ms=round(settings.query_timeout_s * 1_000) + LEASE_MARGIN_MS,
        ),
        "export": Lane(
            name="export",
            spacing_ms=settings.export_spacing_ms,
            in_flight=settings.export_in_flight,
            lease_ms=round(settings.export_timeout_s * 1_000) + LEASE_MARGIN_MS,
        ),
    }


def outcome_of(error: BaseException | None) -> tuple[Outcome, float]:
    """What a call's end says about the portal, and how long it asks to wait, in ms."""
    if isinstance(error, RateLimited):
        return "limited", error.retry_after_s * 1_000
    if isinstance(error, Busy):
        return "slow", 0.0
    if error is None or isinstance(error, NoOriginal):
        return "ok", 0.0
    if isinstance(error, SignalboxError) and not isinstance(error, Blocked | SessionOver):
        # Refused, but answered: the portal is well.
        return "ok", 0.0
    return "other", 0.0
