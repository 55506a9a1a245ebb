"""Lists and finds runs."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from starlette.responses import Response

from signalbox_core import base64url
from signalbox_core.errors import InvalidInput
from signalbox_core.events.snapshot import ENDED
from signalbox_core.pipeline.contract.find import find_fields
from signalbox_core.pipeline.spec import PipelineSpec
from signalbox_core.streams import RunStream
from signalbox_gateway.api.endpoint import ApiCall, json_response
from signalbox_gateway.api.schemas import ListRuns, RunItemView, RunPageView
from signalbox_gateway.http.page_cursor import invalid_cursor
from signalbox_gateway.runs.conditions import RunCondition, RunConditions
from signalbox_gateway.runs.run_info import RunInfo, RunInfoPage
from signalbox_gateway.runs.search.index import RunIndex
from signalbox_gateway.runs.search.open_runs import OpenRuns
from signalbox_gateway.runs.search.query import OpenState, named_pipelines, parse_query, unknown_pipeline
from signalbox_gateway.runs.search.visibility import open_runs_query, visibility_query
from signalbox_gateway.runs.temporal import TemporalRuns

_CHECKSUM_BYTES: Final = 6
_MAX_PLAIN_TYPES: Final = 3


class RunListHandler:
    """The handler of GET /v1/runs."""

    def __init__(
        self,
        engine: TemporalRuns,
        pipelines: Mapping[str, PipelineSpec],
        conditions: RunConditions,
        streams: RunStream,
    ) -> None:
        self._engine = engine
        self._pipelines = pipelines
        self._conditions = conditions
        self._index = RunIndex(engine)
        self._open_runs = OpenRuns(conditions, streams)
        self._find_names = {name for spec in pipelines.values() for name in find_fields(spec.input)}

    async def handle(self, call: ApiCall) -> Response:
        query = call.query(ListRuns)
        tenant = call.principal.tenant
        queues = [
            name for name, owner in self._engine.workflow_ids.rules.queue_tenants.items() if owner == tenant
        ]
        types = await self._plain_types(query, tenant, any_type=bool(queues))
        if query.pipeline is not None and query.pipeline not in (*self._pipelines, *types):
            raise unknown_pipeline(query.pipeline, self._pipelines, field="pipeline")
        search = parse_query(
            query.q,
            pipelines=self._pipelines,
            find_names=self._find_names,
            now=datetime.now(UTC),
            types=types,
        )
        filters = visibility_query(
            tenant=tenant,
            pipeline=query.pipeline,
            status=query.status,
            search=search,
            queues=queues,
            types=types,
        )
        # Not the filters: an age as in `started:7d` makes another instant of each request.
        bound_to = "\0".join((tenant, query.status or "", query.pipeline or "", query.q))
        token = _token(query.cursor, bound_to)
        if search.open_states:
            page = await self._page_of_open(
                filters, tenant, search.open_states, limit=query.limit, token=token
            )
        else:
            page = await self._index.page(filters, limit=query.limit, token=token)
        # The visibility store orders open runs first; within a page the newest comes first.
        # The memo of a plain workflow may name another tenant than that of its task queue.
        own = [run for run in page.runs if run.tenant == tenant]
        newest_first = sorted(own, key=lambda run: run.started_at, reverse=True)
        items = tuple(_item(run, self._conditions.get(run.key)) for run in newest_first)
        return json_response(RunPageView(runs=items, next_cursor=_cursor(page.next_token, bound_to)))

    async def _page_of_open(
        self, filters: str, tenant: str, states: Sequence[OpenState], *, limit: int, token: bytes | None
    ) -> RunInfoPage:
        """One page of the runs that wait, are blocked or queued; it may have fewer runs than `limit`."""
        try:
            after = token.decode() if token is not None else None
        except UnicodeDecodeError:
            raise _foreign_cursor() from None
        part = await self._open_runs.page(tenant, states, after=after, limit=limit)
        if not part.keys:
            return RunInfoPage(runs=(), next_token=None)
        query = open_runs_query(filters, part.workflow_ids)
        found = await self._index.page(query, limit=len(part.workflow_ids), token=None)
        return RunInfoPage(
            runs=tuple(run for run in found.runs if run.key in part.keys),
            next_token=part.after.encode() if part.after is not None else None,
        )

    async def _plain_types(self, query: ListRuns, tenant: str, *, any_type: bool) -> Sequence[str]:
        """Which of the pipelines of a query are types of plain workflows.

        Args:
            any_type: task queues of the tenant are configured, whose workflows may be of any type.
        """
        given = {*named_pipelines(query.q), query.pipeline or ""} - {"", *self._pipelines}
        # The visibility store cannot look up a text with NUL.
        named = {name for name in given if name.isprintable()}
        # A search for `pipeline:Echo` means `echo`, unless there is such a type; a filter is exact.
        by_case = {name for name in named if name.lower() in self._pipelines and name != query.pipeline}
        unknown = sorted(named - by_case)
        # Each name is a query. The names beyond are refused as those of unknown pipelines are.
        looked_up = [*([] if any_type else unknown), *sorted(by_case)][:_MAX_PLAIN_TYPES]
        found = await self._index.plain_types(tenant, looked_up)
        return [*unknown, *found] if any_type else found


def _item(run: RunInfo, condition: RunCondition | None) -> RunItemView:
    known = condition if run.status not in ENDED else None
    return RunItemView(
        run_id=run.run_id,
        pipeline=run.pipeline,
        subject=run.subject,
        tags=run.tags,
        status=run.status,
        started_at=run.started_at,
        ended_at=run.ended_at,
        started_by=run.started_by,
        starter=run.starter,
        url=f"/v1/runs/{quote(run.run_id, safe='')}",
        blocked=known.blocked if known is not None else None,
        queued=known.queued if known is not None else None,
    )


def _cursor(token: bytes | None, bound_to: str) -> str | None:
    return base64url.encode(_checksum(token, bound_to) + token) if token else None


def _token(cursor: str | None, bound_to: str) -> bytes | None:
    if cursor is None:
        return None
    try:
        decoded = base64url.decode(cursor)
    except ValueError:
        decoded = b""
    token = decoded[_CHECKSUM_BYTES:]
    if not token or decoded[:_CHECKSUM_BYTES] != _checksum(token, bound_to):
        raise _foreign_cursor()
    return token


def _foreign_cursor() -> InvalidInput:
    return invalid_cursor("GET /v1/runs with the same q, status and pipeline")


def _checksum(token: bytes, bound_to: str) -> bytes:
    """Bind a page token to its search. Not a MAC: every query filters by the caller's tenant anyway."""
    return hashlib.sha256(bound_to.encode() + b"\0" + token).digest()[:_CHECKSUM_BYTES]
