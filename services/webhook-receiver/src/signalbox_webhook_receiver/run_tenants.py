"""The tenant of each run: events of another tenant are refused before they are published."""

import time
from collections.abc import Callable, Mapping, Sequence
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

    async def check(self, events: Sequence[CloudEvent]) -> list[Conflict | None]:
        """Check that each event's run belongs to the event's tenant.

        Returns:
            Per event None, or `foreign_run`: the run belongs to another tenant.

        Raises:
            Unavailable: the tenants cannot be read.
        """
        tenants = await self._tenants({event.runid for event in events})
        return [
            None if tenants[event.runid] in (None, event.tenantid) else _foreign_run() for event in events
        ]

    async def _tenants(self, run_ids: set[str]) -> Mapping[str, str | None]:
        now = self._clock()
        known = {run_id: self._cached.get(run_id, ("", 0.0)) for run_id in run_ids}
        tenants: dict[str, str | None] = {
            run_id: tenant for run_id, (tenant, until) in known.items() if until > now
        }
        unknown = sorted(run_ids - tenants.keys())
        if unknown:
            tenants |= await self._read(unknown)
        return tenants

    async def _read(self, run_ids: Sequence[str]) -> Mapping[str, str | None]:
        try:
            found = dict(zip(run_ids, await self._stream.tenants(run_ids), strict=True))
        except Unavailable as error:
            raise Unavailable(
                "the receiver cannot read the run's tenant now; send the delivery again",
                code="claims_unavailable",
            ) from error
        for run_id, tenant in found.items():
            if tenant is not None:
                # A run whose entry is evicted is read again.
                self._cached[run_id] = (tenant, self._clock() + _CACHED_S)
        return found


def _foreign_run() -> Conflict:
    return Conflict(
        "the run belongs to another tenant; use a run id of your tenant", code="foreign_run", field="runid"
    )
