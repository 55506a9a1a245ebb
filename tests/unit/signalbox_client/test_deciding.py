"""Deciding at a terminal: the question's picture is a temporary file while the user is prompted."""

import io
import json
import re
from pathlib import Path

import httpx2
import msgspec
from msgspec import Struct
from rich.console import Console

from signalbox_client import AsyncSignalbox
from signalbox_client.commands.command_context import CommandContext
from signalbox_client.commands.decide import decide_interactively
from signalbox_client.models import Approval
from signalbox_core.events.question_digest import QuestionContent
from signalbox_core.pipeline.spec import json_schema


class TypedText(Struct):
    text: str


class ScriptedTerminal(CommandContext):
    """A user at a terminal, who opens the picture before typing each line."""

    def __init__(self, client: AsyncSignalbox, *lines: str) -> None:
        self.shown = io.StringIO()
        super().__init__(client=client, console=Console(file=self.shown, width=200), as_json=False)
        self._lines = iter(lines)
        self.pictures_seen: list[bytes] = []

    @property
    def is_interactive(self) -> bool:
        return True

    async def prompt(self, text: str) -> str:  # noqa: ARG002 - overrides CommandContext.prompt
        self.pictures_seen.append(self.picture.read_bytes())
        return next(self._lines)

    @property
    def picture(self) -> Path:
        found = re.search(r"The picture is in (\S+)", self.shown.getvalue())
        assert found is not None
        return Path(found[1])


async def test_the_picture_can_be_opened_until_an_answer_is_accepted() -> None:
    sent: list[dict[str, object]] = []

    def gateway(request: httpx2.Request) -> httpx2.Response:
        sent.append(json.loads(request.content))
        if len(sent) == 1:
            return httpx2.Response(
                422,
                headers={"content-type": "application/problem+json"},
                json={"title": "No", "status": 422, "detail": "type six", "code": "invalid_input"},
            )
        return httpx2.Response(
            200, json={"run_id": "run-1", "approval_id": "captcha", "decision_id": "d1", "status": "decided"}
        )

    content = QuestionContent(
        title="Type it",
        answer_schema=msgspec.Raw(msgspec.json.encode(json_schema(TypedText))),
        options=msgspec.Raw(b"null"),
        evidence=msgspec.Raw(b'{"picture": "data:image/svg+xml;base64,PHN2Zy8+"}'),
    )
    approval = msgspec.convert(
        {
            **{
                "approval_id": "captcha",
                "name": "captcha",
                "title": content.title,
                "status": "pending",
                "digest": content.digest,
            },
            "requested_at": "2026-01-02T03:04:05Z",
            "answer_schema": content.answer_schema,
            "evidence": content.evidence,
        },
        Approval,
    )
    client = AsyncSignalbox(
        "http://127.0.0.1:1", "sbx_key", transport=httpx2.MockTransport(gateway), backoff_s=()
    )
    terminal = ScriptedTerminal(client, "AB", "ABCDEF")

    decided = await decide_interactively(terminal, "run-1", approval)

    assert decided.status == "decided"
    assert [item["answer"] for item in sent] == [{"text": "AB"}, {"text": "ABCDEF"}]
    assert terminal.pictures_seen == [b"<svg/>", b"<svg/>"]
    assert terminal.picture.suffix == ".svg"
    assert not terminal.picture.exists()
