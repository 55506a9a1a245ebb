"""The chore between the backends and the services: create topics, subscriptions and search attributes. Idempotent."""

import asyncio
from typing import Final

from signalbox_core.errors import Unavailable
from signalbox_devstack.stack.plan import HOST, NAMESPACE, PROJECT, Site

_WITHIN_S: Final = 60.0


async def create_in_pubsub(site: Site) -> None:
    """Raises: Unavailable: Pub/Sub did not answer within a minute."""
    from signalbox_core.topology import provision_pubsub

    try:
        async with asyncio.timeout(_WITHIN_S):
            await provision_pubsub(PROJECT, emulator_host=f"{HOST}:{site.ports['pubsub']}")
    except TimeoutError:
        raise Unavailable(f"topology: Pub/Sub did not answer within {_WITHIN_S:g} s") from None


async def create_in_temporal(site: Site) -> None:
    """Raises: Unavailable: Temporal did not answer within a minute."""
    from signalbox_core.temporal import connect
    from signalbox_core.topology import provision_temporal

    try:
        async with asyncio.timeout(_WITHIN_S):
            await provision_temporal(await connect(f"{HOST}:{site.ports['temporal']}", NAMESPACE))
    except TimeoutError:
        raise Unavailable(f"topology: Temporal did not answer within {_WITHIN_S:g} s") from None
