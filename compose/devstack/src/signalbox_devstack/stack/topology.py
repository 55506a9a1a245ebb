"""Creates topics, subscriptions and search attributes before the services start. Idempotent."""

import asyncio
from typing import Final

from signalbox_core.errors import Unavailable
from signalbox_devstack.stack.config import HOST, NAMESPACE, PROJECT, StackConfig

_TIMEOUT_S: Final = 60.0


async def create_in_pubsub(config: StackConfig) -> None:
    """Raises: Unavailable when Pub/Sub does not respond within a minute."""
    from signalbox_core.topology import provision_pubsub

    try:
        async with asyncio.timeout(_TIMEOUT_S):
            await provision_pubsub(PROJECT, emulator_host=f"{HOST}:{config.ports['pubsub']}")
    except TimeoutError:
        raise Unavailable(f"topology: Pub/Sub did not respond within {_TIMEOUT_S:g} s") from None


async def create_in_temporal(config: StackConfig) -> None:
    """Raises: Unavailable when Temporal does not respond within a minute."""
    from signalbox_core.temporal import connect
    from signalbox_core.topology import provision_temporal

    try:
        async with asyncio.timeout(_TIMEOUT_S):
            await provision_temporal(await connect(f"{HOST}:{config.ports['temporal']}", NAMESPACE))
    except TimeoutError:
        raise Unavailable(f"topology: Temporal did not respond within {_TIMEOUT_S:g} s") from None
