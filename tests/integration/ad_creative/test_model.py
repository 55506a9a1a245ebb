"""The model copywriter against a scripted HTTP server with the chat completions API."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from signalbox_core.chat_model.settings import ChatModelSettings
from signalbox_core.errors import RateLimited, Rejected, Unavailable
from signalbox_core.secret import Secret
from signalbox_pipelines.ad_creative.copy.model_copywriter import ModelCopywriter
from signalbox_pipelines.ad_creative.messages import BrandFacts, CopyRequest, Palette, RewriteRequest

BRAND = BrandFacts(
    page="https://shop.example/x",
    name="Sương Mai",
    product="Morning Mist Coffee",
    language="en",
    palette=Palette(primary="#1f4a3a", accent="#e08a2b", paper="#fbf3e2"),
    price="$14.50",
    cta="Shop now",
)
REDO = RewriteRequest(
    variant="variant-2", version=1, angle="a", headline="Old", reason="too dull", style="bold"
)


class ScriptedModel:
    """Answers every request with `status`, `headers` and `body`, and records it."""

    def __init__(self) -> None:
        self.status = "200 OK"
        self.headers = ""
        self.body = ""
        self.requests: list[tuple[str, dict[str, object]]] = []
        self.url = ""

    def answer_with(self, content: str) -> None:
        self.body = json.dumps({"choices": [{"message": {"role": "assistant", "content": content}}]})

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(
            next(
                line.split(":")[1] for line in head.splitlines() if line.lower().startswith("content-length")
            )
        )
        self.requests.append((head, json.loads(await reader.readexactly(length))))
        body = self.body.encode()
        writer.write(
            f"HTTP/1.1 {self.status}\r\nContent-Length: {len(body)}\r\n{self.headers}".encode()
            + b"Connection: close\r\n\r\n"
            + body
        )
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def running_model() -> AsyncIterator[ScriptedModel]:
    model = ScriptedModel()
    server = await asyncio.start_server(model.serve, "127.0.0.1", 0)
    async with server:
        model.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        yield model


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with running_model() as model:
        yield model


def writer(model: ScriptedModel) -> ModelCopywriter:
    return ModelCopywriter(ChatModelSettings(url=model.url, name="tiny-1", api_key=Secret("s3cret")))


async def test_texts_of_the_model_become_labelled_variants(model: ScriptedModel) -> None:
    model.answer_with(
        '```json\n{"texts": [{"headline": "Wake slowly", "body": "Roasted weekly"}, '
        '{"headline": "Mist in a cup"}]}\n```'
    )

    copies = await writer(model).write(CopyRequest(brand=BRAND, count=2))

    assert [(copy.variant, copy.headline, copy.cta) for copy in copies] == [
        ("variant-1", "Wake slowly", "Shop now"),
        ("variant-2", "Mist in a cup", "Shop now"),
    ]
    assert {copy.written_by for copy in copies} == {"model tiny-1"}
    head, body = model.requests[0]
    assert head.startswith("POST /v1/chat/completions ")
    assert "authorization: bearer s3cret" in head.lower()
    assert body["model"] == "tiny-1"
    assert "$14.50" in json.dumps(body)


async def test_the_prompt_contains_the_reasons_of_rejections(model: ScriptedModel) -> None:
    model.answer_with('{"texts": [{"headline": "Brighter"}]}')

    (copy,) = await writer(model).write(CopyRequest(brand=BRAND, redo=(REDO,)))

    assert (copy.variant, copy.version, copy.round, copy.headline) == ("variant-2", 2, 1, "Brighter")
    assert "too dull" in json.dumps(model.requests[0][1])


@pytest.mark.parametrize(
    "content", ["Sure! Here are some ads", '{"texts": []}', '{"texts": [{"headline": "%s"}]}' % ("x" * 300)]
)
async def test_an_unusable_answer_is_a_retryable_error(model: ScriptedModel, content: str) -> None:
    model.answer_with(content)

    with pytest.raises(Unavailable) as refused:
        await writer(model).write(CopyRequest(brand=BRAND, count=1))

    assert refused.value.stable_code == "model_answer"


async def test_a_wrong_api_key_is_a_permanent_error_and_not_quoted(model: ScriptedModel) -> None:
    model.status = "401 Unauthorized"

    with pytest.raises(Rejected, match="_API_KEY") as refused:
        await writer(model).write(CopyRequest(brand=BRAND, count=1))

    assert "s3cret" not in refused.value.detail


async def test_a_rate_limit_carries_the_requested_delay(model: ScriptedModel) -> None:
    model.status, model.headers = "429 Too Many Requests", "Retry-After: 9\r\n"

    with pytest.raises(RateLimited) as busy:
        await writer(model).write(CopyRequest(brand=BRAND, count=1))

    assert busy.value.retry_after_s == 9


async def test_an_unreachable_model_is_a_retryable_error(model: ScriptedModel) -> None:
    copywriter = ModelCopywriter(ChatModelSettings(url="http://127.0.0.1:1/v1", name="tiny-1"))

    with pytest.raises(Unavailable, match="SIGNALBOX_WORKER_MODEL_URL"):
        await copywriter.write(CopyRequest(brand=BRAND, count=1))
