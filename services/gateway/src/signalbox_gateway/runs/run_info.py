"""What Temporal's descriptions and lists state about a run."""

import logging
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from msgspec import Struct
from temporalio.client import WorkflowExecution

from signalbox_core.errors import Unavailable
from signalbox_core.events.snapshot import RunStatus
from signalbox_core.ids import plain_run_id, run_id_of, run_key, tenant_of
from signalbox_core.subjects import Subject
from signalbox_core.temporal import names
from signalbox_gateway.runs.search.visibility import STATUSES

log = logging.getLogger(__name__)
NO_QUEUES: Final[Mapping[str, str]] = MappingProxyType({})


class RunInfo(Struct, frozen=True, kw_only=True):
    """Temporal's description of a run.

    Attributes:
        awaits_worker: no worker has processed a workflow task of it yet.
        is_plain: it is a plain workflow, which the worker plugin shows.
    """

    run_id: str
    tenant: str
    pipeline: str
    status: RunStatus
    started_at: datetime
    ended_at: datetime | None
    started_by: str | None = None
    starter: Subject | None = None
    digest: str | None = None
    subject: str | None = None
    tags: tuple[str, ...] = ()
    awaits_worker: bool = False
    execution_id: str = ""
    workflow_id: str = ""
    is_plain: bool = False

    @property
    def key(self) -> str:
        return run_key(self.tenant, self.run_id)


class RunInfoPage(Struct, frozen=True, kw_only=True):
    """One page of the visibility store; `next_token` is None on the last page."""

    runs: tuple[RunInfo, ...]
    next_token: bytes | None


async def run_info_of(
    found: WorkflowExecution, queue_tenants: Mapping[str, str] = NO_QUEUES
) -> RunInfo | None:
    """Convert Temporal's description or list entry; None for a workflow that is not a run.

    Args:
        queue_tenants: the tenants of the task queues of plain workflows.
    """
    stated: str | None = await found.memo_value(names.MEMO_TENANT, None, type_hint=str)
    tenant = (
        stated
        or found.typed_search_attributes.get(names.SEARCH_TENANT)
        or queue_tenants.get(found.task_queue)
    )
    run_id = run_id_of(found.id) if stated and tenant_of(found.id) == stated else plain_run_id(found.id)
    if tenant is None or run_id is None:
        return None
    return RunInfo(
        run_id=run_id,
        tenant=tenant,
        pipeline=found.workflow_type,
        status=STATUSES.get(found.status, "running"),
        started_at=found.start_time,
        ended_at=found.close_time,
        started_by=await found.memo_value(names.MEMO_STARTED_BY, None, type_hint=str),
        starter=await found.memo_value(names.MEMO_STARTER, None, type_hint=Subject),
        digest=await found.memo_value(names.MEMO_REQUEST_DIGEST, None, type_hint=str),
        subject=await found.memo_value(names.MEMO_SUBJECT, None, type_hint=str),
        tags=await found.memo_value(names.MEMO_TAGS, (), type_hint=tuple[str, ...]),
        awaits_worker=found.history_length <= 2,
        execution_id=found.run_id,
        workflow_id=found.id,
        is_plain=stated is None,
    )


async def list_entry(
    found: WorkflowExecution, queue_tenants: Mapping[str, str] = NO_QUEUES
) -> RunInfo | None:
    """Convert a list entry; None also when its memo is encrypted with a key that this gateway lacks."""
    try:
        return await run_info_of(found, queue_tenants)
    except Unavailable as error:
        log.warning("run not listed", extra={"workflow": found.id, "detail": error.detail})
        return None
