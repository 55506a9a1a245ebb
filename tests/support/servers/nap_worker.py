"""Worker processes that serve the nap pipeline, installed as a customer would install one of their own."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from signalbox_core.signatures import Algorithm
from support.drivers.signed_requests import new_private_key, private_pem
from support.servers.installed_pipelines import install_pipelines

QUEUE = "nap"


def nap_environment(
    folder: Path, temporal_address: str, redis_url: str | None = None, *, queue: str = QUEUE, **more: object
) -> dict[str, str]:
    """What a worker process needs; `more` are worker settings by lower-case name."""
    key = folder / "worker.pem"
    if not key.exists():
        key.write_bytes(private_pem(new_private_key(Algorithm.ED25519)))
    own = {
        "receiver_url": "http://127.0.0.1:9/v1/events",
        "keyid": "worker",
        "private_key_file": key,
        "objects_url": f"file://{folder}/objects",
        "port": 0,
        "pipelines": "nap",
        **more,
    }
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": install_pipelines(folder / "installed", "naps", "support.installed"),
        "TEMPORAL_ADDRESS": temporal_address,
        "NAP_QUEUE": queue,
        **({"REDIS_URL": redis_url} if redis_url else {}),
        **{f"SIGNALBOX_WORKER_{name.upper()}": str(value) for name, value in own.items()},
    }


@contextlib.asynccontextmanager
async def nap_worker(environment: Mapping[str, str], log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """One worker process; killed when the block is left before it ended."""
    with log.open("ab") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "signalbox_worker",
            env=environment,
            stderr=out,
            stdout=asyncio.subprocess.DEVNULL,
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
