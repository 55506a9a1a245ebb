"""Open runs that wait for a person, are blocked or queued, which the visibility store does not know."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from signalbox_core.ids import plain_workflow_ids, run_id_of, run_key
from signalbox_core.streams import InboxPosition, RunStream
from signalbox_gateway.runs.conditions import RunConditions
from signalbox_gateway.runs.search.query import OpenState

MAX_WAITING: Final = 5_000
"""How many pending questions are considered, the oldest first."""
_MAX_PAGE: Final = 100
_INBOX_PAGE: Final = 1_000


class OpenRunPage(Struct, frozen=True, kw_only=True):
    """Run keys of one page.

    Attributes:
        after: the position of the next page; None on the last one.
    """

    keys: Sequence[str]
    after: str | None

    @property
    def workflow_ids(self) -> Sequence[str]:
        """The ids that these runs may have in Temporal."""
        return [item for key in self.keys for item in (key, *plain_workflow_ids(run_id_of(key)))]


class OpenRuns:
    """Lists the runs of a tenant that are in one of these states."""

    def __init__(self, conditions: RunConditions, streams: RunStream) -> None:
        self._conditions = conditions
        self._streams = streams

    async def page(
        self, tenant: str, states: Sequence[OpenState], *, after: str | None, limit: int
    ) -> OpenRunPage:
        """One page, in the descending order of the run keys, so that a run that comes or goes moves no other.

        Raises:
            Unavailable: Redis is unavailable.
        """
        found = {
            key
            for key, condition in self._conditions.all().items()
            if condition.tenant == tenant
            and (("blocked" if condition.blocked is not None else "queued") in states)
        }
        if "waiting" in states:
            found |= await self._waiting(tenant)
        size = min(limit, _MAX_PAGE)
        rest = [key for key in sorted(found, reverse=True) if after is None or key < after]
        return OpenRunPage(keys=rest[:size], after=rest[size - 1] if len(rest) > size else None)

    async def _waiting(self, tenant: str) -> set[str]:
        found: set[str] = set()
        position: InboxPosition | None = None
        for _ in range(MAX_WAITING // _INBOX_PAGE):
            page = await self._streams.inbox(tenant, after=position, limit=_INBOX_PAGE)
            found |= {run_key(tenant, item.run_id) for item in page.items}
            position = page.next
            if position is None:
                break
        return found
