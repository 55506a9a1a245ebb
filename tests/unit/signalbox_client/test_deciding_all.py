"""`signalbox decide`: what a question shows, and one answer for all pending questions of a run."""

import argparse
import io
import json
from datetime import UTC, datetime

import httpx2
import msgspec
import pytest
from rich.console import Console

from signalbox_client import AsyncSignalbox
from signalbox_client.commands.command_context import CommandContext
from signalbox_client.commands.decide import decide
from signalbox_client.commands.question_text import artifact_names, question_lines
from signalbox_client.models import Approval
from signalbox_core.errors import InvalidInput

NOW = datetime(2026, 1, 1, tzinfo=UTC)
AD = {
    "variant": "variant-1",
    "headline": "Fresh coffee",
    "pictures": [{"size": "300x250", "artifact": "variant-1-300x250.png", "key": "k", "sha256": "s"}],
    "score": {"points": 78.5, "features": [], "label": "heuristic, not measured CTR"},
}


def question(number: int, *, status: str = "pending", name: str = "page") -> dict[str, object]:
    return {
        "approval_id": f"{name}-{number}",
        "name": name,
        "title": "Is this page right?",
        "status": status,
        "requested_at": "2026-01-01T00:00:00Z",
        "options": [f"Page {number}"],
        "evidence": None,
        "digest": f"digest-{number}",
    }


QUESTIONS = [question(1), question(2, status="decided"), question(10), question(1, name="other")]


class Gateway:
    """Answers the run, and decisions: that of question 10 is refused."""

    def __init__(self) -> None:
        self.decisions: dict[str, dict[str, object]] = {}

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET":
            run = {"run_id": "run-1", "pipeline": "survey", "status": "running", "approvals": QUESTIONS}
            return httpx2.Response(200, json=run)
        approval_id = request.url.path.split("/")[-2]
        self.decisions[approval_id] = json.loads(request.content)
        if approval_id == "page-10":
            problem = {"title": "Conflict", "status": 409, "detail": "it changed", "code": "stale_digest"}
            headers = {"content-type": "application/problem+json"}
            return httpx2.Response(409, headers=headers, json=problem)
        body = {"run_id": "run-1", "approval_id": approval_id, "decision_id": "d", "status": "accepted"}
        return httpx2.Response(200, json=body)


async def run_command(gateway: Gateway, *, as_json: bool = False, **given: object) -> tuple[int, str]:
    printed = io.StringIO()
    client = AsyncSignalbox(
        "http://127.0.0.1:1", "sbx_key", transport=httpx2.MockTransport(gateway), backoff_s=()
    )
    context = CommandContext(client=client, console=Console(file=printed, width=120), as_json=as_json)
    defaults = {
        "run": "run-1",
        "approval": None,
        "answer": None,
        "note": None,
        "all": False,
        "dry_run": False,
    }
    async with client:
        code = await decide(context, argparse.Namespace(**{**defaults, **given}))
    return code, printed.getvalue()


async def test_a_dry_run_lists_the_pending_questions_and_sends_nothing() -> None:
    gateway = Gateway()

    code, printed = await run_command(gateway, all=True, dry_run=True, answer='{"agree": true}')

    assert (code, gateway.decisions) == (0, {})
    assert [name in printed for name in ("page-1", "page-2", "page-10", "other-1")] == [
        True,
        False,
        True,
        True,
    ]
    assert "Page 10" in printed
    assert "dry run: 3 questions would get this answer; nothing was sent" in printed


async def test_each_question_is_decided_with_its_own_digest_and_a_refusal_is_named() -> None:
    gateway = Gateway()

    code, printed = await run_command(gateway, all=True, approval="page", answer='{"agree": true}')

    assert code == 1
    assert {name: body["digest"] for name, body in gateway.decisions.items()} == {
        "page-1": "digest-1",
        "page-10": "digest-10",
    }
    assert "1 decided, 1 refused" in printed
    assert "page-10: it changed (stale_digest)" in printed


async def test_the_outcomes_are_json_on_request() -> None:
    _, printed = await run_command(Gateway(), all=True, approval="page", answer="{}", as_json=True)

    assert [(item["approval_id"], item["status"]) for item in json.loads(printed)] == [
        ("page-1", "accepted"),
        ("page-10", "refused"),
    ]


@pytest.mark.parametrize("given", [{"all": True}, {"dry_run": True, "approval": "page-1"}, {}])
async def test_incomplete_flags_are_refused_with_the_remedy(given: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match=r"--answer|APPROVAL"):
        await run_command(Gateway(), **given)


def test_a_question_shows_facts_candidates_scores_and_files() -> None:
    approval = Approval(
        approval_id="variants",
        name="variants",
        title="Which ads?",
        status="pending",
        requested_at=NOW,
        options=msgspec.Raw(msgspec.json.encode([AD])),
        evidence=msgspec.Raw(b'{"page":"https://shop.example","picture":"data:x","facts":["price: 9 EUR"]}'),
    )

    assert artifact_names(approval) == ["variant-1-300x250.png"]
    assert question_lines(approval, {"variant-1-300x250.png": "/tmp/a.png"}) == [
        "Which ads?",
        "  page: https://shop.example",
        "  price: 9 EUR",
        "  variant: variant-1, headline: Fresh coffee",
        "    score 78.5 of 100 (heuristic, not measured CTR)",
        "    /tmp/a.png",
    ]
