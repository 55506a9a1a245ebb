"""Cases 25 to 43: times and nonces. The Redis side of 39, 42 and 43 is in tests/integration/receiver."""

import asyncio
from base64 import b64decode, b64encode
from datetime import timedelta

import pytest
from msgspec.structs import replace

from signalbox_core.events import encode_event
from signalbox_core.signatures import Algorithm
from support.assertions.receiver_cases import (
    BODY,
    EVENT,
    SECOND,
    by_hand,
    case,
    is_problem,
    is_refused,
    post,
    signed,
)
from support.drivers.signed_requests import signer_and_key
from support.fakes.events import story
from support.fakes.receiver import NOW, Bench, new_bench

OTHER = encode_event(story()[1])
# The order of the curve P-256 (SEC 2 §2.4.2).
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.fixture
def bench() -> Bench:
    return new_bench()


def at(created: int, lives: int = 300) -> dict[str, str | None]:
    return {"created": str(created), "expires": str(created + lives)}


@pytest.mark.parametrize(
    ("overrides", "status", "code"),
    [
        case(25, "no-created", {"created": None}, 401, "signature_incomplete"),
        case(26, "created-in-a-minute", at(SECOND + 60), 401, "signature_not_yet_valid"),
        case(27, "created-306-s-ago", at(SECOND - 306), 401, "signature_stale"),
        case(29, "no-expires", {"expires": None}, 401, "signature_incomplete"),
        case(30, "expired", at(SECOND - 100, 50), 401, "signature_stale"),
        case(31, "301-s-long", at(SECOND, 301), 401, "signature_lifetime"),
        case(31, "10-years-long", at(SECOND, 10 * 365 * 86400), 401, "signature_lifetime"),
        case(32, "expires-before-created", at(SECOND, -1), 401, "signature_lifetime"),
        case(33, "created-far-away", at(10**14), 400, "signature_malformed"),
        case(33, "created-long-ago", at(-(10**14)), 400, "signature_malformed"),
        case(33, "created-0", at(0), 401, "signature_stale"),
        case(33, "created-minus-1", at(-1), 400, "signature_malformed"),
        case(34, "no-nonce", {"nonce": None}, 401, "signature_incomplete"),
        case(35, "empty-nonce", {"nonce": '""'}, 400, "signature_malformed"),
        case(35, "nonce-of-15", {"nonce": f'"{"a" * 15}"'}, 400, "signature_malformed"),
        case(35, "nonce-of-129", {"nonce": f'"{"a" * 129}"'}, 400, "signature_malformed"),
        case(35, "nonce-with-a-quote", {"nonce": '"0123456789abcde\\""'}, 400, "signature_malformed"),
    ],
)
async def test_a_time_or_nonce_beyond_the_profile_is_refused(
    bench: Bench, overrides: dict[str, str | None], status: int, code: str
) -> None:
    await is_refused(bench, await post(bench, by_hand(bench, **overrides)), status, code)


@pytest.mark.parametrize("nonce", [case(35, "nonce-not-ascii", b'"0123456789abcd\xc3\xa9"')])
async def test_a_nonce_that_is_not_ascii_is_refused(bench: Bench, nonce: bytes) -> None:
    headers = [(name.encode(), value.encode()) for name, value in by_hand(bench).items()]
    changed = [(name, value.replace(b'"0123456789abcdefABCD"', nonce)) for name, value in headers]
    await is_refused(
        bench,
        await bench.client.post("/v1/events", content=BODY, headers=changed),
        400,
        "signature_malformed",
    )


@pytest.mark.parametrize("created", [case(28, "304-s-ago", SECOND - 304), case(28, "in-4-s", SECOND + 4)])
async def test_a_time_within_the_skew_is_accepted(bench: Bench, created: int) -> None:
    assert (await post(bench, by_hand(bench, **at(created)))).status_code == 202


@pytest.mark.parametrize("again", [case(36, "exact-replay", BODY), case(37, "same-nonce-other-body", OTHER)])
async def test_a_nonce_counts_once(bench: Bench, again: bytes) -> None:
    assert (await post(bench, by_hand(bench))).status_code == 202
    is_problem(await post(bench, by_hand(bench, body=again), body=again), 409, "nonce_replayed")
    assert len(bench.published) == 1


@pytest.mark.parametrize("keyid", [case(38, "same-nonce-other-key", "key-2")])
async def test_a_nonce_is_the_keys_own(keyid: str) -> None:
    other, key = signer_and_key(keyid=keyid, sender="billing", clock=NOW.timestamp)
    bench = new_bench(key)
    assert (await post(bench, by_hand(bench))).status_code == 202
    bench.signer = other
    assert (await post(bench, by_hand(bench, keyid=f'"{keyid}"', body=OTHER), body=OTHER)).status_code == 202


@pytest.mark.parametrize("copies", [case(39, "50-copies-at-once", 50)])
async def test_of_many_copies_one_is_accepted(bench: Bench, copies: int) -> None:
    headers = signed(bench)
    answers = await asyncio.gather(*(post(bench, headers) for _ in range(copies)))
    assert sorted(answer.status_code for answer in answers) == [202] + [409] * (copies - 1)
    assert len(bench.published) == 1


@pytest.mark.parametrize("algorithm", [case(40, "ecdsa-with-its-second-form", Algorithm.ECDSA_P256)])
async def test_another_form_of_the_same_signature_is_a_replay(algorithm: Algorithm) -> None:
    signer, key = signer_and_key(algorithm, "key-2", clock=NOW.timestamp)
    bench = new_bench(key)
    bench.signer = signer
    headers = signed(bench)
    raw = b64decode(headers["signature"].partition(":")[2].rstrip(":"))
    other_form = raw[:32] + (N - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    assert (await post(bench, headers)).status_code == 202
    again = await post(bench, headers | {"signature": f"signalbox=:{b64encode(other_form).decode()}:"})
    is_problem(again, 409, "nonce_replayed")
    assert len(bench.published) == 1


@pytest.mark.parametrize("forged", [case(41, "victims-nonce", "signalbox=:AAAA:")])
async def test_a_forged_request_does_not_burn_the_nonce(bench: Bench, forged: str) -> None:
    headers = by_hand(bench)
    await is_refused(bench, await post(bench, headers | {"signature": forged}), 401, "invalid_signature")
    assert (await post(bench, headers)).status_code == 202


@pytest.mark.parametrize("seconds", [case(42, "after-the-nonce-was-forgotten", 321)])
async def test_a_replay_after_the_nonce_was_forgotten_is_too_old(bench: Bench, seconds: int) -> None:
    headers = by_hand(bench, **at(SECOND + 5))
    assert (await post(bench, headers)).status_code == 202
    bench.clock.move(timedelta(seconds=seconds))
    is_problem(await post(bench, headers), 401, "signature_stale")
    assert len(bench.published) == 1


@pytest.mark.parametrize("replicas", [case(43, "second-replica", 2)])
async def test_a_replay_to_another_replica_is_refused(replicas: int) -> None:
    signer, key = signer_and_key(keyid="key-2", clock=NOW.timestamp)
    benches = [new_bench(key) for _ in range(replicas)]
    for bench in benches:
        bench.claims.held = benches[0].claims.held
        bench.signer = signer
    headers = signed(benches[0])
    assert (await post(benches[0], headers)).status_code == 202
    is_problem(await post(benches[1], headers), 409, "nonce_replayed")
    assert not benches[1].published


async def test_the_event_of_these_cases_is_good(bench: Bench) -> None:
    assert (await bench.send(replace(EVENT))).status_code == 202
