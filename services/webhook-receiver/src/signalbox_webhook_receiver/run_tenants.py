"""The tenant of each run: events of another tenant are refused before they are published."""

import time
from collections.abc import Callable
from typing import Final

from signalbox_core.bounded_dict import BoundedDict
from signalbox_core.errors import Conflict, Unavailable
from signalbox_core.events import CloudEvent
from signalbox_core.streams import RunStream

_CACHED_S: Final = 3600.0
_MAX_CACHED: Final = 20_000


class RunTenants:
    """Caches each run's tenant for an hour; a run without a stream accepts any tenant."""

    def __init__(self, stream: RunStream, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._cached = BoundedDict[str, tuple[str, float]](_MAX_CACHED)

    async def check(self, event: CloudEvent) -> None:
        """Check that the event's run belongs to the event's tenant.

        Raises:
            Conflict: `foreign_run`, the run belongs to another tenant.
            Unavailable: the tenant cannot be read.
        """
        tenant = await self._tenant(event.runid)
        if tenant not in (None, event.tenantid):
            raise Conflict(
                "the run belongs to another tenant; use a run id of your tenant",
                code="foreign_run",
                field="runid",
            )

    async def _tenant(self, run_id: str) -> str | None:
        tenant, until = self._cached.get(run_id, ("", 0.0))
        if until > self._clock():
            return tenant
        try:
            found = await self._stream.tenant(run_id)
        except Unavailable as error:
            raise Unavailable(
                "the receiver cannot read the run's tenant now; send the delivery again",
                code="claims_unavailable",
            ) from error
        if found is not None:
            # A run whose entry is evicted is read again.
            self._cached[run_id] = (found, self._clock() + _CACHED_S)
        return found
