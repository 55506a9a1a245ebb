"""Routes of schedules."""

from typing import Final

from signalbox_core.crypto.api_keys import Role
from signalbox_gateway.api import schemas
from signalbox_gateway.api.endpoint import Endpoint, Reply
from signalbox_gateway.api.routes.replies import INVALID_BODY, problem
from signalbox_gateway.api.schedules import schemas as schedule_schemas
from signalbox_gateway.api.schedules.handlers import ScheduleHandlers
from signalbox_gateway.api.schedules.trigger import ScheduleTrigger

_NOT_FOUND: Final = problem(404, "The schedule does not exist, or belongs to another tenant")


def schedule_routes(schedules: ScheduleHandlers, trigger: ScheduleTrigger) -> tuple[Endpoint, ...]:
    return (*_read_routes(schedules), *_change_routes(schedules), *_start_routes(schedules, trigger))


def _read_routes(schedules: ScheduleHandlers) -> tuple[Endpoint, ...]:
    return (
        Endpoint(
            method="GET",
            path="/v1/schedules",
            name="list_schedules",
            summary="List the tenant's schedules",
            role=Role.VIEWER,
            handle=schedules.list,
            replies=(Reply(200, "The schedules, sorted by id", schedule_schemas.ScheduleListView),),
        ),
        Endpoint(
            method="GET",
            path="/v1/schedules/{schedule_id}",
            name="get_schedule",
            summary="Get a schedule: its next times, its latest runs and its input; secrets are masked",
            role=Role.VIEWER,
            handle=schedules.show,
            replies=(Reply(200, "The schedule", schedule_schemas.ScheduleView), _NOT_FOUND),
        ),
    )


def _change_routes(schedules: ScheduleHandlers) -> tuple[Endpoint, ...]:
    return (
        Endpoint(
            method="POST",
            path="/v1/schedules",
            name="create_schedule",
            summary="Create a schedule that starts runs of a pipeline; idempotent by `schedule_id`",
            role=Role.OPERATOR,
            handle=schedules.create,
            body=schedule_schemas.CreateSchedule,
            replies=(
                Reply(201, "Created", schedule_schemas.ScheduleView),
                Reply(200, "An earlier identical request created it", schedule_schemas.ScheduleView),
                problem(409, "The id is taken, or the tenant has reached its limit of schedules"),
                *INVALID_BODY,
            ),
        ),
        Endpoint(
            method="PATCH",
            path="/v1/schedules/{schedule_id}",
            name="update_schedule",
            summary="Change a schedule; `paused` pauses and resumes it",
            role=Role.OPERATOR,
            handle=schedules.update,
            body=schedule_schemas.UpdateSchedule,
            replies=(Reply(200, "The schedule", schedule_schemas.ScheduleView), _NOT_FOUND, *INVALID_BODY),
        ),
        Endpoint(
            method="DELETE",
            path="/v1/schedules/{schedule_id}",
            name="delete_schedule",
            summary="Delete a schedule; its runs continue",
            role=Role.OPERATOR,
            handle=schedules.delete,
            body=schemas.NoBody,
            replies=(Reply(204, "Deleted", None, ""), _NOT_FOUND, *INVALID_BODY),
        ),
    )


def _start_routes(schedules: ScheduleHandlers, trigger: ScheduleTrigger) -> tuple[Endpoint, ...]:
    return (
        Endpoint(
            method="POST",
            path="/v1/schedules/{schedule_id}/trigger",
            name="trigger_schedule",
            summary="Start a run of a schedule now, also while it is paused",
            role=Role.OPERATOR,
            handle=trigger.trigger,
            body=schedule_schemas.TriggerSchedule,
            takes_idempotency_key=True,
            replies=(
                Reply(202, "Accepted", schedule_schemas.TriggeredView),
                _NOT_FOUND,
                problem(409, "A run of the schedule has not ended, and `overlap` is `skip`"),
                *INVALID_BODY,
            ),
        ),
        Endpoint(
            method="POST",
            path="/v1/schedules/{schedule_id}/backfill",
            name="backfill_schedule",
            summary="Start the runs of a schedule for a past period (backfill)",
            role=Role.OPERATOR,
            handle=schedules.backfill,
            body=schedule_schemas.BackfillSchedule,
            replies=(
                Reply(202, "Accepted", schedule_schemas.BackfilledView),
                _NOT_FOUND,
                *INVALID_BODY,
            ),
        ),
    )
