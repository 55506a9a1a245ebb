"""Requests written byte by byte, for what no client library would send."""

import asyncio
import json
from collections.abc import Sequence

from support.drivers.signed_requests import ONE
from support.servers.live_receiver import LiveReceiver


def raw(
    receiver: LiveReceiver,
    body: bytes,
    *,
    line: str = "POST /v1/events HTTP/1.1",
    leave_out: str = "",
    add: Sequence[str] = (),
) -> bytes:
    """A good signed request, but for another request line, a header that is left out, and headers that are
    added."""
    headers = {
        "Host": receiver.origin.removeprefix("http://"),
        **receiver.signer.sign("POST", receiver.url, body, ONE),
    }
    headers |= {"Content-Length": str(len(body)), "Connection": "close"}
    lines = [f"{name}: {value}" for name, value in headers.items() if name != leave_out]
    return "\r\n".join([line, *lines, *add, "", ""]).encode() + body


async def talk(receiver: LiveReceiver, *parts: bytes, ends: bool = False) -> bytes:
    """Send bytes (and end the sending side, with `ends`); give everything that comes back until the server
    closes."""
    reader, writer = await asyncio.open_connection(*receiver.origin.removeprefix("http://").split(":"))
    try:
        for part in parts:
            writer.write(part)
        if ends:
            writer.write_eof()
        return await asyncio.wait_for(reader.read(), 20)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def status_of(answer: bytes) -> int:
    """The status; 0 when the server closed without one."""
    return int(answer.split(b" ", 2)[1]) if answer else 0


def code_of(answer: bytes) -> str:
    """The code of a problem, whose media type is checked too."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head, answer
    return str(json.loads(body)["code"])
