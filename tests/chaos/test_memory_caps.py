"""Gateway and receiver at the caps of their settings, in the memory that k8s/base gives them."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx2
import msgspec
import pytest
from msgspec.structs import replace

from signalbox_core.events import CloudEvent, full_type
from signalbox_core.topology import provision_pubsub
from signalbox_gateway.api.uploads import MAX_UPLOAD_BYTES
from signalbox_gateway.settings import Settings as GatewaySettings
from signalbox_webhook_receiver.profile import MAX_BATCH_BYTES
from signalbox_webhook_receiver.settings import Settings as ReceiverSettings
from support.assertions.eventually import eventually
from support.deployment import DEPLOYMENTS
from support.drivers.inbox_stream import open_inbox_stream
from support.drivers.signed_requests import BATCH
from support.fakes.events import story
from support.fakes.receiver import batch_of
from support.servers import backends
from support.servers.gateway import caller_of, environment, gateway_process
from support.servers.live_receiver import make_topics, one_sender
from support.servers.memory_limit import MemoryLimit, memory_limit
from support.servers.pubsub import Program
from support.servers.receiver_process import ReceiverProcess, own_server, running

PROJECT: Final = "caps"
UPLOADS: Final = 8
EVENTS: Final = 4
"""Of one delivery, which is as large as permitted."""


def default_of(settings: type[msgspec.Struct], name: str) -> int:
    (found,) = [field.default for field in msgspec.structs.fields(settings) if field.name == name]
    assert isinstance(found, int)
    return found


def limit_of(service: str) -> int:
    """The memory limit of a service's container in k8s/base."""
    container: Any = DEPLOYMENTS[service]["spec"]["template"]["spec"]["containers"][0]
    size = re.fullmatch(r"(\d+)Gi", container["resources"]["limits"]["memory"])
    assert size is not None
    return int(size[1]) << 30


@pytest.fixture
def limit(request: pytest.FixtureRequest) -> Iterator[MemoryLimit]:
    with memory_limit(limit_of(request.param)) as made:
        yield made


def report(what: str, limit: MemoryLimit) -> None:
    sys.stdout.write(f"\n{what}: at most {limit.peak_bytes / 2**20:.0f} MiB\n")


async def pdf() -> AsyncIterator[bytes]:
    """A file of the greatest size that an upload may have."""
    yield b"%PDF-1.4\n"
    left = MAX_UPLOAD_BYTES - 9
    while left:
        part = bytes(min(left, 1 << 16))
        left -= len(part)
        yield part


@pytest.mark.parametrize("limit", ["gateway"], indirect=True)
@pytest.mark.timeout(400)
async def test_a_gateway_with_all_its_streams_and_large_uploads_fits_its_memory(
    limit: MemoryLimit,
    tmp_path: Path,
    temporal_address: str,
    redis_url: str,
    pubsub_host: str,
) -> None:
    await provision_pubsub(PROJECT, emulator_host=pubsub_host)
    port, most = backends.free_port(), default_of(GatewaySettings, "max_listeners")
    variables = environment(
        tmp_path, temporal=temporal_address, redis=redis_url, pubsub=pubsub_host, port=port, project=PROJECT
    )
    for name in ("PRINCIPAL", "TENANT", "ADDRESS"):
        variables[f"SIGNALBOX_GATEWAY_MAX_LISTENERS_PER_{name}"] = str(most)
    variables["SIGNALBOX_GATEWAY_REQUESTS_PER_S"] = "100000"
    with gateway_process(variables, tmp_path, prefix=limit.prefix) as process:
        async with caller_of(process, port) as caller, AsyncExitStack() as closing:
            for _ in range(most // 50):
                for stream in await asyncio.gather(*(open_inbox_stream(port) for _ in range(50))):
                    assert not stream.is_deferred
                    closing.callback(stream.writer.close)
            headers = {"content-type": "application/pdf"}
            uploads = [
                caller.post("/v1/objects", content=pdf(), headers=headers, timeout=120)
                for _ in range(UPLOADS)
            ]
            assert [answer.status_code for answer in await asyncio.gather(*uploads)] == [201] * UPLOADS
            assert (await caller.get("/v1/runs")).status_code == 200
            metrics = (await caller.get("/metrics")).text
            assert f"signalbox_gateway_listeners {most}.0" in metrics
        assert process.poll() is None
    report(f"gateway, {most} streams and {UPLOADS} uploads", limit)
    assert limit.kills == 0


def large(run_id: str) -> list[CloudEvent]:
    """Events of one run that fill a delivery."""
    text = "x" * (MAX_BATCH_BYTES // EVENTS - 2_000)
    data = msgspec.Raw(msgspec.json.encode({"text": text}))
    first = replace(story(run_id)[0], type=full_type("note.written"), sequence=None, data=data)
    return [replace(first, id=f"{run_id}-{number}") for number in range(EVENTS)]


@pytest.mark.parametrize("limit", ["webhook-receiver"], indirect=True)
@pytest.mark.timeout(400)
async def test_a_receiver_with_all_its_deliveries_in_flight_fits_its_memory(
    limit: MemoryLimit, tmp_path: Path
) -> None:
    size_bytes, port = len(batch_of(large("run-0"))), backends.free_port()
    most = default_of(ReceiverSettings, "max_bytes_in_flight") // size_bytes
    keys, signer, _ = one_sender(tmp_path)
    pubsub = await Program(tmp_path / "pubsub.db").start()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(pubsub.stop)
        await make_topics(pubsub.host, PROJECT)
        await stack.enter_async_context(own_server(backends.redis_command(port, tmp_path), port))
        receiver = ReceiverProcess(
            keys,
            redis_url=f"redis://127.0.0.1:{port}/0",
            pubsub_host=pubsub.host,
            project=PROJECT,
            prefix=limit.prefix,
            # The machine is busy with sending, and Pub/Sub stands still until everything is in flight.
            body_timeout_s=200,
            publish_timeout_s=200,
            request_timeout_s=300,
            claim_s=310,
        )
        await stack.enter_async_context(running(receiver))
        options = httpx2.Limits(max_connections=most + 10)
        caller = await stack.enter_async_context(
            httpx2.AsyncClient(base_url=receiver.origin, limits=options, timeout=180, trust_env=False)
        )

        async def send(number: int) -> int:
            body = batch_of(large(f"run-{number}"))
            headers = signer.sign("POST", f"{receiver.origin}/v1/events", body, BATCH)
            return (await caller.post("/v1/events", content=body, headers=headers)).status_code

        async def until_accepted(number: int) -> None:
            """Send again after 503 and 409, as senders do: on a busy machine Redis may be late."""

            async def is_accepted() -> bool:
                status = await send(number)
                assert status in {200, 202, 409, 503}
                return status in {200, 202}

            await eventually(is_accepted, within_s=300, every_s=0.1)

        async def are_in_flight(count: int) -> bool:
            return f"signalbox_receiver_in_flight {count}.0" in (await caller.get("/metrics")).text

        pubsub.freeze()
        stack.callback(pubsub.thaw)
        sending: list[asyncio.Task[None]] = []
        while len(sending) < most:
            # Bit by bit: what arrives at once would keep the event loop from the answers of Redis.
            sending += [asyncio.create_task(until_accepted(len(sending) + number)) for number in range(8)]
            await eventually(partial(are_in_flight, len(sending)), within_s=60, every_s=0.1)
        assert await send(most) == 503
        pubsub.thaw()
        await asyncio.gather(*sending)
        assert receiver.process is not None
        assert receiver.process.returncode is None
    report(f"receiver, {most} deliveries of {MAX_BATCH_BYTES >> 20} MiB", limit)
    assert limit.kills == 0
