"""Random bytes from a model's server: only errors of our own classes, and less than a second per 100 kB.

The examples are fixed, unless `FUZZ_EXAMPLES` sets their number.
"""

import asyncio
import os
import time
from contextlib import suppress
from typing import Final

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signalbox_core.chat_model.client import ChatClient
from signalbox_core.chat_model.reasoning_filter import ReasoningFilter, without_reasoning
from signalbox_core.chat_model.settings import ChatModelSettings
from signalbox_core.chat_model.sse_lines import EventLines
from signalbox_core.chat_model.wire import ChatMessage, ChatRequest
from signalbox_core.errors import SignalboxError

EXAMPLES: Final = int(os.environ.get("FUZZ_EXAMPLES", "60"))
FUZZ: Final = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
    derandomize="FUZZ_EXAMPLES" not in os.environ,
)
REQUEST: Final = ChatRequest(messages=(ChatMessage("user", "x"),))
SIZE: Final = 100_000
MAX_CPU_S: Final = 1.0

KEYS: Final = st.sampled_from(
    ["choices", "delta", "content", "finish_reason", "usage", "error", "message", "code", "object", "refusal",
     "tool_calls", "prompt_tokens", "role", "index"]
)  # fmt: skip
LEAVES: Final = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
    | st.sampled_from(["stop", "", "length", "content_filter", "error", "429", "500", "<think>", "<thin"])
)  # fmt: skip
CHUNKS: Final = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)
TEXTS: Final = st.text(max_size=8) | st.sampled_from(
    ["<think>", "</think>", "<thinking>", "</thinking>", " ", "<"]
)
CONTENT: Final = TEXTS.map(lambda text: {"choices": [{"delta": {"content": text}, "finish_reason": ""}]})
LINES: Final = st.one_of(
    (CHUNKS | CONTENT).map(lambda chunk: b"data: " + msgspec.json.encode(chunk)),
    st.sampled_from(
        [b"data: [DONE]", b"data:", b": ping", b"event: error", b"\r", b"data: " + b"[" * 3000, b"retry: 1"]
    ),
    st.binary(max_size=40),
)
TYPES: Final = st.sampled_from([b"text/event-stream", b"application/json", b"text/html", b"x"])
ENCODINGS: Final = st.sampled_from(
    [b"", b"", b"", b"Content-Encoding: gzip\r\n", b"Content-Encoding: deflate\r\n"]
)


def response(body: bytes, media_type: bytes, encoding: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nConnection: close\r\nContent-Type: %s\r\n%s\r\n%s" % (
        status,
        media_type,
        encoding,
        body,
    )


async def ask(answer: bytes, *, streamed: bool) -> None:
    """Send a request to a server that sends `answer` and closes the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(
                int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            )
            writer.write(answer)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = ChatClient(ChatModelSettings(url=f"http://127.0.0.1:{port}/v1", name="m", read_timeout_s=20))
        with suppress(SignalboxError):
            if streamed:
                async for _ in client.stream(REQUEST):
                    pass
            else:
                await client.complete(REQUEST)


@pytest.mark.parametrize("streamed", [True, False])
@FUZZ
@given(lines=st.lists(LINES, max_size=8), media_type=TYPES, encoding=ENCODINGS)
def test_random_answers_end_in_a_result_or_an_error_of_ours(
    streamed: bool, lines: list[bytes], media_type: bytes, encoding: bytes
) -> None:
    asyncio.run(ask(response(b"\n\n".join(lines), media_type, encoding), streamed=streamed))


@FUZZ
@given(body=CHUNKS.map(msgspec.json.encode) | st.binary(max_size=80), status=st.integers(300, 599))
def test_random_error_responses_end_in_an_error_of_ours(body: bytes, status: int) -> None:
    answer = response(body, b"application/json", b"", b"%d X" % status)
    asyncio.run(ask(answer, streamed=True))


@settings(FUZZ, max_examples=max(10, EXAMPLES // 4))
@given(lines=st.lists(LINES, min_size=1, max_size=3))
def test_lines_that_repeat_for_100_kb_take_less_than_a_second(lines: list[bytes]) -> None:
    unit = b"\n".join(lines) + b"\n"
    body = (unit * (SIZE // len(unit) + 1))[:SIZE]
    began = time.process_time()
    asyncio.run(ask(response(body, b"text/event-stream", b""), streamed=True))
    assert time.process_time() - began < MAX_CPU_S


@FUZZ
@given(parts=st.lists(st.binary(max_size=30), max_size=20))
def test_lines_are_the_same_however_the_bytes_arrive(parts: list[bytes]) -> None:
    whole, split = EventLines(), EventLines()

    assert [line for part in parts for line in split.feed(part)] == list(whole.feed(b"".join(parts)))


@FUZZ
@given(parts=st.lists(TEXTS, max_size=12))
def test_reasoning_is_removed_alike_however_the_text_arrives(parts: list[str]) -> None:
    whole, split = ReasoningFilter(), ReasoningFilter()
    at_once = whole.feed("".join(parts)) + whole.finish()

    assert "".join(split.feed(part) for part in parts) + split.finish() == at_once
    assert whole.is_open == split.is_open
    without_reasoning("".join(parts))


@pytest.mark.parametrize("size", [1, 16, SIZE])
@pytest.mark.parametrize(
    "unit", ["<think></think>", "<think>", " ", "<", "a", "<thinking> </thinking> "], ids=repr
)
def test_removing_reasoning_takes_linear_time(unit: str, size: int) -> None:
    text = (unit * SIZE)[:SIZE]
    reasoning = ReasoningFilter()
    began = time.process_time()
    for start in range(0, SIZE, size):
        reasoning.feed(text[start : start + size])
    assert time.process_time() - began < MAX_CPU_S


def test_a_long_line_in_single_bytes_takes_linear_time() -> None:
    lines = EventLines()
    began = time.process_time()
    for _ in range(SIZE):
        assert list(lines.feed(b"a")) == []
    assert list(lines.feed(b"\ndata: x\n")) == [b"x"]
    assert time.process_time() - began < MAX_CPU_S
