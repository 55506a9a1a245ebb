"""Both clients against a gateway that is a function."""

from collections.abc import Callable

import httpx2
import pytest

from signalbox_client import AsyncSignalbox, Signalbox
from signalbox_core.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    RateLimited,
    Rejected,
    SignalboxError,
    Unavailable,
)

URL = "http://127.0.0.1:8080"
Answer = Callable[[httpx2.Request], httpx2.Response]


class Gateway:
    """Gives the answers in turn, the last one for ever; keeps what it was asked."""

    def __init__(self, *answers: httpx2.Response | Exception) -> None:
        self._answers = list(answers)
        self.asked: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def started() -> httpx2.Response:
    return httpx2.Response(
        201, json={"run_id": "r1", "pipeline": "echo", "status": "running", "links": {}, "new": 1}
    )


def problem(status: int, **members: object) -> httpx2.Response:
    return httpx2.Response(
        status, json={"title": "No", "status": status, "detail": "that is why", "code": "why", **members}
    )


def asynchronous(gateway: Gateway) -> AsyncSignalbox:
    return AsyncSignalbox(URL, "sbx_key", transport=httpx2.MockTransport(gateway), backoff_s=(0, 0))


async def test_a_start_carries_the_key_and_makes_its_repeat_harmless() -> None:
    gateway = Gateway(httpx2.ConnectError("gone"), problem(503), started())
    async with asynchronous(gateway) as client:
        assert (await client.start("echo", {"text": "hi"})).run_id == "r1"
    assert len(gateway.asked) == 3
    assert len({request.headers["idempotency-key"] for request in gateway.asked}) == 1
    assert gateway.asked[0].headers["authorization"] == "Bearer sbx_key"


def test_the_blocking_client_does_the_same() -> None:
    gateway = Gateway(httpx2.ReadError("broken"), started())
    with Signalbox(URL, "sbx_key", transport=httpx2.MockTransport(gateway), backoff_s=(0,)) as client:
        assert client.start("echo", {"text": "hi"}).run_id == "r1"
    assert len({request.headers["idempotency-key"] for request in gateway.asked}) == 1


async def test_a_decision_that_is_sent_again_keeps_its_id() -> None:
    decided = httpx2.Response(
        200, json={"run_id": "r1", "approval_id": "a", "decision_id": "d", "status": "accepted"}
    )
    gateway = Gateway(problem(503), decided)
    async with asynchronous(gateway) as client:
        await client.decide("r1", "a", {"ok": True}, digest="abc")
    assert gateway.asked[0].content == gateway.asked[1].content


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        pytest.param(400, Rejected, id="unreadable"),
        pytest.param(401, Forbidden, id="unknown key"),
        pytest.param(403, Forbidden, id="not allowed"),
        pytest.param(404, NotFound, id="not there"),
        pytest.param(409, Conflict, id="state"),
        pytest.param(422, InvalidInput, id="value"),
    ],
)
async def test_a_refusal_is_raised_as_our_error_and_not_repeated(
    status: int, kind: type[SignalboxError]
) -> None:
    gateway = Gateway(problem(status, errors=[{"field": "input.url", "detail": "x"}]))
    async with asynchronous(gateway) as client:
        with pytest.raises(kind, match="that is why") as caught:
            await client.run("r1")
    assert (caught.value.stable_code, caught.value.field, len(gateway.asked)) == ("why", "input.url", 1)


async def test_what_is_away_for_good_is_told_in_the_end() -> None:
    async with asynchronous(Gateway(httpx2.ConnectError("refused"))) as client:
        with pytest.raises(Unavailable, match=f"no gateway answers at {URL}: start one"):
            await client.runs()


async def test_being_told_to_slow_down_is_waited_for() -> None:
    gateway = Gateway(
        httpx2.Response(429, headers={"retry-after": "0"}, json={"detail": "slow"}),
        httpx2.Response(200, json={"runs": []}),
    )
    async with asynchronous(gateway) as client:
        assert (await client.runs()).runs == ()


async def test_being_told_to_slow_down_for_ever_is_told() -> None:
    async with asynchronous(
        Gateway(httpx2.Response(429, headers={"retry-after": "0"}, json={"detail": "slow"}))
    ) as client:
        with pytest.raises(RateLimited, match="slow"):
            await client.runs()


async def test_an_answer_of_another_server_is_no_gateways() -> None:
    async with asynchronous(Gateway(httpx2.Response(200, text="<html>"))) as client:
        with pytest.raises(Unavailable, match="not a gateway's"):
            await client.runs()


async def test_names_are_quoted_into_the_path() -> None:
    gateway = Gateway(httpx2.Response(200, content=b"x"))
    async with asynchronous(gateway) as client:
        await client.artifact("a/b", "dir/file name.png")
    assert gateway.asked[0].url.raw_path == b"/v1/runs/a%2Fb/artifacts/dir/file%20name.png"


@pytest.mark.parametrize("url", ["", "nonsense", "ftp://x", "http://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="SIGNALBOX_URL"):
        Signalbox(url, "k")


def test_a_key_that_cannot_be_one_is_refused_without_showing_it() -> None:
    with pytest.raises(InvalidInput, match="SIGNALBOX_API_KEY") as caught:
        Signalbox(URL, "sbx_schlüssel")
    assert "schl" not in caught.value.detail
