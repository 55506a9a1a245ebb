"""What happens to a delivery that verifies: publish, stream, claims, and the answer."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace

from signalbox_core.errors import Conflict, SignalboxError
from signalbox_core.events import CloudEvent, encode_event
from signalbox_core.streams import AppendOutcome
from signalbox_core.testing.streams import FakeRunStream
from signalbox_webhook_receiver.profile import MAX_BATCH_BYTES
from support.assertions.eventually import eventually
from support.drivers.signed_requests import BATCH, ONE, URL, parameters_at, sign_by_hand, signer_and_key
from support.fakes.events import START, story
from support.fakes.receiver import NOW, Bench, FakeKeys, batch_of, new_bench

STORY = story()
MILESTONES = [event for event in STORY if event.sequence is not None]
[PROGRESS] = [event for event in STORY if event.sequence is None]


@pytest.fixture
def bench() -> Bench:
    return new_bench()


def domain_event(
    event_id: str = "d-1", *, sequence: int | None = None, data: bytes = b'{"total":"12.00"}'
) -> CloudEvent:
    return CloudEvent(
        id=event_id,
        source="/signalbox/worker",
        type="dev.signalbox.invoice.imported.v1",
        time=START,
        subject="invoice-7",
        tenantid="acme",
        runid="run-1",
        sequence=sequence,
        data=msgspec.Raw(data),
    )


async def test_a_milestone_is_published_and_shown_and_answered_with_202(bench: Bench) -> None:
    answer = await bench.send(MILESTONES[0])
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1})
    assert bench.published == [("lifecycle", "run.started", "run-1")]
    assert [frame.sequence for frame in (await bench.stream.read("acme:run-1", None)).frames] == [1]


async def test_a_batch_keeps_its_order(bench: Bench) -> None:
    answer = await bench.send(*STORY)
    assert (answer.status_code, answer.json()) == (202, {"accepted": len(STORY)})
    assert [name for _, name, _ in bench.published] == [event.name for event in MILESTONES]
    assert [frame.sequence for frame in (await bench.stream.read("acme:run-1", None)).frames] == list(
        range(1, len(MILESTONES) + 1)
    )


async def test_progress_reaches_the_stream_and_not_pubsub(bench: Bench) -> None:
    await bench.send(*MILESTONES[:2])
    answer = await bench.send(PROGRESS)
    assert answer.status_code == 202
    assert [name for _, name, _ in bench.published] == ["run.started", "step.started"]
    projected = await bench.stream.snapshot("acme:run-1")
    assert projected is not None
    assert projected.snapshot.steps[0].percent == 50.0


async def test_the_same_progress_may_come_again_under_a_new_signature(bench: Bench) -> None:
    assert [(await bench.send(PROGRESS)).status_code for _ in range(2)] == [202, 202]


async def test_a_domain_event_of_the_workflow_goes_to_both_topics(bench: Bench) -> None:
    assert (await bench.send(domain_event(sequence=1))).status_code == 202
    assert bench.published == [
        ("lifecycle", "invoice.imported", "run-1"),
        ("domain-events", "invoice.imported", "invoice-7"),
    ]
    assert len((await bench.stream.read("acme:run-1", None)).frames) == 1


async def test_a_domain_event_of_an_activity_goes_to_domain_events_and_is_not_kept_in_the_stream(
    bench: Bench,
) -> None:
    assert (await bench.send(domain_event())).status_code == 202
    assert bench.published == [("domain-events", "invoice.imported", "invoice-7")]
    assert not (await bench.stream.read("acme:run-1", None)).frames


async def test_the_same_event_again_is_a_duplicate_and_is_published_once(bench: Bench) -> None:
    await bench.send(MILESTONES[0])
    answer = await bench.send(MILESTONES[0])
    assert (answer.status_code, answer.json()) == (200, {"duplicate": True})
    assert len(bench.published) == 1


async def test_the_same_fact_with_a_new_time_is_a_duplicate(bench: Bench) -> None:
    await bench.send(domain_event())
    assert (
        await bench.send(replace(domain_event(), time=START + timedelta(minutes=1), attempt=2))
    ).status_code == 200


async def test_a_batch_that_was_accepted_in_part_is_accepted_with_the_rest(bench: Bench) -> None:
    await bench.send(*MILESTONES[:2])
    answer = await bench.send(*MILESTONES[:4])
    assert (answer.status_code, answer.json()) == (202, {"accepted": 2})
    assert [name for _, name, _ in bench.published] == [event.name for event in MILESTONES[:4]]


async def test_a_batch_of_accepted_events_is_a_duplicate(bench: Bench) -> None:
    await bench.send(*MILESTONES[:2])
    assert (await bench.send(*MILESTONES[:2])).status_code == 200


async def test_the_same_id_with_other_data_is_a_conflict(bench: Bench) -> None:
    await bench.send(domain_event())
    answer = await bench.send(domain_event(data=b'{"total":"13.00"}'))
    assert (answer.status_code, answer.json()["code"]) == (409, "event_id_conflict")
    assert len(bench.published) == 1


async def test_an_exact_replay_is_refused(bench: Bench) -> None:
    body = msgspec.json.encode(PROGRESS)
    headers = bench.signer.sign("POST", URL, body, ONE)
    answers = [await bench.client.post("/v1/events", content=body, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 409]
    assert answers[1].json()["code"] == "nonce_replayed"


async def test_the_same_id_from_another_sender_is_another_event() -> None:
    other, key = signer_and_key(keyid="key-2", sender="billing", clock=NOW.timestamp)
    bench = new_bench(key)
    assert [
        (await bench.send(MILESTONES[0], signer=signer)).status_code for signer in (bench.signer, other)
    ] == [202, 202]


async def test_the_same_nonce_of_another_key_is_another_nonce() -> None:
    other, key = signer_and_key(keyid="key-2", clock=NOW.timestamp)
    bench = new_bench(key)
    bodies = [encode_event(event) for event in MILESTONES[:2]]
    answers = []
    for keyid, signer, body in (
        ("key-1", bench.signer, bodies[0]),
        ("key-2", other, bodies[1]),
        ("key-1", bench.signer, bodies[1]),
    ):
        headers = sign_by_hand(
            signer, body, parameters=parameters_at(int(NOW.timestamp()), keyid=f'"{keyid}"')
        )
        answers.append((await bench.client.post("/v1/events", content=body, headers=headers)).status_code)
    assert answers == [202, 202, 409]


async def test_an_event_in_flight_is_refused_with_retry_after(bench: Bench) -> None:
    bench.publisher.acks.clear()
    first = asyncio.create_task(bench.send(MILESTONES[0]))
    await eventually(lambda: bench.claims.held)
    second = await bench.send(MILESTONES[0])
    assert (second.status_code, second.json()["code"], second.headers["retry-after"]) == (
        409,
        "in_flight",
        "1",
    )
    bench.publisher.acks.set()
    assert (await first).status_code == 202
    assert len(bench.published) == 1


async def test_of_fifty_concurrent_copies_one_is_accepted(bench: Bench) -> None:
    body = encode_event(MILESTONES[0])
    headers = bench.signer.sign("POST", URL, body, ONE)
    answers = await asyncio.gather(
        *(bench.client.post("/v1/events", content=body, headers=headers) for _ in range(50))
    )
    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 49
    assert len(bench.published) == 1


@pytest.mark.parametrize("takes", [0, 1, 3])
async def test_a_failed_publish_gives_the_claims_back(bench: Bench, takes: int) -> None:
    bench.publisher.takes = takes
    body = batch_of(MILESTONES[:4])
    headers = bench.signer.sign("POST", URL, body, BATCH)
    refused = await bench.client.post("/v1/events", content=body, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (503, "publish_unavailable")
    assert int(refused.headers["retry-after"]) >= 1
    assert not bench.claims.held
    assert not (await bench.stream.read("acme:run-1", None)).frames
    bench.publisher.takes = None
    assert (await bench.client.post("/v1/events", content=body, headers=headers)).status_code == 202


async def test_a_publish_without_an_ack_ends_in_503_and_gives_the_claims_back() -> None:
    bench = new_bench(publish_timeout_s=0.01)
    bench.publisher.acks.clear()
    assert (await bench.send(MILESTONES[0])).status_code == 503
    assert not bench.claims.held


async def test_without_the_claims_store_nothing_is_published(bench: Bench) -> None:
    bench.claims.away.add("claim")
    answer = await bench.send(MILESTONES[0])
    assert (answer.status_code, answer.json()["code"]) == (503, "claims_unavailable")
    assert "retry-after" in answer.headers
    assert not bench.published


async def test_a_published_event_is_accepted_even_if_it_cannot_be_marked(bench: Bench) -> None:
    bench.claims.away.add("finish")
    assert (await bench.send(MILESTONES[0])).status_code == 202
    assert bench.count("left_to_repair_total", step="finish") == 1


async def test_an_unmarked_event_is_published_again_when_its_claim_ran_out(bench: Bench) -> None:
    bench.claims.away.add("finish")
    await bench.send(MILESTONES[0])
    bench.claims.away.clear()
    assert (await bench.send(MILESTONES[0])).status_code == 409
    bench.clock.move(timedelta(seconds=31))
    assert (await bench.send(MILESTONES[0])).status_code == 202
    assert len(bench.published) == 2


class RefusingStream(FakeRunStream):
    async def write_batch(self, events: Sequence[CloudEvent]) -> list[AppendOutcome | SignalboxError]:
        return [Conflict("refused", code="foreign_run")] * len(events)


async def test_a_published_event_is_accepted_even_if_the_stream_refuses_it() -> None:
    bench = new_bench(stream=RefusingStream())
    assert (await bench.send(MILESTONES[1])).status_code == 202
    assert bench.count("left_to_repair_total", step="stream") == 1


async def test_a_key_that_sends_too_fast_learns_when_to_retry() -> None:
    other, key = signer_and_key(keyid="key-2", clock=NOW.timestamp)
    bench = new_bench(key, rate_per_s=1)
    answers = [await bench.send(event) for event in MILESTONES[:3]]
    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert (answers[2].headers["retry-after"], answers[2].json()["code"]) == ("1", "rate_limited")
    assert (await bench.send(MILESTONES[2], signer=other)).status_code == 202
    bench.clock.move(timedelta(seconds=1))
    assert (await bench.send(MILESTONES[3])).status_code == 202


@pytest.mark.parametrize(
    "event", [MILESTONES[1], PROGRESS, domain_event()], ids=["milestone", "progress", "domain"]
)
async def test_an_event_does_not_reach_another_tenants_run_of_the_same_id(
    bench: Bench, event: CloudEvent
) -> None:
    await bench.stream.append(replace(MILESTONES[0], tenantid="other"))
    before = await bench.stream.snapshot("other:run-1")
    live = list[str]()
    bench.stream.channels.listen(lambda key, _frame: live.append(key), lambda _key: None)
    bench.stream.channels.open("other:run-1")

    assert (await bench.send(event)).status_code == 202

    assert {published.tenantid for _, published, _ in bench.publisher.published} <= {"acme"}
    assert await bench.stream.snapshot("other:run-1") == before
    assert live == []


async def test_a_draining_receiver_turns_new_deliveries_away(bench: Bench) -> None:
    bench.parts.draining.has_started = True
    answer = await bench.send(MILESTONES[0])
    assert (answer.status_code, answer.json()["code"]) == (503, "draining")
    assert (answer.headers["retry-after"], answer.headers["connection"]) == ("1", "close")
    assert (await bench.client.get("/readyz")).status_code == 503
    assert (await bench.client.get("/healthz")).status_code == 200
    assert not bench.published


async def test_more_deliveries_at_once_than_allowed_are_turned_away() -> None:
    bench = new_bench(max_in_flight=2)
    bench.publisher.acks.clear()
    sending = [asyncio.create_task(bench.send(event)) for event in MILESTONES[:2]]
    await eventually(lambda: len(bench.claims.held) == 4)
    answer = await bench.send(MILESTONES[2])
    assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
    bench.publisher.acks.set()
    assert [(await each).status_code for each in sending] == [202, 202]


async def test_bodies_at_once_are_bounded_in_their_total_size() -> None:
    bench = new_bench(max_bytes_in_flight=MAX_BATCH_BYTES)
    bench.publisher.acks.clear()
    large = replace(
        MILESTONES[0],
        type="dev.signalbox.invoice.imported.v1",
        sequence=None,
        data=msgspec.Raw(msgspec.json.encode({"text": "x" * 200_000})),
    )
    events = [replace(large, id=str(number)) for number in range(5)]
    sending = asyncio.create_task(bench.send(*events))
    await eventually(lambda: bench.claims.held)
    answer = await bench.send(MILESTONES[1], large)
    assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
    bench.publisher.acks.set()
    assert (await sending).status_code == 202
    assert (await bench.send(MILESTONES[1], large)).status_code == 202


async def test_keys_that_nobody_could_fetch_are_503_and_known_ones_go_on(bench: Bench) -> None:
    assert isinstance(bench.parts.keys, FakeKeys)
    bench.parts.keys.is_cold = True
    stranger, _ = signer_and_key(keyid="key-9", clock=NOW.timestamp)
    answer = await bench.send(MILESTONES[0], signer=stranger)
    assert (answer.status_code, answer.json()["code"]) == (503, "keys_unavailable")
    assert "retry-after" in answer.headers
    assert (await bench.send(MILESTONES[0])).status_code == 202


async def test_deliveries_are_counted_by_key_and_outcome(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    await bench.send(MILESTONES[0])
    await bench.send(*MILESTONES[:3])
    stranger, _ = signer_and_key(keyid="key-9", clock=NOW.timestamp)
    forger, _ = signer_and_key(clock=NOW.timestamp)
    await bench.send(MILESTONES[4], signer=stranger)
    await bench.send(MILESTONES[4], signer=forger)
    bench.claims.away.add("claim")
    await bench.send(MILESTONES[4])
    assert bench.count("verified_total", keyid="key-1") == 3
    assert bench.count("duplicates_total", keyid="key-1") == 1
    assert bench.count("refused_total", reason="unknown_key", keyid="") == 1
    assert bench.count("refused_total", reason="wrong_signature", keyid="key-1") == 1
    assert bench.count("refused_total", reason="claims_unavailable", keyid="key-1") == 1
    assert bench.count("claim_failures_total", step="claim") == 1
    assert bench.count("publish_seconds_count") == 2
    lines = [record for record in caplog.records if record.getMessage() == "delivery"]
    assert [tuple(vars(line)[name] for name in ("status", "code", "keyid", "events")) for line in lines][
        :2
    ] == [
        (202, "accepted", "key-1", 1),
        (202, "accepted", "key-1", 3),
    ]


async def test_the_access_log_has_no_header_nonce_or_body(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    body = encode_event(MILESTONES[0])
    headers = bench.signer.sign("POST", URL, body, ONE)
    for _ in range(2):
        await bench.client.post(
            "/v1/events",
            content=body,
            headers=headers | {"Authorization": "Bearer secret-token", "Cookie": "secret=1"},
        )
    mine = [record for record in caplog.records if record.name.startswith("signalbox")]
    written = " ".join(str(vars(record)) for record in mine)
    nonce = headers["Signature-Input"].partition('nonce="')[2].partition('"')[0]
    for secret in (
        nonce,
        headers["Signature"],
        headers["Content-Digest"],
        "secret",
        MILESTONES[0].id,
        MILESTONES[0].subject,
    ):
        assert secret not in written
