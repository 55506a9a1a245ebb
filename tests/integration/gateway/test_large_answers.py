"""Answers are kept without white space between their tokens, and have a limit that the problem names."""

import httpx2
import msgspec
import pytest

from signalbox_core.pipeline.contract.messages import MAX_ANSWER_BYTES
from support.drivers.api_calls import asked, ended, started
from support.fakes.echo_pipeline import WORD_DIGEST

JSON = {"content-type": "application/json"}


def body(answer: bytes, run_id: str | None = None) -> bytes:
    """A decision, or with a run id a list of one."""
    fields = {"digest": WORD_DIGEST, "answer": msgspec.Raw(answer), "decision_id": "d1"}
    if run_id is None:
        return msgspec.json.encode(fields)
    return msgspec.json.encode({"decisions": [{**fields, "run_id": run_id, "approval_id": "word"}]})


async def waiting_run(caller: httpx2.AsyncClient) -> str:
    run_id = await started(caller, ask=True)
    await asked(caller, run_id)
    return run_id


@pytest.mark.usefixtures("worker")
async def test_white_space_between_tokens_is_removed(caller: httpx2.AsyncClient) -> None:
    run_id = await waiting_run(caller)
    padded = b'{ "word":' + b"\n" * 700_000 + b'"a  b" }'
    path = f"/v1/runs/{run_id}/approvals/word/decision"

    answer = await caller.post(path, content=body(padded), headers=JSON)
    repeated = await caller.post(path, content=body(b'{"word": "a  b"}'), headers=JSON)
    snapshot = await ended(caller, run_id)

    assert (answer.status_code, answer.json()["answer"]) == (200, {"word": "a  b"})
    assert len(answer.content) < 1_000
    assert repeated.json() == answer.json()
    assert (snapshot["status"], snapshot["approvals"][0]["status"]) == ("completed", "decided")


@pytest.mark.usefixtures("worker")
async def test_an_answer_above_the_limit_is_refused_and_the_question_stays_open(
    caller: httpx2.AsyncClient,
) -> None:
    run_id = await waiting_run(caller)
    large = msgspec.json.encode({"word": "x" * MAX_ANSWER_BYTES})
    path = f"/v1/runs/{run_id}/approvals/word/decision"

    refused = await caller.post(path, content=body(large), headers=JSON)
    bulk = await caller.post("/v1/approvals:decide", content=body(large, run_id), headers=JSON)
    open_still = (await caller.get(f"/v1/runs/{run_id}/approvals/word")).json()
    accepted = await caller.post(path, content=body(b'{"word":"yes"}'), headers=JSON)
    snapshot = await ended(caller, run_id)

    problem = refused.json()
    assert (refused.status_code, problem["code"], problem["field"]) == (413, "answer_too_large", "answer")
    assert f"at most {MAX_ANSWER_BYTES}" in problem["detail"]
    assert bulk.json()["results"][0]["code"] == "answer_too_large"
    assert (open_still["status"], accepted.status_code) == ("pending", 200)
    assert snapshot["status"] == "completed"
