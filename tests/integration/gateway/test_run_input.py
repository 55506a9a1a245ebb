"""What a run was started with: shown to its tenant, secrets masked, sealed inputs opened."""

from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from temporalio.client import Client

from signalbox_core.crypto.sealing import KeyRing
from signalbox_core.temporal import connect
from signalbox_gateway.app import Gateway, Parts
from signalbox_gateway.runs.recorded_start import mask_secrets
from support.drivers.api_calls import started
from support.fakes.payload_keys import payload_keys_file
from support.fakes.secret_pipeline import SPEC
from support.servers.gateway import client_of

PLANTED = "planted-71ac"


@pytest.fixture
async def sealed_parts(parts: Parts, temporal_address: str, tmp_path: Path) -> Parts:
    ring = KeyRing(payload_keys_file(tmp_path))
    client = await connect(temporal_address, "default", keys=ring)
    return replace(parts, temporal=client, payload_keys=ring, pipelines={SPEC.name: SPEC})


async def test_the_input_is_shown_as_the_run_got_it(caller: httpx2.AsyncClient) -> None:
    run_id = await started(caller, times=3)

    shown = await caller.get(f"/v1/runs/{run_id}/input")

    assert shown.status_code == 200
    assert shown.json() == {
        "run_id": run_id,
        "pipeline": "echo",
        "input": {"text": "hi", "times": 3, "ask": False, "artifact": None, "fail": False},
        "masked": [],
    }


async def test_an_unknown_run_has_no_input(caller: httpx2.AsyncClient) -> None:
    shown = await caller.get("/v1/runs/no-such-run/input")

    assert (shown.status_code, shown.json()["code"]) == (404, "unknown_run")


async def test_secrets_of_a_sealed_input_are_masked(sealed_parts: Parts, temporal: Client) -> None:
    async with client_of(Gateway(sealed_parts).app()) as caller:
        body = {"pipeline": "login", "input": {"user": "lan", "password": PLANTED}}
        run_id = (await caller.post("/v1/runs", json=body)).json()["run_id"]

        shown = await caller.get(f"/v1/runs/{run_id}/input")

    assert shown.json()["input"] == {"user": "lan", "password": "***", "token": None}
    assert shown.json()["masked"] == ["input.password"]
    await temporal.get_workflow_handle(f"acme:{run_id}").terminate()


async def test_the_input_is_not_shown_to_another_tenant(sealed_parts: Parts, temporal: Client) -> None:
    app = Gateway(sealed_parts).app()
    async with client_of(app) as owner, client_of(app, "stranger") as stranger:
        body = {"pipeline": "login", "input": {"user": "lan", "password": PLANTED}}
        run_id = (await owner.post("/v1/runs", json=body)).json()["run_id"]

        shown = await stranger.get(f"/v1/runs/{run_id}/input")

    assert (shown.status_code, shown.json()["code"]) == (404, "unknown_run")
    await temporal.get_workflow_handle(f"acme:{run_id}").terminate()


def test_secrets_are_masked_at_any_depth() -> None:
    sealed = "sealed.k1." + "A" * 40

    shown = mask_secrets(b'{"accounts": [{"password": "%s"}, {"password": "open"}]}' % sealed.encode())

    assert shown.value == {"accounts": [{"password": "***"}, {"password": "open"}]}
    assert shown.masked == ("input.accounts[0].password",)
