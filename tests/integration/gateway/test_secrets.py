"""Starts with a secret: a gateway without payload keys refuses them and does not echo the secret."""

from dataclasses import replace

import httpx2
import pytest

from signalbox_core.ids import new_run_id
from signalbox_gateway.app import Gateway, Parts
from support.fakes.secret_pipeline import SPEC
from support.servers.gateway import client_of

PLANTED = "planted-5d20"


@pytest.fixture
def unkeyed(parts: Parts) -> httpx2.AsyncClient:
    assert parts.payload_keys is None
    return client_of(Gateway(replace(parts, pipelines={SPEC.name: SPEC})).app())


async def test_a_gateway_without_payload_keys_refuses_a_start_with_a_secret(
    unkeyed: httpx2.AsyncClient,
) -> None:
    run_id = new_run_id("login")
    async with unkeyed as caller:
        body = {"pipeline": "login", "run_id": run_id, "input": {"user": "lan", "password": PLANTED}}
        answer = await caller.post("/v1/runs", json=body)
        shown = await caller.get(f"/v1/runs/{run_id}")

    assert (answer.status_code, answer.json()["code"]) == (503, "secrets_unavailable")
    assert "payload keys" in answer.json()["detail"]
    assert PLANTED not in answer.text
    assert shown.status_code == 404


@pytest.mark.parametrize(
    "wrong", [PLANTED * 1000, [PLANTED], {"clear": PLANTED}, ""], ids=["too long", "list", "object", "empty"]
)
async def test_a_wrong_secret_is_named_by_its_field_and_not_repeated(
    unkeyed: httpx2.AsyncClient, wrong: object
) -> None:
    async with unkeyed as caller:
        answer = await caller.post(
            "/v1/runs", json={"pipeline": "login", "input": {"user": "lan", "password": wrong}}
        )

    assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (
        422,
        ["input.password"],
    )
    assert PLANTED not in answer.text
