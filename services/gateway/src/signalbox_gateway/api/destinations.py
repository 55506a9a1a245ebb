"""The tenant's destinations of notifications, and whether they can be reached."""

from datetime import datetime
from typing import Literal

from msgspec import Struct
from starlette.responses import Response

from signalbox_core.process.followed_file import FollowedFile
from signalbox_gateway.api.endpoint import ApiCall, json_response
from signalbox_gateway.notifications.deliveries import DeliveryRecords, DestinationState
from signalbox_gateway.notifications.routes_file import AnyDestination, NotificationRoutes, kind_of


class DestinationView(Struct, frozen=True, kw_only=True):
    """One destination.

    `status` is `unused` before the first attempt, `retrying` after a temporary failure, and `failed` when a
    notification was given up. `last_attempt_at` and `error` are those of the last attempt.
    """

    name: str
    kind: str
    status: Literal["unused", "ok", "retrying", "failed"]
    last_attempt_at: datetime | None
    failing_since: datetime | None
    error: str | None


class DestinationsView(Struct, frozen=True, kw_only=True):
    destinations: tuple[DestinationView, ...]


class DestinationHandlers:
    """The handler of /v1/destinations.

    Args:
        routes: None when this deployment sends no notifications; the list is then empty.
    """

    def __init__(self, routes: FollowedFile[NotificationRoutes] | None, records: DeliveryRecords) -> None:
        self._routes = routes
        self._records = records

    async def list(self, call: ApiCall) -> Response:
        tenant = call.principal.tenant
        configured = self._routes.current().destinations(tenant) if self._routes is not None else {}
        states = await self._records.states(tenant) if configured else {}
        return json_response(
            DestinationsView(
                destinations=tuple(
                    _view(name, configured[name], states.get(name)) for name in sorted(configured)
                )
            )
        )


def _view(name: str, destination: AnyDestination, state: DestinationState | None) -> DestinationView:
    return DestinationView(
        name=name,
        kind=kind_of(destination),
        status=state.status if state is not None else "unused",
        last_attempt_at=state.at if state is not None else None,
        failing_since=state.failing_since if state is not None else None,
        error=state.error if state is not None else None,
    )
