"""Queries of Temporal's visibility store, and its statuses as those of runs. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from temporalio.client import WorkflowExecutionStatus

from signalbox_core.events.snapshot import RunStatus
from signalbox_core.pipeline.contract.search_terms import BY, WORD, value_term, words
from signalbox_core.temporal import names
from signalbox_gateway.runs.search.query import Period, SearchQuery

STATUSES: Final[Mapping[WorkflowExecutionStatus | None, RunStatus]] = {
    WorkflowExecutionStatus.RUNNING: "running",
    WorkflowExecutionStatus.CONTINUED_AS_NEW: "running",
    WorkflowExecutionStatus.COMPLETED: "completed",
    WorkflowExecutionStatus.FAILED: "failed",
    WorkflowExecutionStatus.CANCELED: "cancelled",
    WorkflowExecutionStatus.TERMINATED: "terminated",
    WorkflowExecutionStatus.TIMED_OUT: "timed_out",
}
_OPEN: Final = "Running"
_EVERYTHING: Final = SearchQuery()
_LATEST: Final = "ExecutionStatus != 'ContinuedAsNew'"


def tenant_query(tenant: str) -> str:
    """Build the query of everything that belongs to a tenant."""
    return f"{names.SEARCH_TENANT.name} = {_quoted(tenant)}"


def visibility_query(
    *,
    tenant: str,
    pipeline: str | None = None,
    status: RunStatus | None = None,
    search: SearchQuery = _EVERYTHING,
    queues: Sequence[str] = (),
    types: Collection[str] = (),
) -> str:
    """Build the query of a list of runs.

    Values are quoted, so none can widen the query; of a search, only terms of a closed alphabet are used.

    Args:
        queues: the tenant's task queues of plain workflows.
        types: which of the pipelines are types of plain workflows.
    """
    has_types = bool(queues or types)
    parts = [_owner_query(tenant, queues)]
    if pipeline is not None:
        parts.append(_pipeline_query(f"= {_quoted(pipeline)}", has_types=has_types))
    if status is not None:
        parts.append(f"ExecutionStatus = {_quoted(_execution_status(status))}")
    return " AND ".join([*parts, *_search_parts(search, has_types=has_types)])


def open_runs_query(query: str, workflow_ids: Sequence[str]) -> str:
    """Narrow the query of a list to those of these workflows that are open."""
    return f"{query} AND ExecutionStatus = {_quoted(_OPEN)} AND WorkflowId {_in(workflow_ids)}"


def plain_type_query(tenant: str, workflow_type: str) -> str:
    """Build the query of a tenant's plain workflows of a type, which are listed by the search attribute."""
    return (
        f"{tenant_query(tenant)} AND {names.SEARCH_PIPELINE.name} IS NULL"
        f" AND WorkflowType = {_quoted(workflow_type)}"
    )


def executions_query(workflow_ids: Sequence[str]) -> str:
    """Build the query of all executions of workflows, without those that continued as new."""
    return f"WorkflowId {_in(workflow_ids)} AND {_LATEST}"


def _owner_query(tenant: str, queues: Sequence[str]) -> str:
    if not queues:
        return tenant_query(tenant)
    plain = f"{names.SEARCH_TENANT.name} IS NULL AND TaskQueue {_in(queues)}"
    return f"({tenant_query(tenant)} OR ({plain}))"


def _pipeline_query(values: str, *, has_types: bool) -> str:
    """The condition that the pipeline, or the type of a plain workflow, is one of `values`."""
    condition = f"{names.SEARCH_PIPELINE.name} {values}"
    return f"({condition} OR WorkflowType {values})" if has_types else condition


def _search_parts(search: SearchQuery, *, has_types: bool) -> Iterator[str]:
    yield _LATEST
    if search.statuses:
        yield f"ExecutionStatus {_in([_execution_status(status) for status in search.statuses])}"
    if search.pipelines:
        yield _pipeline_query(_in(search.pipelines), has_types=has_types)
    for period in search.started:
        yield from _period_parts("StartTime", period)
    for period in search.ended:
        yield from _period_parts("CloseTime", period)
    for key, values in search.terms.items():
        if key == BY:
            yield _any([_is_by(value) for value in values])
        else:
            yield f"{names.SEARCH_FIND.name} {_in([value_term(key, value) for value in values])}"
    for word in search.words:
        yield _has(f"{WORD}={word}")


def _is_by(value: str) -> str:
    """Either the whole name or subject, or all words of the name."""
    whole, parts = _has(value_term(BY, value)), [_has(f"{BY}={word}") for word in words(value)]
    return parts[0] if len(parts) == 1 else f"({whole} OR ({' AND '.join(parts)}))"


def _any(conditions: Sequence[str]) -> str:
    return conditions[0] if len(conditions) == 1 else f"({' OR '.join(conditions)})"


def _has(term: str) -> str:
    return f"{names.SEARCH_FIND.name} = {_quoted(term)}"


def _period_parts(attribute: str, period: Period) -> Iterator[str]:
    if period.since is not None:
        yield f"{attribute} >= {_quoted(_instant(period.since))}"
    if period.until is not None:
        yield f"{attribute} < {_quoted(_instant(period.until))}"


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _in(values: Sequence[str]) -> str:
    return f"IN ({', '.join(map(_quoted, dict.fromkeys(values)))})"


def _execution_status(status: RunStatus) -> str:
    return next(
        (kind.name.title().replace("_", "") for kind, name in STATUSES.items() if kind and name == status),
        _OPEN,
    )


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
