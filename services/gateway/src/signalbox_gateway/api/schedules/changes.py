"""What a request changes of a schedule, and the checks of requests. Pure."""

from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

import msgspec
from msgspec.structs import replace

from signalbox_core.errors import InvalidInput
from signalbox_core.pipeline.contract.scheduled_start import ScheduleTiming
from signalbox_gateway.api.schedules.schemas import BackfillSchedule, UpdateSchedule
from signalbox_gateway.changes.difference import Difference, TrackedItem
from signalbox_gateway.schedules.definition import ScheduleDefinition
from signalbox_gateway.schedules.store import StoredSchedule

T = TypeVar("T")
SECOND: Final = timedelta(seconds=1)


def changed_timing(timing: ScheduleTiming, request: UpdateSchedule) -> ScheduleTiming:
    if request.cron is not None:
        timing = replace(timing, cron=request.cron, every_s=None, offset_s=0)
    if request.every_s is not None:
        # With `cron` given too, the check refuses both.
        timing = replace(timing, cron=request.cron or (), every_s=request.every_s)
    return replace(
        timing,
        offset_s=or_known(request.offset_s, timing.offset_s),
        time_zone=or_known(request.time_zone, timing.time_zone),
        jitter_s=or_known(request.jitter_s, timing.jitter_s),
    )


def started_just_now(stored: StoredSchedule, now: datetime) -> bool:
    """Whether a start now would have the same time, in seconds, as the last one, and so the same run."""
    return bool(stored.recent) and stored.recent[0].starter_id.scheduled_at > now - 2 * SECOND


def run_since(stored: StoredSchedule, since: datetime) -> str | None:
    """The run of the first start at or after `since`, which the schedule's times have without fractions."""
    later = [action for action in stored.recent if action.starter_id.scheduled_at > since - SECOND]
    return later[-1].starter_id.run_id if later else None


def or_known(given: T | None, known: T) -> T:
    return given if given is not None else known


def comparable(definition: ScheduleDefinition) -> ScheduleDefinition:
    """The definition without what differs between identical requests: sealed secrets, and who sent it."""
    start = replace(definition.start, input=msgspec.Raw(b""), created_by="", updated_by="")
    return replace(definition, start=start)


def schedule_item(definition: ScheduleDefinition) -> TrackedItem:
    """The schedule as the ledger shows it; of the input only the digest."""
    start, timing = definition.start, definition.start.timing
    facts = {
        "pipeline": start.pipeline,
        "cron": "; ".join(timing.cron),
        "every_s": timing.every_s,
        "offset_s": timing.offset_s,
        "time_zone": timing.time_zone,
        "jitter_s": timing.jitter_s,
        "overlap": definition.overlap,
        "catch_up_s": definition.catch_up_s,
        "priority": start.priority,
        "paused": "yes" if definition.is_paused else "no",
        "note": definition.note,
        "input_digest": start.digest,
    }
    shown = {name: str(value) for name, value in facts.items() if value not in (None, "")}
    return TrackedItem(tenant=start.tenant, id=start.schedule_id, facts=shown)


def change_name(difference: Difference) -> str:
    """The name of the event that records a change of a schedule."""
    if difference.members == ("paused",):
        return "schedule.paused" if (difference.after or {})["paused"] == "yes" else "schedule.resumed"
    names = {"added": "schedule.created", "changed": "schedule.changed", "removed": "schedule.deleted"}
    return names[difference.kind]


def backfill_period(request: BackfillSchedule, now: datetime) -> tuple[datetime, datetime]:
    """Raises: InvalidInput: the period has no UTC offset, is empty or not past."""
    first, last = request.from_, request.to
    if first.tzinfo is None or last.tzinfo is None:
        raise InvalidInput("add the UTC offset, as in 2026-11-30T06:00:00Z", field="from")
    if first > last:
        raise InvalidInput("`from` must not be after `to`", field="from")
    if last > now:
        raise InvalidInput("a backfill is for past times; choose an earlier `to`", field="to")
    try:
        # Temporal excludes the beginning of a period.
        return first.astimezone(UTC) - SECOND, last.astimezone(UTC)
    except OverflowError:
        raise InvalidInput("the time is out of range; choose a later `from`", field="from") from None
