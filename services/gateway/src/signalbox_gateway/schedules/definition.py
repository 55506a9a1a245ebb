"""The definition of a schedule, and its translation to Temporal. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Literal

from msgspec import Struct
from temporalio.client import (
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleState,
)

from signalbox_core.pipeline.contract.scheduled_start import SCHEDULE_STARTER, ScheduledStart, schedule_key
from signalbox_gateway.schedules.start_times import temporal_spec

Overlap = Literal["skip", "buffer_one", "buffer_all", "cancel_other", "allow_all"]
OVERLAP_POLICIES: Final[Mapping[Overlap, ScheduleOverlapPolicy]] = {
    "skip": ScheduleOverlapPolicy.SKIP,
    "buffer_one": ScheduleOverlapPolicy.BUFFER_ONE,
    "buffer_all": ScheduleOverlapPolicy.BUFFER_ALL,
    "cancel_other": ScheduleOverlapPolicy.CANCEL_OTHER,
    "allow_all": ScheduleOverlapPolicy.ALLOW_ALL,
}


class ScheduleDefinition(Struct, frozen=True, kw_only=True):
    """What a caller sets of a schedule.

    Attributes:
        catch_up_s: how late a start may be, for example after an outage of Temporal; later ones are missed.
    """

    start: ScheduledStart
    overlap: Overlap
    catch_up_s: int
    is_paused: bool
    note: str


def temporal_schedule(definition: ScheduleDefinition, now: datetime) -> Schedule:
    start = definition.start
    return Schedule(
        action=ScheduleActionStartWorkflow(
            SCHEDULE_STARTER,
            start,
            id=schedule_key(start.tenant, start.schedule_id),
            task_queue=start.task_queue,
        ),
        spec=temporal_spec(start.timing, now),
        policy=SchedulePolicy(
            overlap=OVERLAP_POLICIES[definition.overlap],
            catchup_window=timedelta(seconds=definition.catch_up_s),
        ),
        state=ScheduleState(paused=definition.is_paused, note=definition.note),
    )
