"""Ten megabytes of input and of result go through the API."""

from dataclasses import replace
from typing import Final

import httpx2
import pytest

from signalbox_core.temporal import connect
from signalbox_core.testing.pipeline import pipeline_under_test
from signalbox_gateway.app import Gateway, Parts
from support.assertions.eventually import eventually
from support.limits.activities import fetch
from support.limits.contract import SPEC
from support.servers.gateway import client_of

TEXT: Final = "y" * 10_000_000


@pytest.mark.timeout(300)
async def test_a_run_with_a_large_input_and_result(parts: Parts, temporal_address: str) -> None:
    client = await connect(temporal_address, "default", objects=parts.objects)
    app = Gateway(replace(parts, temporal=client, pipelines={SPEC.name: SPEC})).app()
    body = {"pipeline": SPEC.name, "input": {"text": TEXT, "returns_text": True}}
    async with (
        pipeline_under_test(SPEC, activities=[fetch], client=client, task_queue=SPEC.task_queue),
        client_of(app) as caller,
    ):
        started = await caller.post("/v1/runs", json=body)
        run_id = started.json()["run_id"]

        async def result() -> httpx2.Response | None:
            answer = await caller.get(f"/v1/runs/{run_id}/result")
            return answer if answer.status_code == 200 else None

        answer = await eventually(result, within_s=90, every_s=0.5)
        shown = await caller.get(f"/v1/runs/{run_id}/input")

    assert started.status_code == 201
    assert answer.json() == {"chars": len(TEXT) + 1, "text": f"{TEXT}x"}
    assert shown.json()["input"]["text"] == TEXT
