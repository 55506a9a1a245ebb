"""What Temporal's descriptions and lists state about a run."""

import logging
from collections.abc import Collection, Mapping
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
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


class WorkflowRules(Struct, frozen=True, kw_only=True):
    """What is configured about workflows, to distinguish runs of pipelines from plain workflows.

    Attributes:
        queue_tenants: the tenants of the task queues of plain workflows.
        pipelines: the names of the installed pipelines, which are the types of their workflows.
    """

    queue_tenants: Mapping[str, str] = _NONE
    pipelines: Collection[str] = ()


NO_RULES: Final = WorkflowRules()


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


async def run_info_of(found: WorkflowExecution, rules: WorkflowRules = NO_RULES) -> RunInfo | None:
    """Convert Temporal's description or list entry; None for a workflow that is not a run."""
    stated: str | None = await found.memo_value(names.MEMO_TENANT, None, type_hint=str)
    tenant = (
        stated
        or found.typed_search_attributes.get(names.SEARCH_TENANT)
        or rules.queue_tenants.get(found.task_queue)
    )
    started_by: str | None = await found.memo_value(names.MEMO_STARTED_BY, None, type_hint=str)
    digest: str | None = await found.memo_value(names.MEMO_REQUEST_DIGEST, None, type_hint=str)
    is_keyed = tenant is not None and tenant_of(found.id) == tenant
    is_plain = not (
        found.typed_search_attributes.get(names.SEARCH_PIPELINE)
        or digest
        or (stated and _is_pipeline_run(found, rules, is_child=is_keyed and started_by is not None))
    )
    run_id = run_id_of(found.id) if is_keyed and not is_plain else plain_run_id(found.id)
    if tenant is None or run_id is None:
        return None
    return RunInfo(
        run_id=run_id,
        tenant=tenant,
        pipeline=found.workflow_type,
        status=STATUSES.get(found.status, "running"),
        started_at=found.start_time,
        ended_at=found.close_time,
        started_by=started_by,
        starter=await found.memo_value(names.MEMO_STARTER, None, type_hint=Subject),
        digest=digest,
        subject=await found.memo_value(names.MEMO_SUBJECT, None, type_hint=str),
        tags=await found.memo_value(names.MEMO_TAGS, (), type_hint=tuple[str, ...]),
        awaits_worker=found.history_length <= 2,
        execution_id=found.run_id,
        workflow_id=found.id,
        is_plain=is_plain,
    )


def _is_pipeline_run(found: WorkflowExecution, rules: WorkflowRules, *, is_child: bool) -> bool:
    """Whether a workflow that only the memo assigns to a tenant is a pipeline's run.

    A start of a plain workflow may set the same memo, so its type or its task queue decides.

    Args:
        is_child: it has the id and the memo that child workflows of runs get; its type may be that of a
            pipeline that is not installed here.
    """
    return found.task_queue not in rules.queue_tenants and (
        found.workflow_type in rules.pipelines or is_child
    )


async def list_entry(found: WorkflowExecution, rules: WorkflowRules = NO_RULES) -> RunInfo | None:
    """Convert a list entry; None also when its memo is encrypted with a key that this gateway lacks."""
    try:
        return await run_info_of(found, rules)
    except Unavailable as error:
        log.warning("run not listed", extra={"workflow": found.id, "detail": error.detail})
        return None
