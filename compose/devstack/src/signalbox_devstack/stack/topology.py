"""Creates topics, subscriptions and search attributes before the services start. Idempotent.

As a program (`python -m signalbox_devstack.stack.topology HOST:PORT`) it creates the search attributes.
"""

import asyncio
import subprocess
import sys
from typing import Final

from signalbox_core.errors import SignalboxError, Unavailable
from signalbox_core.process.service import leave
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
    """Create the search attributes, in a process of its own: Temporal's SDK would stay in this one's memory.

    Raises:
        Unavailable: Temporal does not respond within a minute, or refuses.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __spec__.name, f"{HOST}:{config.ports['temporal']}"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            _, error = await process.communicate()
    except TimeoutError:
        raise Unavailable(f"topology: Temporal did not respond within {_TIMEOUT_S:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        last_line = error.decode(errors="replace").strip().rpartition("\n")[2]
        raise Unavailable(f"topology: Temporal's search attributes were not created: {last_line}")


async def _create_search_attributes(address: str) -> None:
    from signalbox_core.temporal import connect
    from signalbox_core.topology import provision_temporal

    await provision_temporal(await connect(address, NAMESPACE))


def main(address: str) -> int:
    """Return the exit status: 1 if Temporal does not respond or refuses; standard error has the reason."""
    try:
        asyncio.run(_create_search_attributes(address))
    except SignalboxError as error:
        print(" ".join(error.detail.split()), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    leave(main(sys.argv[1]))
