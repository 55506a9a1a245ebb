"""The workflow id of a run: its run key, or the run id alone for a run that an earlier release started."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, TypeVar

from temporalio.client import Client

from signalbox_core.bounded_dict import BoundedDict
from signalbox_core.errors import NotFound
from signalbox_core.ids import run_id_of, tenant_of
from signalbox_core.temporal.names import MEMO_TENANT
from signalbox_gateway.runs.temporal_errors import map_temporal_errors

T = TypeVar("T")
_MAX_UNKEYED: Final = 10_000


class WorkflowIds:
    """Calls Temporal with the workflow id of a run, without an extra round trip unless there is none.

    An earlier release used the run id as workflow id, so that one tenant's run blocked the id for all others.
    Such a workflow is used only if its memo names the tenant of the run key.
    """

    def __init__(self, client: Client, deadline: timedelta) -> None:
        self._client = client
        self._deadline = deadline
        self._unkeyed = BoundedDict[str, None](_MAX_UNKEYED)

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
        return await send(run_id_of(key))

    async def is_unkeyed(self, key: str) -> bool:
        """Whether a release without run keys started the run, so that its workflow id is its run id."""
        tenant = tenant_of(key)
        if tenant is None or key in self._unkeyed:
            return tenant is not None
        try:
            async with map_temporal_errors():
                handle = self._client.get_workflow_handle(run_id_of(key))
                found = await handle.describe(rpc_timeout=self._deadline)
                is_own = await found.memo_value(MEMO_TENANT, None, type_hint=str) == tenant
        except NotFound:
            return False
        if is_own:
            self._unkeyed[key] = None
        return is_own
