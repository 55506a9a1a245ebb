"""How many schedules a tenant may have, and how often one may start runs."""

from datetime import timedelta

from msgspec import Struct

from signalbox_gateway.settings import Settings


class ScheduleLimits(Struct, frozen=True, kw_only=True):
    """`count`: schedules of one tenant. `min_interval`: the least time between two starts of a schedule."""

    count: int
    min_interval: timedelta


def schedule_limits(settings: Settings) -> ScheduleLimits:
    return ScheduleLimits(
        count=settings.max_schedules, min_interval=timedelta(seconds=settings.schedule_min_interval_s)
    )
