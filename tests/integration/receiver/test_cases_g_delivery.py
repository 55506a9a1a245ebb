"""Cases 92 to 104 over real Redis and Pub/Sub: duplicates, outages, crashes, shutdown, rates and clock.

With them the Redis side of cases 39, 42 and 43.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from signalbox_core.events import CloudEvent, encode_event
from signalbox_core.ids import new_run_id
from signalbox_core.signatures import write_key_file
from signalbox_webhook_receiver.clock_monitor import ClockMonitor
from support.assertions.eventually import eventually
from support.assertions.receiver_cases import case, is_problem
from support.drivers.signed_requests import ONE, signer_and_key
from support.fakes.events import story
from support.servers.live_receiver import LiveReceiver, live_receiver, one_sender, published
from support.servers.receiver_backends import Stage, one, own_stage
from support.servers.receiver_process import freeze, thaw


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with own_stage(tmp_path) as opened:
        yield opened


@pytest.fixture
async def replicas(
    redis_url: str, pubsub_host: str, project: str, tmp_path: Path
) -> AsyncIterator[tuple[LiveReceiver, LiveReceiver]]:
    """Two receivers behind one public origin."""
    keys, signer, _ = one_sender(tmp_path)
    around = {
        "keys": keys,
        "signer": signer,
        "redis_url": redis_url,
        "pubsub_host": pubsub_host,
        "project": project,
    }
    async with live_receiver(**around) as first, live_receiver(**around, origin=first.origin) as second:
        yield first, second


@pytest.mark.parametrize("copies", [case(39, "50-copies", 50), case(43, "50-copies-over-two-replicas", 50)])
async def test_of_many_copies_one_is_accepted(
    replicas: tuple[LiveReceiver, LiveReceiver],
    pubsub_host: str,
    project: str,
    copies: int,
    request: pytest.FixtureRequest,
) -> None:
    used = replicas if "case-043" in request.node.name else replicas[:1]
    body = encode_event(one(project))
    headers = replicas[0].signer.sign("POST", replicas[0].url, body, ONE)

    async def settled(receiver: LiveReceiver) -> int:
        """Repeat the same bytes after a 503, which occurs when this process is too busy for Redis."""

        async def decided() -> int | None:
            answer = await receiver.client.post("/v1/events", content=body, headers=headers, timeout=30)
            return answer.status_code if answer.status_code != 503 else None

        return await eventually(decided) or 0

    statuses = sorted(await asyncio.gather(*(settled(used[number % len(used)]) for number in range(copies))))
    assert statuses == [202] + [409] * (copies - 1)
    assert len(await published(pubsub_host, project)) == 1


@pytest.mark.parametrize("least", [case(42, "nonce-kept-long-enough", 310)])
async def test_a_nonce_is_kept_longer_than_its_signature_is_good(stage: Stage, least: int) -> None:
    assert (await stage.post(encode_event(one(stage.project)))).status_code == 202
    [ttl] = (await stage.claims("nonce")).values()
    assert least <= ttl <= 320
    [kept] = (await stage.claims("event")).values()
    assert 3 * 86400 - 60 <= kept <= 3 * 86400


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        case(92, "same-event", lambda event: event, 200, None),
        case(
            93,
            "same-id-other-content",
            lambda event: replace(event, data=story()[-1].data, type=story()[-1].type),
            409,
            "event_id_conflict",
        ),
    ],
)
async def test_an_event_id_counts_once(
    receiver: LiveReceiver,
    pubsub_host: str,
    project: str,
    change: Callable[[CloudEvent], CloudEvent],
    status: int,
    code: str | None,
) -> None:
    assert (await receiver.send(one(project))).status_code == 202
    again = await receiver.send(change(one(project)))
    if code is None:
        assert (again.status_code, again.json()) == (status, {"duplicate": True})
    else:
        is_problem(again, status, code)
    assert len(await published(pubsub_host, project)) == 1


@pytest.mark.parametrize("sender", [case(94, "another-sender", "billing")])
async def test_an_event_id_is_the_senders_own(
    redis_url: str, pubsub_host: str, project: str, tmp_path: Path, sender: str
) -> None:
    first, key = signer_and_key()
    second, other = signer_and_key(keyid="key-2", sender=sender)
    write_key_file(tmp_path / "keys.json", [key.record, other.record])
    around = {"redis_url": redis_url, "pubsub_host": pubsub_host, "project": project}
    async with live_receiver(keys=tmp_path / "keys.json", signer=first, **around) as receiver:
        body = encode_event(one(project))
        assert [
            (await receiver.post(body, ONE, signer=signer)).status_code for signer in (first, second)
        ] == [202, 202]
    assert len(await published(pubsub_host, project)) == 2


@pytest.mark.parametrize("published_once", [case(95, "in-flight", 1)])
async def test_an_event_in_flight_is_409_with_retry_after(stage: Stage, published_once: int) -> None:
    body = encode_event(one(stage.project))
    stage.pubsub.freeze()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(stage.post(body))
        await eventually(stage.is_claimed)
        second = await stage.post(body)
        stage.pubsub.thaw()
    is_problem(second, 409, "in_flight")
    assert second.headers["retry-after"] == "1"
    assert first.result().status_code == 202
    assert len(await stage.ids()) == published_once


@pytest.mark.parametrize(
    "setting",
    [
        case(96, "refused", None),
        case(96, "frozen", None),
        case(96, "noauth", ("requirepass", "other")),
        case(96, "readonly", ("min-replicas-to-write", "1")),
        case(96, "oom", ("maxmemory", "1")),
    ],
)
async def test_without_redis_nothing_is_published(
    stage: Stage, setting: tuple[str, str] | None, request: pytest.FixtureRequest
) -> None:
    if setting is not None:
        await stage.configure(*setting)
    elif "frozen" in request.node.name:
        freeze(stage.redis)
    else:
        stage.redis.kill()
        await stage.redis.wait()
    is_problem(await stage.post(encode_event(one(stage.project))), 503, "claims_unavailable")
    async with httpx2.AsyncClient(base_url=stage.receiver.origin, timeout=60) as client:
        assert (await client.get("/healthz")).status_code == 200
        if setting is None:
            assert (await client.get("/readyz")).status_code == 503
    assert await stage.ids() == []


@pytest.mark.parametrize("dies", [case(97, "redis-dies-after-the-claim", True)])
async def test_redis_lost_after_the_claim_does_not_take_the_promise_back(stage: Stage, dies: bool) -> None:
    event = one(stage.project)
    async with asyncio.TaskGroup() as group:
        sending = await stage.hold_at_publish(group, encode_event(event))
        if dies:
            freeze(stage.redis)
        stage.pubsub.thaw()
    assert sending.result().status_code == 202
    thaw(stage.redis)
    async with (
        Redis.from_url(stage.redis_url) as client,
        httpx2.AsyncClient(base_url=stage.receiver.origin, timeout=60) as web,
    ):
        assert 'left_to_repair_total{step="stream"} 1.0' in (await web.get("/metrics")).text
        await client.flushall()
    assert (await stage.post(encode_event(event))).status_code == 202
    assert await stage.ids() == [event.id] * 2


@asynccontextmanager
async def killed(stage: Stage) -> AsyncIterator[None]:
    await stage.pubsub.kill()
    yield
    await stage.pubsub.start()


@asynccontextmanager
async def frozen(stage: Stage) -> AsyncIterator[None]:
    stage.pubsub.freeze()
    yield
    stage.pubsub.thaw()


@asynccontextmanager
async def without_topic(stage: Stage) -> AsyncIterator[None]:
    await stage.delete_topic()
    yield
    await stage.create_topic()


@asynccontextmanager
async def denied(stage: Stage) -> AsyncIterator[None]:
    """On Pub/Sub's port something speaks its protocol and allows nothing."""

    async def deny(_request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, "User not authorized to perform this action.")

    async with killed(stage):
        server = grpc.aio.server()
        publish: grpc.RpcMethodHandler[Any, Any] = grpc.unary_unary_rpc_method_handler(deny)
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("google.pubsub.v1.Publisher", {"Publish": publish}),)
        )
        server.add_insecure_port(stage.pubsub.host)
        await server.start()
        yield
        await server.stop(None)


@pytest.mark.parametrize(
    "outage",
    [
        case(98, "refused", killed),
        case(98, "hangs", frozen),
        case(98, "topic-missing", without_topic),
        case(98, "denied", denied),
    ],
)
async def test_without_pubsub_the_claims_are_given_back_and_the_same_bytes_succeed_later(
    stage: Stage, outage: Callable[[Stage], AbstractAsyncContextManager[None]]
) -> None:
    body = encode_event(one(stage.project))
    headers = stage.sign(body)
    async with outage(stage):
        is_problem(await stage.post(body, headers), 503, "publish_unavailable")
        assert await stage.claims("event") == await stage.claims("nonce") == {}

    async def accepted() -> bool:
        return (await stage.post(body, headers)).status_code == 202

    await eventually(accepted, within_s=30)


@pytest.mark.parametrize("leaves", [case(99, "client-leaves", True)])
async def test_a_client_that_leaves_while_its_event_is_published_changes_nothing(
    stage: Stage, leaves: bool
) -> None:
    event = one(stage.project)
    async with asyncio.TaskGroup() as group:
        sending = await stage.hold_at_publish(group, encode_event(event))
        if leaves:
            sending.cancel()
        stage.pubsub.thaw()

    async def is_done() -> bool:
        return any(value.startswith("done:") for value in await stage.claims("event"))

    await eventually(is_done)
    assert await stage.ids() == [event.id]
    assert (await stage.post(encode_event(event))).status_code == 200


@pytest.mark.parametrize("most", [case(100, "killed-between-publish-and-mark", 30)])
async def test_an_event_published_by_a_receiver_that_died_comes_again_when_its_claim_ran_out(
    stage: Stage, most: int
) -> None:
    event = one(stage.project)
    async with asyncio.TaskGroup() as group:
        sending = await stage.hold_at_publish(group, encode_event(event))
        freeze(stage.redis)
        stage.pubsub.thaw()
        ids: list[str] = []

        async def is_published() -> bool:
            ids.extend(await stage.ids())
            return bool(ids)

        await eventually(is_published)
        sending.cancel()
        await stage.receiver.kill()
    thaw(stage.redis)
    claims = await stage.claims("event")
    assert [value[:5] for value in claims] == ["busy:"]
    assert 0 < next(iter(claims.values())) <= most
    await stage.receiver.start()
    is_problem(await stage.post(encode_event(event)), 409, "in_flight")
    async with Redis.from_url(stage.redis_url) as client:
        for key in await client.keys("claims:*:event:*"):
            await client.pexpire(key, 1)
    answer = await eventually(lambda: accepted_now(stage, event))
    assert answer.status_code == 202
    assert [*ids, *await stage.ids()] == [event.id] * 2


async def accepted_now(stage: Stage, event: CloudEvent) -> httpx2.Response | None:
    answer = await stage.post(encode_event(event))
    return answer if answer.status_code == 202 else None


@pytest.mark.parametrize("new", [case(101, "new-deliveries-while-draining", 3)])
async def test_sigterm_finishes_what_is_in_flight_and_turns_the_rest_away(stage: Stage, new: int) -> None:
    event = one(stage.project)
    async with asyncio.TaskGroup() as group:
        sending = await stage.hold_at_publish(group, encode_event(event))
        assert stage.receiver.process is not None
        stage.receiver.process.send_signal(signal.SIGTERM)

        async def is_draining() -> bool:
            async with httpx2.AsyncClient(base_url=stage.receiver.origin, timeout=60) as client:
                return (await client.get("/readyz")).status_code == 503

        await eventually(is_draining)
        for number in range(new):
            answer = await stage.post(encode_event(one(f"new-{number}")))
            is_problem(answer, 503, "draining")
            assert answer.headers["connection"] == "close"
        stage.pubsub.thaw()
    assert sending.result().status_code == 202
    assert stage.receiver.process is not None
    assert await asyncio.wait_for(stage.receiver.process.wait(), 30) == 0
    assert "Traceback" not in stage.receiver.said
    assert await stage.ids() == [event.id]


@pytest.mark.parametrize("rate", [case(102, "rate-of-a-key", 5)])
async def test_a_key_beyond_its_rate_is_429_at_both_replicas_and_others_are_not(
    redis_url: str, pubsub_host: str, project: str, tmp_path: Path, rate: int
) -> None:
    # Keyids of this test alone: the count is in the session's Redis.
    keyids = [new_run_id("key") for _ in range(2)]
    (first, key), (second, other) = (signer_and_key(keyid=keyid) for keyid in keyids)
    write_key_file(tmp_path / "keys.json", [key.record, other.record])
    around = {
        "keys": tmp_path / "keys.json",
        "redis_url": redis_url,
        "pubsub_host": pubsub_host,
        "project": project,
        "rate_per_s": rate,
    }
    async with (
        live_receiver(signer=first, **around) as one_of_two,
        live_receiver(signer=first, **around, origin=one_of_two.origin) as two,
    ):
        forger, _ = signer_and_key(keyid=keyids[0])
        flood = [
            await one_of_two.post(encode_event(one(project)), ONE, signer=forger) for _ in range(4 * rate)
        ]
        assert {answer.status_code for answer in flood} == {401}
        bodies = [encode_event(one(f"{project}-{number}")) for number in range(4 * rate)]
        answers = await asyncio.gather(
            *(pair.post(body, ONE) for body in bodies for pair in (one_of_two, two))
        )
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused
        is_problem(refused[0], 429, "rate_limited")
        assert int(refused[0].headers["retry-after"]) >= 1
        assert (await two.post(encode_event(one(f"{project}-other")), ONE, signer=second)).status_code == 202


@pytest.mark.parametrize(
    "policy", [case(103, "allkeys-lru", "allkeys-lru"), case(103, "volatile-ttl", "volatile-ttl")]
)
async def test_a_redis_that_may_evict_is_not_ready(stage: Stage, policy: str) -> None:
    await stage.configure("maxmemory-policy", policy)
    async with httpx2.AsyncClient(base_url=stage.receiver.origin, timeout=60) as client:
        ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()["redis"]) == (503, "evicting")


@pytest.mark.parametrize(
    "seconds",
    [case(104, "10-minutes-on", 600.0), case(104, "10-minutes-back", -600.0), case(104, "a-moment", 1.0)],
)
def test_a_jump_of_the_clock_is_counted_once(seconds: float) -> None:
    clocks = {"wall": 1_000_000.0, "passed": 0.0}
    jumps: list[float] = []
    watch = ClockMonitor(lambda: clocks["wall"], lambda: clocks["passed"], on_jump=jumps.append)
    for jump in (0.0, seconds, 0.0):
        clocks["wall"] += 5.0 + jump
        clocks["passed"] += 5.0
        watch.check()
    assert jumps == ([seconds] if abs(seconds) > 5 else [])
