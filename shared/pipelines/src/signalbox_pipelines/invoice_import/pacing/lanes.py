"""The rate lanes of a taxpayer, and how the outcome of a call counts for its lane. Pure."""

from typing import Final, Literal

from msgspec import Struct

from signalbox_core.errors import RateLimited, SignalboxError
from signalbox_core.redis.pacing import CallOutcome
from signalbox_pipelines.invoice_import.portal.faults import (
    NoOriginal,
    PortalBlocked,
    PortalBusy,
    SessionExpired,
)
from signalbox_pipelines.invoice_import.portal.settings import PortalSettings

LaneName = Literal["query", "export"]
"""`query`: sign-in, lists and details; `export`: originals."""

LEASE_MARGIN_MS: Final = 5_000


class RateLane(Struct, frozen=True, kw_only=True):
    """The limits of one kind of call.

    Attributes:
        spacing_ms: minimum time between two starts.
        in_flight: maximum number of calls at once, over all workers.
        lease_ms: a permit not returned within this time belonged to a worker that died.
    """

    name: LaneName
    spacing_ms: int
    in_flight: int
    lease_ms: int


def build_lanes(settings: PortalSettings) -> "dict[LaneName, RateLane]":
    return {
        "query": RateLane(
            name="query",
            spacing_ms=settings.query_spacing_ms,
            in_flight=settings.query_in_flight,
            lease_ms=round(settings.query_timeout_s * 1_000) + LEASE_MARGIN_MS,
        ),
        "export": RateLane(
            name="export",
            spacing_ms=settings.export_spacing_ms,
            in_flight=settings.export_in_flight,
            lease_ms=round(settings.export_timeout_s * 1_000) + LEASE_MARGIN_MS,
        ),
    }


def classify_outcome(error: BaseException | None) -> tuple[CallOutcome, float]:
    """Classify how a call ended, and how long the portal asks to wait, in ms."""
    if isinstance(error, RateLimited):
        return "limited", error.retry_after_s * 1_000
    if isinstance(error, PortalBusy):
        return "slow", 0.0
    if error is None or isinstance(error, NoOriginal):
        return "ok", 0.0
    if isinstance(error, SignalboxError) and not isinstance(error, PortalBlocked | SessionExpired):
        # ParameterRejected, but answered: the portal is well.
        return "ok", 0.0
    return "other", 0.0
