"""Every way to decide is recorded with the decision: what the gateway knows, never what a caller states."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import msgspec
import pytest
from starlette.applications import Starlette
from temporalio.client import Client

from signalbox_core.events import Snapshot
from signalbox_core.events.snapshot import ApprovalState
from signalbox_core.ids import run_key
from signalbox_core.pipeline import Policy, Quorum
from signalbox_core.pipeline.contract.messages import QUERY_SNAPSHOT, SIGNAL_DECIDE, Decision
from signalbox_core.process.followed_file import FollowedFile
from signalbox_gateway.app import Gateway, Parts
from signalbox_gateway.auth.authenticator import ApiKeys
from signalbox_gateway.auth.decision_links import DecisionLink, LinkKeys
from signalbox_gateway.auth.sessions import COOKIE
from support.drivers.api_calls import asked, ended, started
from support.fakes.api_keys import write_api_keys
from support.fakes.echo_pipeline import WORD_DIGEST
from support.fakes.link_keys import write_link_keys
from support.servers.gateway import ORIGIN, PATIENCE

KEYS = {
    "backend": {"roles": ["operator", "approver"], "kind": "service"},
    "lan": {"roles": ["operator", "approver"]},
}
ANSWER = {"digest": WORD_DIGEST, "answer": {"word": "yes"}}


def secret(name: str) -> str:
    return f"sbx_doors_{name}"


@pytest.fixture
def keys(tmp_path: Path) -> FollowedFile[LinkKeys]:
    return write_link_keys(tmp_path / "link-keys")


@pytest.fixture
def app(parts: Parts, keys: FollowedFile[LinkKeys], tmp_path: Path, worker: None) -> Starlette:
    path = write_api_keys(tmp_path / "doors.json", secret, KEYS)
    return Gateway(replace(parts, link_keys=keys, keys=ApiKeys(path)), deadline=PATIENCE).app()


def client_with(app: Starlette, credential: str | None) -> httpx2.AsyncClient:
    headers = {"authorization": f"Bearer {credential}"} if credential is not None else {}
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=ORIGIN, headers=headers)


@pytest.fixture
async def lan(app: Starlette) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_with(app, secret("lan")) as client:
        yield client


async def asking(caller: httpx2.AsyncClient, **given: object) -> str:
    run_id = await started(caller, ask=True, **given)
    await asked(caller, run_id)
    return run_id


def decision_path(run_id: str) -> str:
    return f"/v1/runs/{run_id}/approvals/word/decision"


async def recorded(temporal: Client, run_id: str) -> ApprovalState:
    """The question as the workflow has it."""
    handle = temporal.get_workflow_handle(run_key("acme", run_id))
    snapshot: Snapshot = await handle.query(QUERY_SNAPSHOT, result_type=Snapshot)
    return snapshot.approvals[0]


async def door_of(caller: httpx2.AsyncClient, temporal: Client, run_id: str) -> str | None:
    """The door of the decision in the run; the API shows the same once the run has ended."""
    await ended(caller, run_id)
    door = (await recorded(temporal, run_id)).door
    shown = (await caller.get(f"/v1/runs/{run_id}/approvals/word")).json()
    assert (shown["door"], shown["decisions"][0]["door"]) == (door, door)
    return door


async def test_a_request_with_an_api_key_comes_by_the_api(lan: httpx2.AsyncClient, temporal: Client) -> None:
    run_id = await asking(lan)
    headers = {"user-agent": "Mozilla/5.0", "origin": ORIGIN, "x-door": "console"}
    reply = await lan.post(decision_path(run_id), json=ANSWER, headers=headers)
    assert reply.status_code == 200
    assert await door_of(lan, temporal, run_id) == "api"


async def test_a_caller_cannot_choose_the_door(lan: httpx2.AsyncClient, temporal: Client) -> None:
    run_id = await asking(lan)
    reply = await lan.post(decision_path(run_id), json={**ANSWER, "door": "console"})
    assert (reply.status_code, (await recorded(temporal, run_id)).status) == (422, "pending")


async def test_a_request_with_a_session_comes_by_the_console(
    app: Starlette, lan: httpx2.AsyncClient, temporal: Client
) -> None:
    run_id = await asking(lan)
    async with client_with(app, None) as browser:
        signed_in = await browser.post("/v1/sessions", json={"api_key": secret("lan")})
        browser.cookies.clear()
        session = {"cookie": f"{COOKIE}={signed_in.cookies[COOKIE]}", "origin": ORIGIN}
        reply = await browser.post(decision_path(run_id), json=ANSWER, headers=session)
    assert reply.status_code == 200
    assert await door_of(lan, temporal, run_id) == "console"


async def test_a_request_with_a_scoped_token_comes_by_token(
    app: Starlette, lan: httpx2.AsyncClient, temporal: Client
) -> None:
    run_id = await asking(lan)
    async with client_with(app, secret("backend")) as backend:
        allow = [{"decide": {"approval_id": "word", "run_id": run_id}}]
        minted = await backend.post(
            "/v1/tokens", json={"allow": allow, "on_behalf_of": {"id": "c-17", "name": "Minh"}}
        )
    async with client_with(app, minted.json()["token"]) as page:
        reply = await page.post(decision_path(run_id), json=ANSWER)
    assert reply.status_code == 200
    assert await door_of(lan, temporal, run_id) == "token"


async def test_a_decision_by_link_comes_by_link(
    app: Starlette, lan: httpx2.AsyncClient, temporal: Client, keys: FollowedFile[LinkKeys]
) -> None:
    run_id = await asking(lan)
    link = DecisionLink(
        tenant="acme",
        run_id=run_id,
        approval_id="word",
        digest=WORD_DIGEST,
        to="lan@acme.test",
        expires_at=datetime.now(UTC) + timedelta(days=1),
    )
    body = {"token": keys.value.sign(link), "answer": {"word": "yes"}}
    async with client_with(app, None) as reader:
        reply = await reader.post("/v1/links/decision", json=body)
    assert reply.status_code == 200
    assert await door_of(lan, temporal, run_id) == "link"


async def test_decisions_of_one_request_come_in_bulk(lan: httpx2.AsyncClient, temporal: Client) -> None:
    run_id = await asking(lan)
    decisions = [{"run_id": run_id, "approval_id": "word", **ANSWER}]
    reply = await lan.post("/v1/approvals:decide", json={"decisions": decisions})
    assert [item["status"] for item in reply.json()["results"]] == ["accepted"]
    assert await door_of(lan, temporal, run_id) == "bulk"


async def test_a_signal_without_a_gateway_comes_by_signal(lan: httpx2.AsyncClient, temporal: Client) -> None:
    run_id = await asking(lan)
    decision = Decision(
        approval_id="word",
        decision_id="d1",
        answer=msgspec.Raw(b'{"word":"yes"}'),
        decided_by="lan",
        digest=WORD_DIGEST,
    )
    await temporal.get_workflow_handle(run_key("acme", run_id)).signal(SIGNAL_DECIDE, decision)
    assert await door_of(lan, temporal, run_id) == "signal"


async def test_votes_and_a_veto_have_their_doors(lan: httpx2.AsyncClient, temporal: Client) -> None:
    policy = msgspec.to_builtins(Policy(quorum=(Quorum(2),)))
    run_id = await asking(lan, policy=policy)
    approval = (await lan.get(f"/v1/runs/{run_id}/approvals/word")).json()
    reply = await lan.post(decision_path(run_id), json={**ANSWER, "digest": approval["digest"]})
    assert reply.json()["status"] == "counted"
    assert [vote.door for vote in (await recorded(temporal, run_id)).votes] == ["api"]
