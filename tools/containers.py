"""Builds the images and runs them as containers, locked down as in k8s/base. Run by `make containers`.

python tools/containers.py [--no-build]

Needs Podman, Buildah and the base image; skipped with the reason where one is missing. The backends are those
of the embedded stack. CONTAINER_BUILD_OPTIONS is passed to `buildah bud`.
"""

import asyncio
import contextlib
import io
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx2
from PIL import Image, ImageDraw, ImageFont

from signalbox_client import AsyncSignalbox
from signalbox_devstack.stack.config import PROJECT
from signalbox_devstack.stack.endpoints import Endpoints, read_endpoints

ROOT: Final = Path(__file__).resolve().parent.parent
BASE_IMAGE: Final = "docker.io/library/python:3.12-slim-bookworm"
IMAGES: Final = {
    "gateway": "services/gateway/Dockerfile",
    "webhook-receiver": "services/webhook-receiver/Dockerfile",
    "worker": "services/worker/Dockerfile",
    "autoscaler": "services/autoscaler/Dockerfile",
    "admin": "shared/admin/Dockerfile",
}
LOCKED_DOWN: Final = (
    *("--network", "host", "--read-only", "--tmpfs", "/tmp"),
    *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
)
DEV: Final = (sys.executable, "-m", "signalbox_devstack.stack")
READY_WITHIN_S: Final = 180.0
RUN_WITHIN_S: Final = 180.0
STOP_WITHIN_S: Final = 60


def main() -> int:
    """Exit codes: 0 all succeeded or skipped, 1 a step failed."""
    if reason := missing():
        print(f"containers: skipped: {reason}")
        return 0
    if "--no-build" not in sys.argv:
        build()
    with tempfile.TemporaryDirectory() as folder:
        return run(Path(folder))


def missing() -> str | None:
    """Why the images cannot be built or run here; None if they can."""
    for program in ("podman", "buildah"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    if not succeeds("image", "exists", BASE_IMAGE) and not succeeds("pull", "--quiet", BASE_IMAGE):
        return f"the image {BASE_IMAGE} is not here and cannot be pulled"
    return None


def build() -> None:
    options = shlex.split(os.environ.get("CONTAINER_BUILD_OPTIONS", ""))
    for name, dockerfile in IMAGES.items():
        began = time.monotonic()
        command = ["buildah", "bud", "--format", "docker", *options, "-t", image(name), "-f", dockerfile, "."]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{name} was not built:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        print(f"{name}: built in {time.monotonic() - began:.0f} s, {size_mb(name)} MB", flush=True)


def image(name: str) -> str:
    return f"localhost/signalbox/{name}:dev"


def size_mb(name: str) -> int:
    return int(podman("image", "inspect", image(name), "--format", "{{.Size}}")) // 1_000_000


def podman(*arguments: str) -> str:
    done = subprocess.run(["podman", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"podman {' '.join(arguments[:2])}: {done.stderr.strip()}")
    return done.stdout.strip()


def succeeds(*arguments: str) -> bool:
    return subprocess.run(["podman", *arguments], capture_output=True, check=False).returncode == 0


@contextmanager
def backends(folder: Path) -> Iterator[Endpoints]:
    """Temporal, Redis and Pub/Sub of the embedded stack, with their topology."""
    state = ["--state-dir", str(folder)]
    parts = ["--only", "temporal,redis,pubsub", "--ports", "auto", "--headless", "--detach"]
    subprocess.run([*DEV, "up", *state, *parts], check=True, stdout=subprocess.DEVNULL)
    try:
        yield read_endpoints(folder / "endpoints.json")
    finally:
        subprocess.run([*DEV, "down", *state], check=True, stdout=subprocess.DEVNULL)


class Containers:
    """The services' containers: started one by one, stopped together.

    Args:
        folder: holds `secrets` and `objects`, which the containers mount.
        common: the environment of every container.
    """

    def __init__(self, folder: Path, common: Mapping[str, str]) -> None:
        self._folder = folder
        self._common = common
        self._prefix = f"signalbox-{os.getpid()}"
        self.names: list[str] = []

    def start(self, service: str, *, name: str = "", **settings: object) -> str:
        """Start a container; returns its name."""
        name = f"{self._prefix}-{name or service}"
        variables = {**self._common, **{key: str(value) for key, value in settings.items()}}
        given = [part for key, value in variables.items() for part in ("-e", f"{key}={value}")]
        mounts = ["-v", f"{self._folder}/secrets:/secrets:ro", "-v", f"{self._folder}/objects:/objects"]
        self.names.append(name)
        podman("run", "-d", "--name", name, *LOCKED_DOWN, "--memory", "1g", *mounts, *given, image(service))
        return name

    def stop(self, name: str) -> int:
        """Stop a container and return its exit code."""
        podman("stop", "-t", str(STOP_WITHIN_S), name)
        return int(podman("inspect", name, "--format", "{{.State.ExitCode}}"))

    def remove(self) -> None:
        for name in self.names:
            succeeds("rm", "-f", name)


def run(folder: Path) -> int:
    """Run the system in containers and use it."""
    api_key = prepare(folder)
    with backends(folder / "state") as endpoints:
        common = {
            "TEMPORAL_ADDRESS": str(endpoints.temporal),
            "TEMPORAL_NAMESPACE": "default",
            "REDIS_URL": str(endpoints.redis),
        }
        containers = Containers(folder, common)
        try:
            return asyncio.run(use(containers, str(endpoints.pubsub), api_key))
        finally:
            containers.remove()


def prepare(folder: Path) -> str:
    """Create the keys and the folder of objects; returns the API key."""
    folder.chmod(0o755)
    command = [str(ROOT / "compose/keys.sh"), str(folder / "secrets")]
    keys = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    (folder / "secrets").chmod(0o755)
    (folder / "objects").mkdir()
    os.chown(folder / "objects", 10001, 10001)
    return next(line for line in keys.splitlines() if line.startswith("sbx_"))


async def use(containers: Containers, pubsub: str, api_key: str) -> int:
    ports = free_ports(7)
    gateway, receiver = f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}"
    events = {"PUBSUB_EMULATOR_HOST": pubsub, "GOOGLE_CLOUD_PROJECT": PROJECT}
    sealing = {"SIGNALBOX_PAYLOAD_KEYS_FILE": "/secrets/payload-keys.json"}
    worker = {
        **sealing,
        "SIGNALBOX_WORKER_RECEIVER_URL": f"{receiver}/v1/events",
        "SIGNALBOX_WORKER_KEYID": "worker",
        "SIGNALBOX_WORKER_PRIVATE_KEY_FILE": "/secrets/worker.pem",
        "SIGNALBOX_WORKER_OBJECTS_URL": "file:///objects",
    }
    began = time.monotonic()
    containers.start(
        "webhook-receiver",
        **events,
        SIGNALBOX_RECEIVER_PORT=ports[1],
        SIGNALBOX_RECEIVER_METRICS_PORT=ports[4],
        SIGNALBOX_RECEIVER_PUBLIC_ORIGIN=receiver,
        SIGNALBOX_RECEIVER_KEYS="/secrets/receiver-keys.json",
    )
    containers.start(
        "gateway",
        **events,
        **sealing,
        SIGNALBOX_GATEWAY_PORT=ports[0],
        SIGNALBOX_GATEWAY_METRICS_PORT=ports[5],
        SIGNALBOX_GATEWAY_PUBLIC_ORIGIN=gateway,
        SIGNALBOX_GATEWAY_API_KEYS_FILE="/secrets/api-keys.json",
        SIGNALBOX_GATEWAY_OBJECTS_URL="file:///objects",
    )
    containers.start("worker", **worker, SIGNALBOX_WORKER_PORT=ports[2])
    containers.start(
        "autoscaler", SIGNALBOX_AUTOSCALER_PORT=ports[3], SIGNALBOX_AUTOSCALER_METRICS_PORT=ports[6]
    )
    serving = list(containers.names)
    for port in (ports[4], ports[5], ports[2], ports[6]):
        await until_ready(port)
    print(f"four services ready after {time.monotonic() - began:.0f} s", flush=True)
    async with AsyncSignalbox(gateway, api_key) as client:
        await complete(client, "ai_task", {"task": "summarise", "text": "One sentence. Another one."})
        scan = {"object": await upload_scan(gateway, api_key), "name": "scan.png"}
        batch = {"documents": [scan], "engine": "tesseract", "languages": ["en"]}
        await complete(client, "document_batch", batch)
    burst = containers.start(
        "worker",
        name="burst",
        **worker,
        SIGNALBOX_WORKER_PORT=free_ports(1)[0],
        SIGNALBOX_WORKER_BURST_LAUNCH="l-1",
        SIGNALBOX_WORKER_BURST_IDLE_S=2,
    )
    codes = {burst: int(podman("wait", burst)), **{name: containers.stop(name) for name in serving}}
    for name, code in codes.items():
        print(f"{name}: exit code {code}")
    return int(any(codes.values()))


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


async def until_ready(port: int) -> None:
    async with asyncio.timeout(READY_WITHIN_S), httpx2.AsyncClient(trust_env=False, timeout=10) as http:
        while True:
            with contextlib.suppress(httpx2.TransportError):
                if (await http.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200:
                    return
            await asyncio.sleep(0.2)


async def complete(client: AsyncSignalbox, pipeline: str, given: object) -> None:
    """Start a run and wait until it has completed."""
    began = time.monotonic()
    run_id = (await client.start(pipeline, given)).run_id
    async with asyncio.timeout(RUN_WITHIN_S):
        while (status := (await client.run(run_id)).status) in ("running", "queued"):  # noqa: ASYNC110
            await asyncio.sleep(0.5)
    if status != "completed":
        sys.exit(f"{pipeline}: {status}")
    print(f"{pipeline}: completed after {time.monotonic() - began:.0f} s", flush=True)


async def upload_scan(gateway: str, api_key: str) -> str:
    """Upload a picture of two lines of text; returns its object key."""
    scan, body = Image.new("RGB", (1_600, 700), "white"), io.BytesIO()
    text = "INVOICE 2026-17\nTotal 1,234.50 EUR"
    ImageDraw.Draw(scan).text((60, 80), text, fill="black", font=ImageFont.load_default(80))
    scan.save(body, "PNG")
    headers = {"authorization": f"Bearer {api_key}", "content-type": "image/png"}
    async with httpx2.AsyncClient(base_url=gateway, headers=headers, trust_env=False, timeout=60) as http:
        response = await http.post("/v1/objects", content=body.getvalue())
        return str(response.raise_for_status().json()["object"])


if __name__ == "__main__":
    sys.exit(main())
