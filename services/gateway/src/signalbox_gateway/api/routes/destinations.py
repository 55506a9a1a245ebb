"""Routes of the destinations of notifications."""

from signalbox_core.crypto.api_keys import Role
from signalbox_gateway.api.destinations import DestinationHandlers, DestinationsView
from signalbox_gateway.api.endpoint import Endpoint, Reply


def destination_routes(destinations: DestinationHandlers) -> tuple[Endpoint, ...]:
    return (
        Endpoint(
            method="GET",
            path="/v1/destinations",
            name="list_destinations",
            summary="List the destinations of the tenant's notifications, and whether they can be reached",
            role=Role.VIEWER,
            handle=destinations.list,
            replies=(Reply(200, "The destinations, sorted by name", DestinationsView),),
        ),
    )
