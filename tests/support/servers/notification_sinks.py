"""Where notifications arrive in tests: a real SMTP server's mailbox, and an HTTP server for webhooks."""

import asyncio
import email
import email.policy
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, Envelope, Session
from msgspec import Struct


class MailSink:
    """A mailbox; `answers` are the replies to the next messages, then every message is accepted."""

    def __init__(self) -> None:
        self.port = 0
        self.mails: list[EmailMessage] = []
        self.answers: deque[str] = deque()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        answer = self.answers.popleft() if self.answers else "250 OK"
        if answer.startswith("250"):
            content = envelope.content
            assert isinstance(content, bytes)
            message = email.message_from_bytes(content, policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            self.mails.append(message)
        return answer


class SunkRequest(Struct, frozen=True, kw_only=True):
    path: str
    headers: Mapping[str, str]
    body: bytes


class WebhookSink:
    """An HTTP server; `answers` are status and headers of the next responses, then every one is 204."""

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[SunkRequest] = []
        self._statuses: list[int] = []
        self.answers: deque[tuple[int, Mapping[str, str]]] = deque()

    @property
    def accepted(self) -> list[SunkRequest]:
        return [
            request for request, status in zip(self.requests, self._statuses, strict=True) if status < 300
        ]

    async def on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {
                name.lower(): value.strip()
                for name, _, value in (line.partition(":") for line in head[1:] if line)
            }
            body = await reader.readexactly(int(headers["content-length"]))
            status, more = self.answers.popleft() if self.answers else (204, {})
            self.requests.append(SunkRequest(path=head[0].split()[1], headers=headers, body=body))
            self._statuses.append(status)
            lines = [f"HTTP/1.1 {status} x", "connection: close", "content-length: 0"]
            lines += [f"{name}: {value}" for name, value in more.items()]
            writer.write("\r\n".join([*lines, "", ""]).encode())
            await writer.drain()
        finally:
            writer.close()


@asynccontextmanager
async def mail_sink() -> AsyncIterator[MailSink]:
    """An SMTP server on a free port."""
    sink = MailSink()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(sink, loop=loop), "127.0.0.1", 0)
    sink.port = server.sockets[0].getsockname()[1]
    try:
        yield sink
    finally:
        server.close()


@asynccontextmanager
async def webhook_sink() -> AsyncIterator[WebhookSink]:
    """An HTTP server on a free port."""
    sink = WebhookSink()
    server = await asyncio.start_server(sink.on_connection, "127.0.0.1", 0)
    sink.port = server.sockets[0].getsockname()[1]
    try:
        yield sink
    finally:
        server.close()
