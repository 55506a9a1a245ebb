"""The receiver conforms to its OpenAPI document, tested with valid and invalid signed requests."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import hypothesis
import pytest
import requests
import schemathesis
import uvicorn
from openapi_spec_validator import validate
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.types import ASGIApp

from signalbox_webhook_receiver.openapi import document
from support.assertions.eventually import eventually
from support.drivers.signed_requests import ORIGIN, URL
from support.fakes.receiver import Bench, new_bench
from support.servers.backends import free_port, is_listening

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
SCHEMA = schemathesis.openapi.from_dict(dict(document(ORIGIN)))


def test_the_document_is_openapi_3_1() -> None:
    validate(document(ORIGIN))


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """The app on a free port, in a thread: schemathesis calls it synchronously."""
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(app, port=port, log_config=None, access_log=False, lifespan="off", ws="none")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        asyncio.run(eventually(lambda: is_listening(port)))
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="module")
def bench_and_address() -> Iterator[tuple[Bench, str]]:
    bench = new_bench(rate_per_s=10**6)
    with served(bench.app) as address:
        yield bench, address


@SCHEMA.parametrize()
@hypothesis.settings(max_examples=60, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
def test_every_answer_is_as_the_document_says(
    case: schemathesis.Case, bench_and_address: tuple[Bench, str]
) -> None:
    bench, address = bench_and_address
    prepared = requests.Request(**case.as_transport_kwargs(base_url=address)).prepare()
    prepared.headers["Host"] = ORIGIN.removeprefix("http://")
    if case.path == "/v1/events" and isinstance(prepared.body, bytes):
        media_type = prepared.headers.get("Content-Type", "")
        if isinstance(media_type, str) and media_type.isascii() and media_type.isprintable():
            prepared.headers.update(bench.signer.sign("POST", URL, prepared.body, media_type))
    with requests.Session() as session:
        case.validate_response(session.send(prepared, timeout=30), checks=CHECKS)
