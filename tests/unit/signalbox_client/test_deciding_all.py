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
from signalbox_core.events.question_digest import QuestionContent

NOW = datetime(2026, 1, 1, tzinfo=UTC)
AD = {
    "variant": "variant-1",
    "headline": "Fresh coffee",
    "pictures": [{"size": "300x250", "artifact": "variant-1-300x250.png", "key": "k", "sha256": "s"}],
    "score": {"points": 78.5, "features": [], "label": "heuristic, not measured CTR"},
}


def question(number: int, *, status: str = "pending", name: str = "page") -> dict[str, object]:
    content = QuestionContent(
        title="Is this page right?",
        answer_schema=msgspec.Raw(b"null"),
        options=msgspec.Raw(msgspec.json.encode([f"Page {number}"])),
        evidence=msgspec.Raw(b"null"),
    )
    return {
        "approval_id": f"{name}-{number}",
        "name": name,
        "title": "Is this page right?",
        "status": status,
        "requested_at": "2026-01-01T00:00:00Z",
        "options": [f"Page {number}"],
        "evidence": None,
        "digest": content.digest,
    }


QUESTIONS = [question(1), question(2, status="decided"), question(10), question(1, name="other")]


class Gateway:
    """Answers the run, and decisions: that of question 10 is refused."""

    def __init__(self) -> None:
        self.decisions: dict[str, dict[str, object]] = {}
        self.requests: list[int] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET":
            run = {"run_id": "run-1", "pipeline": "survey", "status": "running", "approvals": QUESTIONS}
            return httpx2.Response(200, json=run)
        assert request.url.path == "/v1/approvals:decide"
        sent = json.loads(request.content)
        self.requests.append(len(sent["decisions"]))
        if not sent["dry_run"]:
            self.decisions |= {item["approval_id"]: item for item in sent["decisions"]}
        results = [self.result(item) for item in sent["decisions"]]
        return httpx2.Response(200, json={"dry_run": sent["dry_run"], "results": results})

    def result(self, sent: dict[str, str]) -> dict[str, object]:
        refusal: dict[str, object] = {}
        if sent["approval_id"] == "page-10":
            refusal = {"status": "refused", "detail": "it changed", "code": "stale_digest"}
        named = {name: sent[name] for name in ("run_id", "approval_id", "decision_id")}
        return {**named, "status": "accepted", **refusal}


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


async def test_a_dry_run_lists_the_pending_questions_and_what_would_be_refused() -> None:
    gateway = Gateway()

    code, printed = await run_command(gateway, all=True, dry_run=True, answer='{"agree": true}')

    assert (code, gateway.decisions) == (1, {})
    assert [name in printed for name in ("page-1", "page-2", "page-10", "other-1")] == [
        True,
        False,
        True,
        True,
    ]
    assert "Page 10" in printed
    assert "dry run: 2 questions would get this answer, 1 would refuse it; nothing was decided" in printed
    assert "page-10: it changed (stale_digest)" in printed


async def test_a_dry_run_without_refusals_succeeds() -> None:
    gateway = Gateway()

    code, printed = await run_command(gateway, all=True, approval="other", dry_run=True, answer="{}")

    assert (code, gateway.decisions) == (0, {})
    assert "dry run: 1 questions would get this answer; nothing was decided" in printed


@pytest.mark.parametrize(("answer", "sizes"), [("{}", [100, 100, 50]), ('{"text": "%s"}', [30] * 8 + [10])])
async def test_many_decisions_are_sent_in_parts_that_the_gateway_accepts(
    answer: str, sizes: list[int]
) -> None:
    gateway = Gateway()
    asked = [
        ("run-1", msgspec.json.decode(json.dumps(question(number)), type=Approval)) for number in range(250)
    ]

    async with AsyncSignalbox(
        "http://127.0.0.1:1", "sbx_key", transport=httpx2.MockTransport(gateway), backoff_s=()
    ) as client:
        given = json.loads(answer.replace("%s", "x" * 33_000))
        outcomes = await client.decide_many(asked, given)

    assert gateway.requests == sizes
    assert [item.approval_id for item in outcomes] == [approval.approval_id for _, approval in asked]


async def test_each_question_is_decided_with_its_own_digest_and_a_refusal_is_named() -> None:
    gateway = Gateway()

    code, printed = await run_command(gateway, all=True, approval="page", answer='{"agree": true}')

    assert code == 1
    assert {name: body["digest"] for name, body in gateway.decisions.items()} == {
        "page-1": question(1)["digest"],
        "page-10": question(10)["digest"],
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
