"""Autoscaler processes, with their policies in a file and their settings in the environment."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from redis.asyncio import Redis

from signalbox_autoscaler.actuate.launch_ledger import LEASE_KEYS


def autoscaler_environment(
    folder: Path,
    temporal_address: str,
    redis_url: str,
    policies: str,
    worker: Mapping[str, str],
    **settings: object,
) -> dict[str, str]:
    """Write the policy file and build the environment of an autoscaler process.

    Args:
        worker: environment that local burst workers inherit.
        settings: autoscaler settings by lower-case name.
    """
    path = folder / "policies.toml"
    path.write_text(policies)
    merged = {"port": 0, "policies": path, "observe_every_s": 1, "lease_s": 3, **settings}
    return {
        **worker,
        "PATH": os.environ["PATH"],
        "TEMPORAL_ADDRESS": temporal_address,
        "REDIS_URL": redis_url,
        **{f"SIGNALBOX_AUTOSCALER_{name.upper()}": str(value) for name, value in merged.items()},
    }


@contextlib.asynccontextmanager
async def autoscaler(environment: Mapping[str, str], log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run one autoscaler process, terminated at the end of the block."""
    with log.open("ab") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "signalbox_autoscaler",
            env=environment,
            stderr=out,
            stdout=asyncio.subprocess.DEVNULL,
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 10)
        if process.returncode is None:
            process.kill()
        await process.wait()


async def leader(redis: Redis) -> str | None:
    """The owner of the lease and its epoch."""
    held = await redis.get(LEASE_KEYS.lease)
    return held.decode() if isinstance(held, bytes) else held
