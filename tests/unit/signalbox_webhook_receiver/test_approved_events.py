"""An event that a person approved is accepted only as it was approved, by the receiver and by subscribers."""

import hashlib
import json
import random

import msgspec
import pytest
from msgspec.structs import replace

from signalbox_core.errors import InvalidInput, SignalboxError
from signalbox_core.events import CloudEvent, decode_event, encode_event
from signalbox_core.events.effect_digest import EFFECT_DIGEST_MISMATCHED, is_as_approved, with_effect_digest
from signalbox_core.pubsub import from_message, to_message
from signalbox_webhook_receiver.events import read_runs
from signalbox_webhook_receiver.profile import Media
from support.assertions.receiver_cases import is_refused, signed
from support.drivers.signed_requests import BATCH
from support.fakes.events import START
from support.fakes.receiver import Bench, batch_of, new_bench

TIMES = 1_000
EVENT = with_effect_digest(
    CloudEvent(
        id="ad-1",
        source="/signalbox/worker",
        type="dev.signalbox.ad.approved.v1",
        time=START,
        subject="run-1",
        tenantid="acme",
        runid="run-1",
        sequence=7,
        stepid="publish",
        data=msgspec.Raw('{"title":"Sương Mai","price":1.5,"files":[{"key":"a.png"}]}'.encode()),
    )
)
CHANGED = replace(EVENT, data=msgspec.Raw(bytes(EVENT.data).replace(b"1.5", b"1.6")))


@pytest.fixture
def bench() -> Bench:
    return new_bench()


def test_the_digest_is_the_same_after_the_event_was_decoded() -> None:
    for event in (EVENT, decode_event(encode_event(EVENT))):
        assert event.effectdigest == "b41ec99890bfb937e59a6d2ad9503bc0b5ee28775b1e2aa457b93f5b34b7791a"
        assert is_as_approved(event)


def test_the_digest_can_be_computed_without_our_library() -> None:
    wire = json.loads(encode_event(EVENT))
    for name in ("effectdigest", "specversion", "datacontenttype"):
        wire.pop(name)
    canonical = json.dumps(wire, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(canonical.encode()).hexdigest() == EVENT.effectdigest


async def test_an_approved_event_is_accepted_as_it_is(bench: Bench) -> None:
    assert (await bench.send(EVENT)).status_code == 202
    assert ("domain-events", "ad.approved", "run-1") in bench.published


async def test_a_changed_event_is_refused_with_its_own_code(bench: Bench) -> None:
    await is_refused(bench, await bench.send(CHANGED), 422, EFFECT_DIGEST_MISMATCHED)


async def test_a_changed_event_refuses_the_events_of_its_run_only(bench: Bench) -> None:
    other = with_effect_digest(replace(EVENT, runid="run-2", subject="run-2", id="ad-2", effectdigest=None))
    body = batch_of([CHANGED, other])
    answer = await bench.client.post("/v1/events", content=body, headers=signed(bench, body, BATCH))
    assert answer.json()["results"] == [{"status": 422, "code": EFFECT_DIGEST_MISMATCHED}, {"status": 202}]
    assert {run_id for _, _, run_id in bench.published} == {"run-2"}


def test_of_a_thousand_events_with_one_changed_byte_none_passes() -> None:
    body, chance, refused = encode_event(EVENT), random.Random(7), 0
    # Without the name of the attribute, an event has no digest and no protection.
    name = b'"effectdigest"'
    places = [at for at in range(len(body)) if not 0 <= at - body.index(name) < len(name)]
    for _ in range(TIMES):
        at = chance.choice(places)
        changed = body[:at] + bytes([body[at] ^ chance.randrange(1, 256)]) + body[at + 1 :]
        try:
            (run,) = read_runs(changed, Media.ONE)
        except SignalboxError:
            refused += 1
        else:
            # The changed byte is outside the event's content, such as `z` for `Z` in the time.
            assert encode_event(run.entries[0].event) == body
    assert refused > TIMES * 0.9


def test_of_a_thousand_messages_with_one_changed_byte_none_reaches_a_subscriber() -> None:
    message, chance = to_message(EVENT), random.Random(8)
    for _ in range(TIMES):
        data, at = bytearray(message.data), chance.randrange(len(message.data))
        data[at] ^= chance.randrange(1, 256)
        with pytest.raises(InvalidInput):
            from_message(bytes(data), message.attributes)
    with pytest.raises(InvalidInput) as refusal:
        from_message(message.data, {**message.attributes, "ce-tenantid": "other"})
    assert refusal.value.stable_code == EFFECT_DIGEST_MISMATCHED
    assert encode_event(from_message(message.data, message.attributes)) == encode_event(EVENT)
