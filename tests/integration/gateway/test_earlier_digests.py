"""A question whose digest is of the earlier form, without prefix, is decided through every interface."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import httpx2
import msgspec
import pytest
from msgspec.structs import asdict
from msgspec.structs import replace as with_fields
from starlette.applications import Starlette

from signalbox_client import AsyncSignalbox
from signalbox_client.cli import main
from signalbox_core import base64url
from signalbox_core.events.question_digest import JCS_PREFIX
from signalbox_core.passkeys.signature import DecisionStatement, answer_sha256, note_sha256
from signalbox_core.pipeline import Policy
from signalbox_core.process.followed_file import FollowedFile
from signalbox_gateway.app import Gateway, Parts
from signalbox_gateway.auth.authenticator import ApiKeys
from signalbox_gateway.auth.decision_links import DecisionLink, LinkKeys
from support.drivers.api_calls import Json, asked, ended, started
from support.fakes.api_keys import write_api_keys
from support.fakes.authenticator import ORIGIN, RP_ID, Authenticator
from support.fakes.ledger import SIGNER
from support.fakes.link_keys import write_link_keys
from support.servers.gateway import PATIENCE, client_of
from support.servers.streams import http_server

# RFC 8785 has no integer of this size, so the digest has the form of earlier versions.
LARGE: Final = 2**53 + 1
ANSWER: Final = {"word": "yes"}
KEY: Final = "sbx_earlier_digests"


async def no_drain() -> None:
    """The requests of these tests hold no stream open."""


@pytest.fixture
def link_keys(tmp_path: Path) -> FollowedFile[LinkKeys]:
    return write_link_keys(tmp_path / "link-keys")


@pytest.fixture
def app(parts: Parts, link_keys: FollowedFile[LinkKeys]) -> Starlette:
    return Gateway(replace(parts, link_keys=link_keys), deadline=PATIENCE).app()


async def question_of(caller: httpx2.AsyncClient, **given: object) -> tuple[str, str]:
    """Start a run that asks; its id and the digest of its question, which has no prefix."""
    run_id = await started(caller, ask=True, number=LARGE, **given)
    await asked(caller, run_id)
    digest = str((await caller.get(f"/v1/runs/{run_id}/approvals/word")).json()["digest"])
    assert re.fullmatch("[0-9a-f]{64}", digest)
    return run_id, digest


async def outcome(caller: httpx2.AsyncClient, run_id: str) -> tuple[object, object]:
    """The status of the ended run and of its question."""
    snapshot = await ended(caller, run_id)
    approval: Json = (await caller.get(f"/v1/runs/{run_id}/approvals/word")).json()
    return snapshot["status"], approval["status"]


async def test_by_the_api_one_by_one_and_many_at_once(caller: httpx2.AsyncClient, worker: None) -> None:
    run_id, digest = await question_of(caller)
    path = f"/v1/runs/{run_id}/approvals/word/decision"
    stale = await caller.post(path, json={"answer": ANSWER, "digest": JCS_PREFIX + digest})
    assert (stale.status_code, stale.json()["code"]) == (409, "stale_digest")
    decided = await caller.post(path, json={"answer": ANSWER, "digest": digest})
    assert decided.status_code == 200, decided.text
    assert await outcome(caller, run_id) == ("completed", "decided")

    run_id, digest = await question_of(caller)
    one = {"run_id": run_id, "approval_id": "word", "digest": digest, "answer": ANSWER}
    many = await caller.post("/v1/approvals:decide", json={"decisions": [one]})
    assert many.status_code == 200, many.text
    assert await outcome(caller, run_id) == ("completed", "decided")


async def test_by_an_objection(caller: httpx2.AsyncClient, worker: None) -> None:
    policy = msgspec.to_builtins(Policy(veto=("legal",)))
    run_id, digest = await question_of(caller, policy=policy)
    objected = await caller.post(
        f"/v1/runs/{run_id}/approvals/word/objection", json={"reason": "misleading", "digest": digest}
    )
    assert objected.status_code == 200, objected.text


@pytest.mark.parametrize("interface", ["decide", "decide_many"])
async def test_by_the_python_client(
    app: Starlette, caller: httpx2.AsyncClient, worker: None, interface: str
) -> None:
    run_id, _ = await question_of(caller)
    async with http_server(app, no_drain) as (_, origin), AsyncSignalbox(origin, "sbx_test_admin") as client:
        shown = await client.approval(run_id, "word")
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "decide": lambda: client.decide(run_id, "word", ANSWER, shown=shown),
            "decide_many": lambda: client.decide_many([(run_id, shown)], ANSWER),
        }
        await calls[interface]()
    assert await outcome(caller, run_id) == ("completed", "decided")


async def test_by_the_command_line(
    app: Starlette, caller: httpx2.AsyncClient, worker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, _ = await question_of(caller)
    async with http_server(app, no_drain) as (_, origin):
        monkeypatch.setenv("SIGNALBOX_URL", origin)
        monkeypatch.setenv("SIGNALBOX_API_KEY", "sbx_test_admin")
        command = ["decide", run_id, "word", "--answer", '{"word": "yes"}']
        assert await asyncio.to_thread(main, command) == 0
    assert await outcome(caller, run_id) == ("completed", "decided")


async def test_by_a_link(
    app: Starlette, caller: httpx2.AsyncClient, worker: None, link_keys: FollowedFile[LinkKeys]
) -> None:
    run_id, digest = await question_of(caller)
    link = DecisionLink(
        tenant="acme",
        run_id=run_id,
        approval_id="word",
        digest=digest,
        to="lan@acme.test",
        expires_at=datetime.now(UTC) + timedelta(days=1),
    )
    body = {"token": link_keys.value.sign(link), "answer": ANSWER}
    async with client_of(app, None) as reader:
        decided = await reader.post("/v1/links/decision", json=body)
    assert decided.status_code == 200, decided.text
    assert await outcome(caller, run_id) == ("completed", "decided")


async def test_by_a_passkey(parts: Parts, worker: None, tmp_path: Path) -> None:
    path = write_api_keys(
        tmp_path / "people.json", lambda _: KEY, {"lan": {"name": "Lan", "roles": ["operator", "approver"]}}
    )
    settings = with_fields(parts.settings, passkey_rp_id=RP_ID, passkey_origins=(ORIGIN,))
    signing = replace(parts, keys=ApiKeys(path), settings=settings, ledger_signers=(SIGNER,))
    authenticator = Authenticator("earlier-digests")
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=Gateway(signing).app()),
        base_url=ORIGIN,
        headers={"authorization": f"Bearer {KEY}"},
    ) as lan:
        options = (await lan.post("/v1/passkeys/options")).json()
        credential = authenticator.create(base64url.decode_canonical(options["challenge"]))
        assert (await lan.post("/v1/passkeys", json={"name": "laptop", **credential})).status_code == 201
        run_id, digest = await question_of(lan, policy=msgspec.to_builtins(Policy(require_signature=True)))
        statement = DecisionStatement(
            tenant="acme",
            run_id=run_id,
            approval_id="word",
            question_digest=digest,
            decision_id="d-1",
            subject="key:lan",
            answer_sha256=answer_sha256(msgspec.Raw(msgspec.json.encode(ANSWER))),
            note_sha256=note_sha256(None),
        )
        signature = asdict(authenticator.sign(statement.challenge))
        decided = await lan.post(
            f"/v1/runs/{run_id}/approvals/word/decision",
            json={"answer": ANSWER, "digest": digest, "decision_id": "d-1", "signature": signature},
        )
        assert decided.status_code == 200, decided.text
        assert await outcome(lan, run_id) == ("completed", "decided")
