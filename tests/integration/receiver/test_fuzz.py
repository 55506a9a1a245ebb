"""Headers and bodies at random: never a 5xx, never a logged exception.

SIGNALBOX_FUZZ_REQUESTS makes it long (40000).
"""

import logging
import os
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from support.assertions.receiver_cases import BODY, Headers, signed
from support.drivers.raw_http import raw, status_of, talk
from support.drivers.signed_requests import BATCH, ONE
from support.fakes.events import story
from support.fakes.receiver import Bench, batch_of, new_bench
from support.servers.live_receiver import LiveReceiver

REQUESTS = int(os.environ.get("SIGNALBOX_FUZZ_REQUESTS", "2000"))
SEED = int(os.environ.get("SIGNALBOX_FUZZ_SEED", "9421"))
BODIES = [BODY, batch_of(story()), b"", b"{}", b"[]", b"null", b"[" * 500]
NAMES = (
    "signature",
    "signature-input",
    "content-digest",
    "content-type",
    "content-length",
    "content-encoding",
    "host",
    "x-other",
)
PIECES = (
    *(
        piece.encode("latin-1")
        for piece in (
            "signalbox=",
            "sig1=",
            "@method",
            '"content-digest"',
            "created",
            "expires",
            "nonce",
            "tag",
        )
    ),
    *(
        piece.encode("latin-1")
        for piece in (
            "-1",
            "999999999999999",
            "1.5",
            ":AAAA:",
            "sha-256=",
            "?1",
            "%00",
            "\xff",
            "\xc3\xa9",
            "\t",
        )
    ),
    *(piece.encode() for piece in ("(", ")", ";", ",", ":", "=", '"', "\\", " ", "*", "a" * 300)),
)
WORDS = (
    b"NaN",
    b"null",
    b"-0",
    b"1e999",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"]",
    b"\xff",
    b'""',
    b'"id"',
    b"9" * 400,
    b"true",
    b'"data":1,',
)


class Fuzzer:
    """Changes of a good request, by a seed that is printed on failure."""

    def __init__(self, bench: Bench, chance: random.Random) -> None:
        self._bench = bench
        self._chance = chance

    def request(self) -> tuple[list[tuple[bytes, bytes]], bytes]:
        body = self._chance.choice(BODIES)
        if self._chance.random() < 0.5:
            # Signed after the change: what is behind the signature is reached.
            body = self._mangled(body, WORDS)
            return self._lines(signed(self._bench, body, self._chance.choice((ONE, BATCH)))), body
        headers = signed(self._bench, body)
        lines = self._lines(headers)
        for _ in range(self._chance.randint(1, 3)):
            lines = self._chance.choice((self._change_value, self._drop, self._repeat, self._invent))(lines)
        return lines, self._mangled(body, WORDS) if self._chance.random() < 0.2 else body

    def _lines(self, headers: Headers) -> list[tuple[bytes, bytes]]:
        return [
            (b"host", b"127.0.0.1:8081"),
            *((name.encode(), value.encode()) for name, value in headers.items()),
        ]

    def _change_value(self, lines: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        place = self._chance.randrange(len(lines)) if lines else -1
        return [
            (name, self._mangled(value, PIECES)) if number == place else (name, value)
            for number, (name, value) in enumerate(lines)
        ]

    def _drop(self, lines: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        return self._chance.sample(lines, max(0, len(lines) - 1))

    def _repeat(self, lines: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        return lines + ([self._chance.choice(lines)] if lines else [])

    def _invent(self, lines: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        value = b"".join(self._chance.choice(PIECES) for _ in range(self._chance.randint(0, 30)))
        return [*lines, (self._chance.choice(NAMES).encode(), value)]

    def _mangled(self, value: bytes, pieces: tuple[bytes, ...]) -> bytes:
        start = self._chance.randint(0, len(value))
        end = min(len(value), start + self._chance.choice((0, 0, 1, 3, 20)))
        change: Callable[[], bytes] = self._chance.choice(
            (lambda: b"", lambda: self._chance.choice(pieces), lambda: self._chance.randbytes(3))
        )
        return value[:start] + change() + value[end:]


@pytest.mark.timeout(900)
async def test_no_request_is_answered_with_a_5xx_or_logs_an_exception(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    bench = new_bench(rate_per_s=10**6)
    fuzzer, statuses = Fuzzer(bench, random.Random(SEED)), Counter[int]()
    app = bench.app
    for number in range(REQUESTS):
        lines, body = fuzzer.request()
        statuses[await status_in(app, lines, body)] += 1
        assert max(statuses) < 500, (SEED, number, lines, body[:300])
        if number % 1000 == 0:
            bench.claims.held.clear()
    assert not [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR]
    assert {202, 400, 401, 415, 422} <= set(statuses), statuses


async def status_in(app: Callable[..., object], lines: list[tuple[bytes, bytes]], body: bytes) -> int:
    """Straight into the app: a client library would refuse to send most of this."""
    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/events",
        "raw_path": b"/v1/events",
    }
    scope |= {
        "query_string": b"",
        "headers": lines,
        "root_path": "",
        "server": ("127.0.0.1", 8081),
        "client": ("127.0.0.1", 1),
        "state": {},
    }
    found: list[int] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, int]) -> None:
        found.extend([message["status"]] if message["type"] == "http.response.start" else [])

    await app(scope, receive, send)
    return found[0]


async def test_bytes_at_random_on_the_socket_do_no_harm(
    receiver: LiveReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    chance = random.Random(SEED)
    for _ in range(min(REQUESTS, 200)):
        request = bytearray(raw(receiver, BODY))
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(request))
            request[place : place + chance.choice((0, 1, 5))] = chance.choice(
                (b"", b"\r\n", b"\x00", b" ", b":", chance.randbytes(2))
            )
        status = status_of(await talk(receiver, bytes(request), ends=True))
        assert status < 500, bytes(request)
    assert not [record for record in caplog.records if record.exc_info]
    assert (await receiver.client.get("/healthz")).status_code == 200
