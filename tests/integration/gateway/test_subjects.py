"""Who started and who decided: subjects in API and history. Agents start and watch, and never decide."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from temporalio.client import Client

from signalbox_core.ids import run_key
from signalbox_core.subjects import Subject
from signalbox_core.temporal.names import MEMO_STARTER
from signalbox_gateway.app import Gateway, Parts
from signalbox_gateway.auth.authenticator import ApiKeys
from support.drivers.api_calls import asked, ended, started
from support.fakes.api_keys import write_api_keys
from support.fakes.echo_pipeline import WORD_DIGEST
from support.servers.gateway import ORIGIN, PATIENCE

USERS: dict[str, dict[str, object]] = {
    "lan": {"roles": ["operator", "approver"], "groups": ["marketing", "legal"]},
    "nightly": {"roles": ["operator", "approver"], "kind": "service"},
    "bot": {"roles": ["admin"], "kind": "agent", "groups": ["marketing"]},
    "lan-rotated": {"roles": ["viewer"], "subject": "key:lan"},
}
SUBJECTS = {
    "lan": {"subject": "key:lan", "kind": "human", "name": "lan", "groups": ["marketing", "legal"]},
    "nightly": {"subject": "key:nightly", "kind": "service", "name": None, "groups": []},
    "bot": {"subject": "key:bot", "kind": "agent", "name": None, "groups": ["marketing"]},
}
As = Callable[[str], httpx2.AsyncClient]


def secret(user: str) -> str:
    return f"sbx_subjects_{user}"


@pytest.fixture
def as_user(parts: Parts, tmp_path: Path, worker: None) -> As:
    path = write_api_keys(tmp_path / "subjects.json", secret, USERS)
    app = Gateway(replace(parts, keys=ApiKeys(path)), deadline=PATIENCE).app()
    return lambda user: httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app),
        base_url=ORIGIN,
        headers={"authorization": f"Bearer {secret(user)}"},
    )


async def test_an_agent_starts_and_watches_and_a_person_decides(as_user: As) -> None:
    async with as_user("bot") as bot, as_user("lan") as lan:
        run_id = await started(bot, ask=True)
        snapshot = await asked(bot, run_id)
        refused = await bot.post(
            f"/v1/runs/{run_id}/approvals/word/decision",
            json={"digest": WORD_DIGEST, "answer": {"word": "a"}},
        )
        decision = await lan.post(
            f"/v1/runs/{run_id}/approvals/word/decision",
            json={"digest": WORD_DIGEST, "answer": {"word": "b"}},
        )
        await ended(bot, run_id)
        approval = (await bot.get(f"/v1/runs/{run_id}/approvals/word")).json()
        result = (await bot.get(f"/v1/runs/{run_id}/result")).json()

    assert (snapshot["started_by"], snapshot["starter"]) == ("bot", SUBJECTS["bot"])
    assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed_by_policy")
    assert "key:bot" in refused.json()["detail"]
    assert "ask a person" in refused.json()["detail"]
    assert decision.json()["decided_by"] == "lan"
    assert (approval["decided_by"], approval["decider"]) == ("lan", SUBJECTS["lan"])
    assert approval["decisions"][0]["decider"] == SUBJECTS["lan"]
    assert result == {"text": "b"}


async def test_only_people_have_a_name_and_a_service_may_decide(as_user: As, temporal: Client) -> None:
    async with as_user("nightly") as nightly:
        run_id = await started(nightly, ask=True)
        await asked(nightly, run_id)
        decision = await nightly.post(
            f"/v1/runs/{run_id}/approvals/word/decision", json={"answer": {"word": "a"}}
        )
        approval = (await nightly.get(f"/v1/runs/{run_id}/approvals/word")).json()
        listed = (await nightly.get("/v1/runs", params={"limit": 200})).json()["runs"]

    assert decision.status_code == 200
    assert (approval["decided_by"], approval["decider"]) == ("nightly", SUBJECTS["nightly"])
    described = await temporal.get_workflow_handle(run_key("acme", run_id)).describe()
    starter = await described.memo_value(MEMO_STARTER, None, type_hint=Subject)
    assert starter == Subject(subject="key:nightly", kind="service")
    assert [run["starter"] for run in listed if run["run_id"] == run_id] in ([], [SUBJECTS["nightly"]])


async def test_a_session_shows_its_subject(as_user: As) -> None:
    async with as_user("lan") as lan, as_user("lan-rotated") as rotated:
        assert (await lan.get("/v1/sessions")).json()["subject"] == SUBJECTS["lan"]
        assert (await rotated.get("/v1/sessions")).json()["subject"]["subject"] == "key:lan"
