"""The start of a run by a schedule: what Temporal's schedule stores of it, and the ids that it derives."""

import re
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, unquote

import msgspec
from msgspec import Struct

from signalbox_core.ids import run_key
from signalbox_core.subjects import Subject

SCHEDULE_STARTER: Final = "signalbox.scheduled_start"
"""The workflow type that a schedule starts: it starts the run, and is open for as long as the run."""
SCHEDULE_ID: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?")
_STARTER_ID: Final = re.compile(
    r"schedule/(?P<tenant>[^/:]+)/(?P<schedule>[a-z0-9-]+)-(?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)"
)


class ScheduleTiming(Struct, frozen=True, kw_only=True):
    """When a schedule starts runs: at the times of `cron` in `time_zone`, or every `every_s` seconds.

    Attributes:
        cron: expressions with five fields.
        offset_s: shifts an interval, which counts from 1970-01-01T00:00:00Z.
        jitter_s: each start is delayed by a random time up to this.
    """

    cron: tuple[str, ...] = ()
    every_s: int | None = None
    offset_s: int = 0
    time_zone: str = "UTC"
    jitter_s: int = 0


class ScheduledStart(Struct, frozen=True, kw_only=True):
    """What a schedule stores, and the argument of the workflow that starts the run.

    Attributes:
        input: the decoded input as JSON; secrets are sealed strings.
        digest: of the request, as for any other start.
        subject: what the runs are about.
        terms: the search terms of the runs, without those of their ids.
        patches: those to state for the runs.
        created_by, updated_by: the names of who created and who last changed the schedule.
    """

    tenant: str
    schedule_id: str
    pipeline: str
    task_queue: str
    input: msgspec.Raw
    digest: str
    timing: ScheduleTiming
    created_by: str
    updated_by: str
    priority: int | None = None
    subject: str = ""
    terms: tuple[str, ...] = ()
    patches: tuple[str, ...] = ()

    @property
    def starter(self) -> Subject:
        """Who starts the runs."""
        return Subject(subject=f"schedule:{self.schedule_id}", kind="service")

    @property
    def started_by(self) -> str:
        return f"schedule {self.schedule_id}"


def schedule_key(tenant: str, schedule_id: str) -> str:
    """Return the id of a schedule in Temporal, which also begins the ids of its workflows."""
    return f"schedule/{quote(tenant, safe='')}/{schedule_id}"


class StarterId(Struct, frozen=True, kw_only=True):
    """The parts of the id of a workflow that a schedule started."""

    tenant: str
    schedule_id: str
    scheduled_at: datetime

    @property
    def run_id(self) -> str:
        """The id of the run: one per schedule and time, so that a repeated start makes no second run."""
        return f"{self.schedule_id}~{self.scheduled_at:%Y%m%dT%H%M%SZ}"

    @property
    def run_key(self) -> str:
        return run_key(self.tenant, self.run_id)


def parse_starter_id(workflow_id: str) -> StarterId | None:
    """Parse the workflow id that Temporal gave: the schedule's, followed by the time without jitter."""
    found = _STARTER_ID.fullmatch(workflow_id)
    if found is None:
        return None
    at = datetime.strptime(found["at"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return StarterId(tenant=unquote(found["tenant"]), schedule_id=found["schedule"], scheduled_at=at)
