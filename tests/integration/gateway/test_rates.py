"""Rate limits: per principal across all gateways, and per address for failed authentication."""

import asyncio
from dataclasses import replace

import msgspec
from redis.asyncio import Redis

from signalbox_core.redis.client import open_redis
from signalbox_gateway.app import Gateway, Parts
from support.servers.backends import free_port
from support.servers.gateway import client_of

PATH = "/v1/approvals:decide"


def limited(parts: Parts, redis: Redis | None = None) -> Parts:
    settings = msgspec.structs.replace(parts.settings, requests_per_s=1, failures_per_s=1)
    return replace(parts, settings=settings, redis=redis or parts.redis)


async def test_a_principal_over_its_limit_is_refused_and_others_are_not(parts: Parts) -> None:
    first, second = Gateway(limited(parts)).app(), Gateway(limited(parts)).app()
    async with (
        client_of(first, "viewer") as here,
        client_of(second, "viewer") as there,
        client_of(first, "operator") as other,
    ):
        answers = await asyncio.gather(
            *(caller.get("/v1/pipelines") for _ in range(30) for caller in (here, there))
        )
        undisturbed = await other.get("/v1/pipelines")

    late = [answer for answer in answers if answer.status_code == 429]
    assert {answer.status_code for answer in answers} == {200, 429}
    assert all(
        answer.json()["code"] == "rate_limited" and int(answer.headers["retry-after"]) >= 1 for answer in late
    )
    assert undisturbed.status_code == 200


async def test_an_address_that_guesses_keys_is_limited_and_a_valid_key_from_there_is_not(
    parts: Parts,
) -> None:
    app = Gateway(limited(parts)).app()
    async with client_of(app, None) as guesser, client_of(app, "approver") as good:
        guesses = await asyncio.gather(
            *(
                guesser.get("/v1/runs", headers={"authorization": f"Bearer sbx_{number}"})
                for number in range(60)
            )
        )
        sign_ins = await asyncio.gather(
            *(guesser.post("/v1/sessions", json={"api_key": f"sbx_{number}"}) for number in range(30))
        )
        answer = await good.get("/v1/pipelines")

    assert {guess.status_code for guess in guesses} == {401, 429}
    assert 429 in {sign_in.status_code for sign_in in sign_ins}
    assert answer.status_code == 200


async def test_without_redis_nothing_is_limited(parts: Parts) -> None:
    gone = open_redis(f"redis://127.0.0.1:{free_port()}/0")
    async with client_of(Gateway(limited(parts, gone)).app(), "viewer") as caller:
        assert {(await caller.get("/v1/pipelines")).status_code for _ in range(6)} == {200}
    await gone.aclose()


async def test_each_decision_of_a_bulk_request_counts_as_a_request(parts: Parts) -> None:
    settings = msgspec.structs.replace(parts.settings, requests_per_s=9)
    app = Gateway(replace(parts, settings=settings)).app()
    decisions = [
        {"run_id": "unknown-run", "approval_id": f"word-{number}", "answer": {}, "digest": "d"}
        for number in range(20)
    ]
    async with client_of(app, "approver") as caller, client_of(app, "admin") as other:
        many = [await caller.post(PATH, json={"decisions": decisions}) for _ in range(12)]
        single = [await other.post(PATH, json={"decisions": decisions[:1]}) for _ in range(12)]

    assert many[0].status_code == 200
    assert {reply.status_code for reply in many} == {200, 429}
    assert {reply.status_code for reply in single} == {200}
