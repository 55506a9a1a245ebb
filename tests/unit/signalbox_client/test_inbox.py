"""`signalbox approvals`: the pending questions with their policy and votes, as a table and as JSON."""

import io
import json

import httpx2
from rich.console import Console

from signalbox_client import AsyncSignalbox
from signalbox_client.commands.arguments.command_parser import parse_arguments
from signalbox_client.commands.command_context import CommandContext
from signalbox_client.commands.inbox import approvals

ASKED_AT = "2026-01-01T00:00:00Z"
POLICY = {"quorum": [{"needed": 2, "group": "marketing"}], "text": "2 of marketing"}
VOTE = {
    "decision_id": "d1",
    "voted_by": {"subject": "key:lan", "name": "Lan"},
    "voted_at": ASKED_AT,
    "answer": {"yes": True},
}
REFUSED = {
    "decision_id": "d2",
    "voted_by": {"subject": "key:minh"},
    "refused_at": ASKED_AT,
    "code": "not_allowed_by_policy",
    "reason": "key:minh is not in marketing",
}
PROGRESS = {"group": "marketing", "needed": 2, "counted": 1}
CLAIM = {"by": {"subject": "key:an"}, "until": "2026-01-01T01:00:00Z"}


def entry(run_id: str) -> dict[str, object]:
    return {
        "run_id": run_id,
        "approval_id": "go",
        "title": "Publish?",
        "pipeline": "ads",
        "requested_at": ASKED_AT,
        "deadline_at": None,
    }


def gateway(request: httpx2.Request) -> httpx2.Response:
    """Two pending questions; the run of the second is gone."""
    if request.url.path == "/v1/approvals":
        return httpx2.Response(200, json={"approvals": [entry("run-1"), entry("run-2")], "total": 2})
    if request.url.path == "/v1/runs/run-2":
        problem = {"code": "unknown_run", "title": "Not found", "status": 404}
        return httpx2.Response(
            404, content=json.dumps(problem), headers={"content-type": "application/problem+json"}
        )
    approval = {
        "approval_id": "go",
        "name": "go",
        "title": "Publish?",
        "status": "pending",
        "requested_at": ASKED_AT,
        "policy": POLICY,
        "votes": [VOTE],
        "quorum": [PROGRESS],
        "claim": CLAIM,
        "refused": [REFUSED],
    }
    run = {"run_id": "run-1", "pipeline": "ads", "status": "running", "approvals": [approval]}
    return httpx2.Response(200, json=run)


async def listed(*arguments: str) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    options = parse_arguments(["approvals", *arguments])
    async with AsyncSignalbox(
        "http://gateway.test", "key", transport=httpx2.MockTransport(gateway), backoff_s=()
    ) as client:
        context = CommandContext(client=client, console=console, as_json=options.json)
        assert await approvals(context, options) == 0
    return console.export_text()


async def test_the_output_as_json_has_the_policy_and_the_votes_of_each_question() -> None:
    first, second = json.loads(await listed("--json"))

    assert {name: first[name] for name in entry("run-1")} == entry("run-1")
    assert first["policy"]["text"] == "2 of marketing"
    assert [vote["voted_by"]["subject"] for vote in first["votes"]] == ["key:lan"]
    assert [item["code"] for item in first["refused"]] == ["not_allowed_by_policy"]
    assert (first["quorum"], first["claim"]["by"]["subject"]) == ([PROGRESS], "key:an")
    assert (second["run_id"], second["policy"], second["votes"]) == ("run-2", None, [])


async def test_the_table_shows_the_policy_and_the_votes_briefly() -> None:
    text = await listed()

    assert "2 of marketing" in text
    assert "claimed by key:an; 1 refused" in text
