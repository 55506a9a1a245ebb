"""A JSON body that repeats a member is refused by every operation that takes one."""

import httpx2
import pytest


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/runs", '{"pipeline":"echo","pipeline":"echo","input":{"text":"hi"}}', "pipeline"),
        ("/v1/runs", '{"pipeline":"echo","input":{"text":"hi","text":"ho"}}', "input.text"),
        ("/v1/sessions", '{"api_key":"a","api_key":"b"}', "api_key"),
        ("/v1/stream-tickets", '{"runs":["a"],"runs":["b"]}', "runs"),
        ("/v1/runs/a/cancel", '{"reason":"a","reason":"b"}', "reason"),
        ("/v1/runs/a/approvals/b/decision", '{"answer":{"x":1,"x":2}}', "answer.x"),
        ("/v1/codec/decode", '{"payloads":[{"data":"","data":""}]}', "payloads[0].data"),
    ],
)
async def test_a_repeated_member_is_named(
    caller: httpx2.AsyncClient, path: str, body: str, field: str
) -> None:
    answer = await caller.post(path, content=body, headers={"content-type": "application/json"})

    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert "more than once" in answer.json()["detail"]
