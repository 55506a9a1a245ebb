"""Starting runs: once per run id or key; invalid input is named field by field."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.types import ASGIApp
from temporalio.client import Client

from signalbox_core.ids import new_run_id, run_key
from signalbox_core.pipeline.contract.stated_patches import (
    DETAILED_OUTCOMES,
    LEAN_QUESTIONS,
    RECORDED_LINKS,
    UNTITLED_SIZES,
)
from signalbox_core.temporal import names
from signalbox_gateway.api.start_run import IdempotencyKeys
from signalbox_gateway.app import Parts
from support.servers.gateway import client_of


def start_body(**members: object) -> dict[str, object]:
    return {"pipeline": "echo", "input": {"text": "hi"}, **members}


async def test_a_start_answers_where_the_run_is(caller: httpx2.AsyncClient) -> None:
    answer = await caller.post("/v1/runs", json=start_body(run_id=(run_id := new_run_id("echo")), priority=2))

    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v1/runs/{run_id}"
    assert answer.json()["run_id"] == run_id
    assert answer.json()["status"] == "running"
    assert answer.json()["links"]["stream"] == f"/v1/runs/{run_id}/stream"


async def test_a_start_states_the_patches_of_the_run(caller: httpx2.AsyncClient, temporal: Client) -> None:
    await caller.post("/v1/runs", json=start_body(run_id=(run_id := new_run_id("echo"))))

    described = await temporal.get_workflow_handle(run_key("acme", run_id)).describe()
    assert await described.memo_value(names.MEMO_PATCHES) == [
        UNTITLED_SIZES,
        LEAN_QUESTIONS,
        RECORDED_LINKS,
        DETAILED_OUTCOMES,
    ]


async def test_the_same_request_again_is_the_same_run(caller: httpx2.AsyncClient) -> None:
    run_id = new_run_id("echo")

    first = await caller.post("/v1/runs", json=start_body(run_id=run_id))
    # Explicit defaults and a different member order do not make it a different request.
    again = await caller.post(
        "/v1/runs", json=start_body(run_id=run_id, input={"times": 1, "text": "hi", "ask": False})
    )

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["run_id"] == run_id


async def test_the_same_run_id_for_another_request_is_refused(caller: httpx2.AsyncClient) -> None:
    run_id = new_run_id("echo")
    await caller.post("/v1/runs", json=start_body(run_id=run_id))

    answer = await caller.post("/v1/runs", json=start_body(run_id=run_id, input={"text": "other"}))

    assert answer.status_code == 409
    assert answer.json()["code"] == "run_id_taken"
    assert answer.json()["errors"][0]["field"] == "run_id"


async def test_an_idempotency_key_gives_one_run(caller: httpx2.AsyncClient) -> None:
    key = {"idempotency-key": new_run_id("key")}

    first = await caller.post("/v1/runs", json=start_body(), headers=key)
    again = await caller.post("/v1/runs", json=start_body(), headers=key)
    other = await caller.post("/v1/runs", json=start_body(input={"text": "else"}), headers=key)

    assert [first.status_code, again.status_code, other.status_code] == [201, 200, 409]
    assert first.json()["run_id"] == again.json()["run_id"]


async def test_an_idempotency_key_stays_with_its_run_id(caller: httpx2.AsyncClient) -> None:
    key, run_id = {"idempotency-key": new_run_id("key")}, new_run_id("echo")

    first = await caller.post("/v1/runs", json=start_body(run_id=run_id), headers=key)
    without_id = await caller.post("/v1/runs", json=start_body(), headers=key)
    other_id = await caller.post("/v1/runs", json=start_body(run_id=new_run_id("echo")), headers=key)

    assert [first.status_code, without_id.status_code, other_id.status_code] == [201, 200, 409]
    assert without_id.json()["run_id"] == run_id
    assert other_id.json()["code"] == "key_reused"


async def test_two_tenants_may_use_one_key(app: ASGIApp, caller: httpx2.AsyncClient) -> None:
    key = {"idempotency-key": new_run_id("key")}

    ours = await caller.post("/v1/runs", json=start_body(), headers=key)
    async with client_of(app, "stranger") as stranger:
        theirs = await stranger.post("/v1/runs", json=start_body(), headers=key)

    assert (ours.status_code, theirs.status_code) == (201, 201)
    assert ours.json()["run_id"] != theirs.json()["run_id"]


BAD = [
    pytest.param({"pipeline": "nope", "input": {}}, 422, ["pipeline"], id="unknown pipeline"),
    pytest.param({"pipeline": "echo"}, 422, ["input"], id="no input"),
    pytest.param({"input": {"text": "x"}}, 422, ["pipeline"], id="no pipeline"),
    pytest.param(start_body(extra=1), 422, ["extra"], id="unknown member"),
    pytest.param(
        start_body(input={"text": 5, "times": 99, "no": 1}),
        422,
        ["input.no", "input.text", "input.times"],
        id="three invalid fields at once",
    ),
    pytest.param(start_body(input={"text": "   "}), 422, ["input.text"], id="the contract's own rule"),
    pytest.param(start_body(input=[]), 422, ["input"], id="input is a list"),
    pytest.param(start_body(run_id="no spaces"), 422, ["run_id"], id="malformed run id"),
    pytest.param(start_body(run_id=""), 422, ["run_id"], id="empty run id"),
    pytest.param(start_body(priority=9), 422, ["priority"], id="priority out of range"),
    pytest.param([], 422, ["body"], id="a list"),
]


@pytest.mark.parametrize(("body", "status", "fields"), BAD)
async def test_a_bad_start_names_every_field(
    caller: httpx2.AsyncClient, body: object, status: int, fields: list[str]
) -> None:
    answer = await caller.post("/v1/runs", json=body)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert sorted(error["field"] for error in answer.json()["errors"]) == fields
    assert all(error["detail"] for error in answer.json()["errors"])


UNREADABLE = [
    pytest.param(b"{", "application/json", 400, "bad_json", id="not JSON"),
    pytest.param(b"\xff\xfe", "application/json", 400, "bad_json", id="not UTF-8"),
    pytest.param(b"[" * 5000, "application/json", 400, "bad_json", id="nested without end"),
    pytest.param(
        b'{"pipeline":"echo","input":' + b"[" * 5000 + b"]" * 5000 + b"}",
        "application/json",
        400,
        "bad_json",
        id="deep input",
    ),
    pytest.param(b"{}", "text/plain", 415, "wrong_content_type", id="not declared as JSON"),
    pytest.param(b"a=b", "application/x-www-form-urlencoded", 415, "wrong_content_type", id="a form"),
    pytest.param(
        b" " * (16 * 1024 * 1024 + 1), "application/json", 413, "body_too_large", id="larger than 16 MiB"
    ),
]


@pytest.mark.parametrize(("body", "media_type", "status", "code"), UNREADABLE)
async def test_a_body_that_cannot_be_read_is_a_problem(
    caller: httpx2.AsyncClient, body: bytes, media_type: str, status: int, code: str
) -> None:
    answer = await caller.post("/v1/runs", content=body, headers={"content-type": media_type})

    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_body_without_a_declared_length_is_capped_too(caller: httpx2.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(300):
            yield b" " * 65_536

    answer = await caller.post("/v1/runs", content=endless(), headers={"content-type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_only_the_first_use_of_a_key_without_a_run_id_gives_an_unused_run_id(parts: Parts) -> None:
    keys, key = IdempotencyKeys(parts.redis), new_run_id("key")

    assert await keys.claim("acme", key, None) == (IdempotencyKeys.derive("acme", key), True)
    assert await keys.claim("acme", key, None) == (IdempotencyKeys.derive("acme", key), False)
    assert await keys.claim("acme", f"{key}-2", "chosen") == ("chosen", False)
