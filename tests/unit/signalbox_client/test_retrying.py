"""`signalbox retry`: what it sends, whom it skips, and at which rate."""

import asyncio
import io
import json
from collections.abc import Awaitable, Callable

import httpx2
import pytest
from rich.console import Console

from signalbox_client import AsyncSignalbox
from signalbox_client.commands.arguments.command_parser import parse_arguments
from signalbox_client.commands.command_context import CommandContext
from signalbox_client.commands.retry import MAX_UNAVAILABLE, BulkRetry, Refused, check_query, retry
from signalbox_client.models import Retried, RunItem
from signalbox_core.errors import Forbidden, InvalidInput, Unavailable

SCHEMA = {
    "type": "object",
    "properties": {"url": {"type": "string"}, "variants": {"type": "integer"}},
    "required": ["url"],
}


class Gateway:
    """Two pages of failed runs, of which one repeats and one is refused."""

    def __init__(self) -> None:
        self.retried: list[tuple[str, object]] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        if request.method == "POST":
            run_id = path.split("/")[3]
            self.retried.append((run_id, json.loads(request.content)))
            return self._retry(run_id, json.loads(request.content)["from"])
        if path == "/v1/runs":
            assert request.url.params["q"].startswith("status:failed")
            names = ["a", "b"] if "cursor" not in request.url.params else ["b", "c"]
            runs = [{"run_id": name, "pipeline": "ads", "status": "failed"} for name in names]
            cursor = "2" if "cursor" not in request.url.params else None
            return httpx2.Response(200, json={"runs": runs, "next_cursor": cursor})
        if path == "/v1/pipelines/ads":
            return httpx2.Response(200, json={"name": "ads", "title": "Ads", "input_schema": SCHEMA})
        return httpx2.Response(
            200,
            json={"run_id": "a", "pipeline": "ads", "title": "Ads", "status": "failed", "steps": []},
        )

    def _retry(self, run_id: str, at: str) -> httpx2.Response:
        if run_id == "b":
            problem = {"status": 409, "title": "Conflict", "detail": "it is running", "code": "not_failed"}
            return httpx2.Response(409, json=problem, headers={"content-type": "application/problem+json"})
        if at == "start":
            body = {"run_id": "new", "pipeline": "ads", "status": "running", "retry_of": run_id}
            return httpx2.Response(201, json=body)
        return httpx2.Response(200, json={"run_id": run_id, "pipeline": "ads", "status": "running"})


async def call(gateway: Gateway, *arguments: str) -> tuple[int, str]:
    """Exit code and output."""
    console = Console(width=200, record=True, file=io.StringIO())
    options = parse_arguments(["retry", *arguments])
    async with AsyncSignalbox(
        "http://gateway.test", "key", transport=httpx2.MockTransport(gateway), backoff_s=()
    ) as client:
        code = await retry(CommandContext(client=client, console=console, as_json=False), options)
    return code, console.export_text()


async def test_a_run_continues_from_its_failed_step() -> None:
    gateway = Gateway()

    code, text = await call(gateway, "a")

    assert (code, gateway.retried) == (0, [("a", {"from": "failed"})])
    assert text.startswith("a continues")


async def test_changed_fields_are_sent_with_their_types() -> None:
    gateway = Gateway()

    code, text = await call(gateway, "a", "--from", "start", "--variants", "2")

    assert (code, gateway.retried) == (0, [("a", {"from": "start", "input": {"variants": 2}})])
    assert text.startswith("new repeats a")


async def test_every_matching_run_is_retried_once_and_refusals_are_listed() -> None:
    gateway = Gateway()

    code, text = await call(gateway, "--where", "status:failed pipeline:ads", "--per-second", "1000")

    assert (code, [run_id for run_id, _ in gateway.retried]) == (1, ["a", "b", "c"])
    assert "b refused: it is running" in text
    assert "2 retried, 1 refused" in text


async def test_a_dry_run_retries_nothing() -> None:
    gateway = Gateway()

    code, text = await call(gateway, "--where", "status:failed", "--dry-run")

    assert (code, gateway.retried) == (0, [])
    assert "3 would be retried" in text


class Bulk:
    """A bulk retry of numbered runs, and what came of it."""

    def __init__(self, retry: Callable[[RunItem], Awaitable[Retried]], *, per_second: int = 1000) -> None:
        self.continued: list[str] = []
        self.refused: list[Refused] = []
        self._bulk = BulkRetry(
            retry,
            per_second=per_second,
            on_retried=lambda retried: self.continued.append(retried.run_id),
            on_refused=self.refused.append,
        )

    async def retry(self, count: int) -> None:
        await self._bulk.retry_all(
            RunItem(run_id=str(number), pipeline="ads", status="failed") for number in range(count)
        )


def continued(run: RunItem) -> Retried:
    return Retried(run_id=run.run_id, pipeline=run.pipeline, status="running")


async def test_slow_retries_do_not_lower_the_rate() -> None:
    begun, all_begun = 0, asyncio.Event()

    async def retry_slowly(run: RunItem) -> Retried:
        nonlocal begun
        begun += 1
        if begun == 40:
            all_begun.set()
        async with asyncio.timeout(30):
            await all_begun.wait()
        return continued(run)

    bulk = Bulk(retry_slowly)
    await bulk.retry(40)

    assert sorted(bulk.continued, key=int) == [str(number) for number in range(40)]


async def test_a_run_that_is_unavailable_does_not_keep_the_others_from_being_retried() -> None:
    async def retry_one(run: RunItem) -> Retried:
        if int(run.run_id) % 2:
            raise Unavailable("a worker has yet to close it")
        return continued(run)

    bulk = Bulk(retry_one)
    await bulk.retry(4 * MAX_UNAVAILABLE)

    assert len(bulk.continued) == 2 * MAX_UNAVAILABLE
    assert {refused.code for refused in bulk.refused} == {"unavailable"}
    assert len(bulk.refused) == 2 * MAX_UNAVAILABLE


async def test_a_gateway_that_is_gone_ends_the_retries() -> None:
    async def retry_one(run: RunItem) -> Retried:
        raise Unavailable("the gateway cannot be reached")

    bulk = Bulk(retry_one, per_second=1000)
    with pytest.raises(Unavailable, match="cannot be reached"):
        await bulk.retry(1_000)

    assert MAX_UNAVAILABLE <= len(bulk.refused) < 1_000


async def test_a_key_without_the_role_ends_the_retries() -> None:
    async def retry_one(run: RunItem) -> Retried:
        raise Forbidden("the role operator is needed")

    bulk = Bulk(retry_one)
    with pytest.raises(Forbidden):
        await bulk.retry(1_000)

    assert (bulk.continued, bulk.refused) == ([], [])


async def test_without_a_reader_of_the_output_the_retries_end() -> None:
    begun = 0

    async def retry_one(run: RunItem) -> Retried:
        nonlocal begun
        begun += 1
        return continued(run)

    def refuse_output(_: Retried) -> None:
        raise BrokenPipeError

    bulk = BulkRetry(retry_one, per_second=1000, on_retried=refuse_output, on_refused=lambda _: None)
    with pytest.raises(BrokenPipeError):
        await bulk.retry_all(
            RunItem(run_id=str(number), pipeline="ads", status="failed") for number in range(1_000)
        )

    assert begun == bulk.retried < 1_000


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([], id="neither run nor query"),
        pytest.param(["a", "--where", "status:failed"], id="both"),
        pytest.param(["a", "--variants", "2"], id="changes without start"),
        pytest.param(["a", "--dry-run"], id="dry run of one"),
        pytest.param(["--where", "status:failed", "--variants", "2"], id="changes of many"),
        pytest.param(["--where", "status:failed", "--per-second", "0"], id="no rate"),
    ],
)
async def test_what_cannot_be_meant_is_refused(arguments: list[str]) -> None:
    with pytest.raises(InvalidInput):
        await call(Gateway(), *arguments)


@pytest.mark.parametrize("text", ["", "pipeline:ads", "status:running", "status:failed status:failed", "x:1"])
def test_a_query_needs_a_status_that_can_be_retried(text: str) -> None:
    with pytest.raises(InvalidInput, match="--where"):
        check_query(text)


def test_a_query_may_have_any_further_parts() -> None:
    check_query('status:timed_out pipeline:ads started:7d by:"Lan N" coffee')
