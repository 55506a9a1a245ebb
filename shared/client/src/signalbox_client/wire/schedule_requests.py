"""The requests of schedules as values. Pure; no I/O."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

import msgspec

from signalbox_client.requests import ApiRequest, RawResponse
from signalbox_client.wire.schedule_models import Backfilled, Schedule, ScheduleList, Triggered


def list_schedules() -> ApiRequest[ScheduleList]:
    return ApiRequest(method="GET", path="/v1/schedules", response_type=ScheduleList)


def get_schedule(schedule_id: str) -> ApiRequest[Schedule]:
    return ApiRequest(method="GET", path=_path(schedule_id), response_type=Schedule)


def create_schedule(body: Mapping[str, object]) -> ApiRequest[Schedule]:
    return ApiRequest(
        method="POST", path="/v1/schedules", response_type=Schedule, body=msgspec.json.encode(body)
    )


def update_schedule(schedule_id: str, changes: Mapping[str, object]) -> ApiRequest[Schedule]:
    return ApiRequest(
        method="PATCH",
        path=_path(schedule_id),
        response_type=Schedule,
        body=msgspec.json.encode(changes),
    )


def delete_schedule(schedule_id: str) -> ApiRequest[RawResponse]:
    return ApiRequest(method="DELETE", path=_path(schedule_id), response_type=RawResponse)


def trigger_schedule(schedule_id: str, overlap: str | None) -> ApiRequest[Triggered]:
    """Start a run now; a random key makes repeated requests start one run."""
    return ApiRequest(
        method="POST",
        path=f"{_path(schedule_id)}/trigger",
        response_type=Triggered,
        body=msgspec.json.encode({"overlap": overlap} if overlap is not None else {}),
        headers={"idempotency-key": uuid.uuid4().hex},
    )


def backfill_schedule(
    schedule_id: str, first: datetime, last: datetime, overlap: str | None
) -> ApiRequest[Backfilled]:
    chosen = {"overlap": overlap} if overlap is not None else {}
    return ApiRequest(
        method="POST",
        path=f"{_path(schedule_id)}/backfill",
        response_type=Backfilled,
        body=msgspec.json.encode({"from": first, "to": last, **chosen}),
    )


def _path(schedule_id: str) -> str:
    return f"/v1/schedules/{quote(schedule_id, safe='')}"
