"""Both clients behind a proxy that breaks, delays or replaces the gateway's stream, on a real socket."""

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from signalbox_client import Update
from signalbox_core.errors import Forbidden, NotFound, Unavailable
from support.drivers.both_clients import KINDS, EitherClient, Kind
from support.fakes.stream_frames import END, RUN_COMPLETED, STEP_COMPLETED, retry_frame, snapshot_frame
from support.servers.misbehaving_proxy import (
    RESET,
    html_page,
    misbehaving_proxy,
    problem_document,
    stream_response,
)

DEADLINE_S = 10.0
TOO_LONG_S = 60.0
WHOLE_STREAM = stream_response(snapshot_frame(), STEP_COMPLETED, RUN_COMPLETED, END)
BROKEN_OFF = stream_response(snapshot_frame())
THE_REST = stream_response(STEP_COMPLETED, RUN_COMPLETED, END)
SHUTTING_DOWN = problem_document(503, "unavailable", "the gateway is shutting down", retry_after="0")

pytestmark = pytest.mark.parametrize("kind", KINDS)


async def watch(kind: Kind, url: str, backoff_s: Sequence[float] = (0, 0)) -> list[Update]:
    """Every update of run r1, until it has ended."""
    async with asyncio.timeout(DEADLINE_S):
        return await EitherClient(kind, url, backoff_s=backoff_s).collect("watch", "r1")


async def run(kind: Kind, url: str) -> object:
    """The result of a run."""
    async with asyncio.timeout(DEADLINE_S):
        return msgspec.json.decode(await EitherClient(kind, url, backoff_s=(0, 0)).call("run", "ai_task", {}))


async def test_a_stream_that_is_put_off_is_reconnected_after_the_delay_it_named(kind: Kind) -> None:
    put_off = stream_response(retry_frame(300))
    async with misbehaving_proxy(put_off, put_off, WHOLE_STREAM) as proxy:
        updates = await watch(kind, proxy.url)
    assert updates[-1].has_ended
    first, second, third = (request.at for request in proxy.stream_requests)
    assert min(second - first, third - second) >= 0.3


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(RESET, id="connection reset"),
        pytest.param(html_page(502), id="502 of a proxy"),
        pytest.param(html_page(404), id="404 of a proxy"),
        pytest.param(problem_document(429, "rate_limited", "slow down", retry_after="0"), id="429"),
        pytest.param(SHUTTING_DOWN, id="503"),
        pytest.param(stream_response(), id="empty stream"),
    ],
)
async def test_the_first_stream_connection_is_retried(kind: Kind, fault: bytes) -> None:
    async with misbehaving_proxy(fault, WHOLE_STREAM, result={"text": "done"}) as proxy:
        assert await run(kind, proxy.url) == {"text": "done"}
    assert len(proxy.stream_requests) == 2


async def test_giving_up_names_the_run_and_how_to_go_on_watching(kind: Kind) -> None:
    async with misbehaving_proxy(RESET) as proxy:
        with pytest.raises(Unavailable, match=r"run r1.*signalbox watch r1"):
            await run(kind, proxy.url)
    assert len(proxy.stream_requests) == 3


async def test_retry_after_of_a_503_replaces_the_usual_delay(kind: Kind) -> None:
    async with misbehaving_proxy(SHUTTING_DOWN, WHOLE_STREAM) as proxy:
        updates = await watch(kind, proxy.url, backoff_s=(TOO_LONG_S,))
    assert updates[-1].has_ended


@pytest.mark.parametrize("status", [403, 404, 408, 502])
async def test_a_proxys_error_page_does_not_end_a_watch(kind: Kind, status: int) -> None:
    async with misbehaving_proxy(BROKEN_OFF, html_page(status), THE_REST) as proxy:
        updates = await watch(kind, proxy.url)
    assert updates[-1].has_ended
    assert [request.last_event_id for request in proxy.stream_requests] == [None, "e:2", "e:2"]


@pytest.mark.parametrize(
    ("status", "error"), [pytest.param(404, NotFound, id="404"), pytest.param(403, Forbidden, id="403")]
)
async def test_a_problem_of_the_gateway_ends_a_watch_at_once(
    kind: Kind, status: int, error: type[Exception]
) -> None:
    async with misbehaving_proxy(BROKEN_OFF, problem_document(status, "no", "not for you")) as proxy:
        with pytest.raises(error, match="not for you"):
            await watch(kind, proxy.url)
    assert len(proxy.stream_requests) == 2
