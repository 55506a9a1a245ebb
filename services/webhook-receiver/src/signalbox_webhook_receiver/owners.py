"""Whose run an event is about: a run's stream belongs to one tenant, and another's events are refused before they are published."""

import time
from collections.abc import Callable
from typing import Final

from signalbox_core.bounded_dict import BoundedDict
from signalbox_core.errors import Conflict, Unavailable
from signalbox_core.events import CloudEvent
from signalbox_core.streams import RunStream

_REMEMBERED_S: Final = 3600.0
_MAX_REMEMBERED: Final = 20_000


class Owners:
    """Looks a run's tenant up once in an hour; a run that has no stream yet is anybody's."""

    def __init__(self, stream: RunStream, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._known = BoundedDict[str, tuple[str, float]](_MAX_REMEMBERED)

    async def check(self, event: CloudEvent) -> None:
        """Check an event's run.

        Raises:
            Conflict: `foreign_run`, the run belongs to another tenant.
            Unavailable: nobody knows now.
        """
        tenant = await self._tenant(event.runid)
        if tenant not in (None, event.tenantid):
            raise Conflict(
                "the run belongs to another tenant; use a run id of your own",
                code="foreign_run",
                field="runid",
            )

    async def _tenant(self, run_id: str) -> str | None:
        tenant, until = self._known.get(run_id, ("", 0.0))
        if until > self._clock():
            return tenant
        try:
            found = await self._stream.tenant(run_id)
        except Unavailable as error:
            raise Unavailable(
                "the receiver cannot look at the run now; send the delivery again", code="claims_unavailable"
            ) from error
        if found is not None:
            # A run that is dropped is looked up again.
            self._known[run_id] = (found, self._clock() + _REMEMBERED_S)
        return found
