"""Every provider of burst workers against an emulator of its API; tasks are local processes."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
import httpx2

from signalbox_autoscaler.providers.cloud_run import CloudRunJobs
from signalbox_autoscaler.providers.kubernetes import KubernetesJobs
from signalbox_autoscaler.providers.local import LocalProcesses
from signalbox_autoscaler.providers.provider import Provider

JOB = "projects/local/locations/local/jobs/burst"
KINDS = ("local", "cloud_run", "kubernetes")
POD_TEMPLATE = {
    "apiVersion": "v1",
    "kind": "PodTemplate",
    "metadata": {"name": "burst-worker"},
    "template": {
        "metadata": {"labels": {"app.kubernetes.io/name": "burst-worker"}},
        "spec": {"containers": [{"name": "worker", "image": "registry.invalid/signalbox/worker", "env": []}]},
    },
}


@contextlib.asynccontextmanager
async def listening(
    module: str, *arguments: str, environ: Mapping[str, str] | None = None
) -> AsyncIterator[str]:
    """Run `python -m MODULE --port 0 …` during the block; yields the `host:port` that it prints."""
    command = [sys.executable, "-m", module, "--port", "0", *arguments]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=environ)
    assert process.stdout is not None
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
        assert line.startswith("listening "), f"{module} printed {line!r}"
        yield line.split()[1]
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@contextlib.asynccontextmanager
async def cloud_run_program(
    command: Sequence[str], *arguments: str, environ: Mapping[str, str] | None = None
) -> AsyncIterator[str]:
    """Run the Cloud Run emulator.

    Args:
        environ: environment of the emulator and its tasks; None: that of this process.
    """
    async with listening(
        "signalbox_devstack.emulators.cloud_run",
        *arguments,
        "--",
        *command,
        environ=environ,
    ) as address:
        yield address


@contextlib.asynccontextmanager
async def kubernetes_program(command: Sequence[str]) -> AsyncIterator[str]:
    async with listening(
        "signalbox_devstack.emulators.kubernetes", "--token", "secret", "--", *command
    ) as address:
        yield address


async def kubernetes_call(
    address: str, method: str, path: str, body: Any = None, *, group: str = "api/v1"
) -> httpx2.Response:
    """Call the emulated API server as an operator would, in the namespace `signalbox`."""
    async with httpx2.AsyncClient(headers={"Authorization": "Bearer secret"}, timeout=60) as http:
        return await http.request(method, f"http://{address}/{group}/namespaces/signalbox/{path}", json=body)


@contextlib.asynccontextmanager
async def provider_of(kind: str, command: Sequence[str], folder: Path) -> AsyncIterator[Provider]:
    async with contextlib.AsyncExitStack() as stack:
        provider: Provider
        if kind == "local":
            provider = LocalProcesses(folder / "launches", command, {})
        elif kind == "cloud_run":
            address = await stack.enter_async_context(cloud_run_program(command))
            provider = CloudRunJobs(JOB, endpoint=address, run_timeout_s=5)
        else:
            token = folder / "token"
            token.write_text("secret\n")
            address = await stack.enter_async_context(kubernetes_program(command))
            await kubernetes_call(address, "POST", "podtemplates", POD_TEMPLATE)
            provider = KubernetesJobs(f"http://{address}", "signalbox", "burst-worker", token_file=token)
        stack.push_async_callback(provider.aclose)
        yield provider


async def set_faults(address: str, **faults: Any) -> None:
    """Inject faults into the Cloud Run emulator."""
    async with grpc.aio.insecure_channel(address) as channel:
        await channel.unary_unary("/signalbox.world.CloudRun/SetFaults")(json.dumps(faults).encode())
