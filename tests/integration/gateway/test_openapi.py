"""Responses conform to the OpenAPI document: schemathesis sends valid and invalid requests."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import hypothesis
import pytest
import requests
import schemathesis
import uvicorn
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from signalbox_core.temporal import connect
from signalbox_gateway.app import Gateway
from support.assertions.eventually import eventually
from support.fakes.echo_worker import echo_worker
from support.servers.backends import free_port, is_listening
from support.servers.gateway import gateway_parts, secret_of

CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
ADMIN: Final = {"authorization": f"Bearer {secret_of('deployer')}"}
EXAMPLES: Final = 12
POSITIVE: Final = schemathesis.GenerationMode.POSITIVE
ASKING, SAID = "openapi-asking", "openapi-said"
KNOWN: Final = {
    "run_id": [ASKING, SAID],
    "approval_id": ["word"],
    "schedule_id": ["openapi"],
    "name": ["echo", "file"],
    "token_id": ["0" * 64],
    "passkey_id": ["none"],
    "token": ["none"],
}
"""Existing resources, so that not every response is a 404."""


@contextmanager
def served(folder: Path, *, temporal: str, redis: str, pubsub: str) -> Iterator[str]:
    """A gateway and a worker in a thread with its own event loop, because schemathesis is synchronous."""
    port, ending = free_port(), threading.Event()

    async def serve() -> None:
        async with gateway_parts(folder, temporal=temporal, redis=redis, pubsub=pubsub) as parts:
            app = Gateway(parts).app()
            server = uvicorn.Server(
                uvicorn.Config(app, port=port, log_config=None, access_log=False, timeout_graceful_shutdown=2)
            )
            working = await connect(temporal, "default")
            async with echo_worker(working):
                serving = asyncio.create_task(server.serve())
                await asyncio.to_thread(ending.wait)
                server.should_exit = True
                await serving

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    try:
        asyncio.run(eventually(lambda: is_listening(port), within_s=90))
        yield f"http://127.0.0.1:{port}"
    finally:
        ending.set()
        thread.join(20)


@pytest.fixture(scope="module")
def address(
    temporal_address: str, redis_url: str, pubsub_host: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("openapi")
    with served(folder, temporal=temporal_address, redis=redis_url, pubsub=pubsub_host) as address:
        for run_id in (ASKING, SAID):
            given = {"text": "hi", "ask": run_id == ASKING, "artifact": "file"}
            body = {"pipeline": "echo", "run_id": run_id, "input": given}
            assert (
                requests.post(f"{address}/v1/runs", json=body, headers=ADMIN, timeout=10).status_code == 201
            )
        yield address


def check(case: schemathesis.Case, address: str) -> None:
    prepared = requests.Request(**case.as_transport_kwargs(base_url=address)).prepare()
    prepared.headers.update(ADMIN)
    with (
        requests.Session() as session,
        session.send(prepared, timeout=30, stream=True, allow_redirects=False) as answer,
    ):
        # A stream ends with its run or session; test_stream_conformance.py checks its body.
        if answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream"):
            return
        case.validate_response(answer, checks=CHECKS)


def attack(operation: APIOperation, address: str, mode: schemathesis.GenerationMode) -> None:
    """Requests of one operation, half of them about what exists."""

    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode), data=st.data())
    def attacked(case: schemathesis.Case, data: st.DataObject) -> None:
        for name in case.path_parameters:
            if data.draw(st.booleans()):
                case.path_parameters[name] = data.draw(st.sampled_from(KNOWN[name]))
        check(case, address)

    attacked()


# The gateway shares this process's `random`, which hypothesis takes for a strategy's doing.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module")
@pytest.mark.parametrize("mode", schemathesis.GenerationMode, ids=lambda mode: mode.value)
def test_every_response_conforms_to_the_document(address: str, mode: schemathesis.GenerationMode) -> None:
    schema = schemathesis.openapi.from_dict(requests.get(f"{address}/openapi.json", timeout=10).json())
    # An invalid operation has no ok() and fails the test.
    operations = [found.ok() for found in schema.get_all_operations()]  # type: ignore[union-attr]
    assert len(operations) >= 25
    # A request without parameters and body has no invalid variant.
    for operation in (
        operations
        if mode is POSITIVE
        else [each for each in operations if each.body or each.query or each.headers]
    ):
        attack(operation, address, mode)
