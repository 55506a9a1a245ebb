"""The workflow id of a run: its run key, unless it is a plain workflow or a run of an earlier release."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, TypeVar

from temporalio.client import Client

from signalbox_core.bounded_dict import BoundedDict
from signalbox_core.errors import NotFound
from signalbox_core.ids import plain_workflow_ids, run_id_of, tenant_of
from signalbox_gateway.runs.run_info import NO_RULES, WorkflowRules, run_info_of
from signalbox_gateway.runs.temporal_errors import map_temporal_errors

T = TypeVar("T")
_MAX_UNKEYED: Final = 10_000


class WorkflowIds:
    """Calls Temporal with the workflow id of a run, without an extra round trip unless there is none.

    A plain workflow has an id of its own. An earlier release used the run id as workflow id, so that one
    tenant's run blocked the id for all others. Such a workflow is used only if it belongs to the tenant of
    the run key.

    Args:
        rules: by which runs of pipelines and plain workflows are recognised.
    """

    def __init__(self, client: Client, deadline: timedelta, rules: WorkflowRules = NO_RULES) -> None:
        self.rules = rules
        self._client = client
        self._deadline = deadline
        self._unkeyed = BoundedDict[str, str](_MAX_UNKEYED)

    async def call(self, key: str, send: Callable[[str], Awaitable[T]]) -> T:
        """Return `send(workflow_id)`.

        Args:
            key: a run key; or a run id, for a run without a run key whose tenant was checked.
            send: may be called twice; raises NotFound, without any effect, if there is no such workflow.

        Raises:
            NotFound: the tenant has no such run.
        """
        if key not in self._unkeyed:
            try:
                return await send(key)
            except NotFound:
                if not await self.is_unkeyed(key):
                    raise
        return await send(self._unkeyed[key])

    async def is_unkeyed(self, key: str) -> bool:
        """Whether the run is a plain workflow or one that a release without run keys started."""
        tenant = tenant_of(key)
        if tenant is None or key in self._unkeyed:
            return tenant is not None
        for workflow_id in plain_workflow_ids(run_id_of(key)):
            try:
                async with map_temporal_errors():
                    handle = self._client.get_workflow_handle(workflow_id)
                    found = await handle.describe(rpc_timeout=self._deadline)
                    run = await run_info_of(found, self.rules)
            except NotFound:
                continue
            if run is not None and run.key == key:
                self._unkeyed[key] = workflow_id
                return True
        return False
