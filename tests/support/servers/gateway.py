"""The gateway in-process for tests: real Temporal and Redis behind it, no port in front of it."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import httpx2
from starlette.types import ASGIApp

from signalbox_core.pipeline import PipelineSpec
from signalbox_gateway.app import Gateway, Parts, open_parts
from signalbox_gateway.settings import Settings
from support.assertions.eventually import eventually
from support.fakes.echo_pipeline import SPEC

ORIGIN = "https://signalbox.test"
UNREACHABLE = "127.0.0.1:9"
"""An address without a Pub/Sub server."""
PATIENCE: Final = timedelta(seconds=20)
"""The deadline of a gateway whose runs have a worker, which may be slow on a busy machine."""
PIPELINES: Mapping[str, PipelineSpec] = {SPEC.name: SPEC}
KEYS = {
    "admin": ("acme", ["admin"], "lan"),
    "viewer": ("acme", ["viewer"], "vy"),
    "operator": ("acme", ["operator"], "oanh"),
    "approver": ("acme", ["approver"], "an"),
    "nobody": ("acme", [], "nam"),
    "deployer": ("acme", ["admin", "deployment_operator"], "dung"),
    "stranger": ("other", ["admin"], "binh"),
}


def secret_of(role: str) -> str:
    return f"sbx_test_{role}"


def write_keys(path: Path, *, without: str | None = None) -> Path:
    """The keys file: one key for each name in KEYS."""
    keys = [
        {
            "id": name,
            "sha256": hashlib.sha256(secret_of(name).encode()).hexdigest(),
            "tenant": tenant,
            "roles": roles,
            "name": person,
        }
        for name, (tenant, roles, person) in KEYS.items()
        if name != without
    ]
    path.write_text(json.dumps({"keys": keys}))
    return path


def settings(
    folder: Path, *, temporal: str, redis: str, pubsub: str = UNREACHABLE, project: str = "signalbox"
) -> Settings:
    return Settings(
        temporal_address=temporal,
        redis_url=redis,
        google_cloud_project=project,
        pubsub_emulator_host=pubsub,
        api_keys_file=str(write_keys(folder / "keys.json")),
        objects_url=f"file://{folder}/objects",
        public_origin=ORIGIN,
        passkey_rp_id="signalbox.test",
        passkey_origins=(ORIGIN,),
        temporal_ui_url="https://temporal.test/namespaces",
        trace_url="https://traces.test/{trace_id}",
        cors_origins=("https://app.test",),
        failures_per_s=1_000,
        requests_per_s=10_000,
    )


def environment(
    folder: Path, *, temporal: str, redis: str, pubsub: str, port: int, project: str
) -> dict[str, str]:
    """The environment of a gateway process."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SIGNALBOX_")}
    return {
        **kept,
        "TEMPORAL_ADDRESS": temporal,
        "REDIS_URL": redis,
        "PUBSUB_EMULATOR_HOST": pubsub,
        "GOOGLE_CLOUD_PROJECT": project,
        "SIGNALBOX_GATEWAY_API_KEYS_FILE": str(write_keys(folder / "keys.json")),
        "SIGNALBOX_GATEWAY_OBJECTS_URL": f"file://{folder}/objects",
        "SIGNALBOX_GATEWAY_PUBLIC_ORIGIN": f"http://127.0.0.1:{port}",
        "SIGNALBOX_GATEWAY_PORT": str(port),
        "SIGNALBOX_GATEWAY_DRAIN_S": "1",
    }


@contextmanager
def gateway_process(
    variables: Mapping[str, str], folder: Path, *, prefix: Sequence[str] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m signalbox_gateway` with its log in `folder`; killed at the end if it is still running.

    Args:
        prefix: a command that limits and then becomes the process.
    """
    command = [*prefix, sys.executable, "-m", "signalbox_gateway"]
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen(command, env=dict(variables), stdout=log, stderr=log)
    try:
        yield child
    finally:
        child.kill()
        child.wait(10)


@asynccontextmanager
async def caller_of(
    process: subprocess.Popen[bytes], port: int, *, connections: int = 10
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client with the admin's key, once the gateway process is ready."""
    headers = {"authorization": f"Bearer {secret_of('admin')}"}
    limits = httpx2.Limits(max_connections=connections)
    async with httpx2.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", headers=headers, limits=limits, timeout=60, trust_env=False
    ) as caller:

        async def is_ready() -> bool:
            assert process.poll() is None, f"the gateway ended with {process.returncode}"
            try:
                return (await caller.get("/readyz")).status_code == 200
            except httpx2.TransportError:
                return False

        await eventually(is_ready, within_s=120)
        yield caller


@asynccontextmanager
async def gateway_parts(
    folder: Path, *, temporal: str, redis: str, pubsub: str = UNREACHABLE
) -> AsyncIterator[Parts]:
    async with open_parts(settings(folder, temporal=temporal, redis=redis, pubsub=pubsub)) as parts:
        yield replace(parts, pipelines=PIPELINES)


def client_of(app: ASGIApp, role: str | None = "admin") -> httpx2.AsyncClient:
    """A client with the key of `role`; an exception in the app fails the test."""
    headers = {"authorization": f"Bearer {secret_of(role)}"} if role else {}
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=ORIGIN, headers=headers)


__all__ = [
    "Gateway",
    "caller_of",
    "client_of",
    "environment",
    "gateway_parts",
    "gateway_process",
    "secret_of",
    "settings",
    "write_keys",
]
