"""Deciding at a terminal: a picture that came with the question is a file as long as it is asked."""

import io
import json
import re
from pathlib import Path

import httpx2
import msgspec
from msgspec import Struct
from rich.console import Console

from signalbox_client import AsyncSignalbox
from signalbox_client.cli_decide import decide_by_asking
from signalbox_client.models import Approval
from signalbox_client.session import Session
from signalbox_core.pipeline.spec import json_schema


class Text(Struct):
    text: str


class Typing(Session):
    """A person at a terminal, who looks at the picture before typing."""

    def __init__(self, client: AsyncSignalbox, *lines: str) -> None:
        self.shown = io.StringIO()
        super().__init__(client=client, console=Console(file=self.shown, width=200), as_json=False)
        self._lines = iter(lines)
        self.looked_at: list[bytes] = []

    @property
    def can_ask(self) -> bool:
        return True

    async def ask(self, prompt: str) -> str:  # noqa: ARG002 - the method of a Session
        self.looked_at.append(self.picture.read_bytes())
        return next(self._lines)

    @property
    def picture(self) -> Path:
        found = re.search(r"The picture is in (\S+)", self.shown.getvalue())
        assert found is not None
        return Path(found[1])


async def test_the_picture_can_be_opened_until_the_answer_is_taken() -> None:
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

    approval = msgspec.convert(
        {
            **{
                "approval_id": "captcha",
                "name": "captcha",
                "title": "Type it",
                "status": "pending",
                "digest": "sha",
            },
            "requested_at": "2026-01-02T03:04:05Z",
            "answer_schema": msgspec.Raw(msgspec.json.encode(json_schema(Text))),
            "evidence": msgspec.Raw(b'{"picture": "data:image/svg+xml;base64,PHN2Zy8+"}'),
        },
        Approval,
    )
    client = AsyncSignalbox(
        "http://127.0.0.1:1", "sbx_key", transport=httpx2.MockTransport(gateway), backoff_s=()
    )
    person = Typing(client, "AB", "ABCDEF")

    decided = await decide_by_asking(person, "run-1", approval)

    assert decided.status == "decided"
    assert [item["answer"] for item in sent] == [{"text": "AB"}, {"text": "ABCDEF"}]
    assert person.looked_at == [b"<svg/>", b"<svg/>"]
    assert person.picture.suffix == ".svg"
    assert not person.picture.exists()
