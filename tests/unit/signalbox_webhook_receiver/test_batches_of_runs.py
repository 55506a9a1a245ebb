"""One delivery with events of several runs: each run is accepted or refused by itself."""

import json

import httpx2
import msgspec
import pytest
from msgspec.structs import replace

from signalbox_core.errors import Unavailable
from signalbox_core.events import CloudEvent
from support.drivers.signed_requests import BATCH, URL
from support.fakes.events import story
from support.fakes.receiver import Bench, SwitchedPublisher, batch_of, new_bench

FIRST, SECOND, THIRD = (
    [event for event in story(f"run-{number}") if event.sequence is not None] for number in (1, 2, 3)
)
PROGRESS = next(event for event in story("run-2") if event.sequence is None)


@pytest.fixture
def bench() -> Bench:
    return new_bench()


def results(answer: httpx2.Response) -> list[tuple[int, str | None]]:
    return [(result["status"], result.get("code")) for result in answer.json()["results"]]


async def sequences(bench: Bench, run_id: str) -> list[int | None]:
    return [frame.sequence for frame in (await bench.stream.read(f"acme:{run_id}", None)).frames]


class RefusingPublisher(SwitchedPublisher):
    """A publisher that does not accept the events of some runs."""

    refused: frozenset[str] = frozenset()

    async def publish(self, topic: str, event: CloudEvent, *, ordering_key: str) -> str:
        if event.runid in self.refused:
            raise Unavailable("no Pub/Sub")
        return await super().publish(topic, event, ordering_key=ordering_key)


async def test_events_of_several_runs_are_accepted_in_one_delivery_in_the_order_of_each_run(
    bench: Bench,
) -> None:
    mixed = [FIRST[0], SECOND[0], THIRD[0], SECOND[1], PROGRESS, FIRST[1], FIRST[2]]
    answer = await bench.send(*mixed)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 7})
    assert [key for _, _, key in bench.published if key == "run-1"] == ["run-1"] * 3
    assert await sequences(bench, "run-1") == [1, 2, 3]
    assert await sequences(bench, "run-2") == [1, 2]
    projected = await bench.stream.snapshot("acme:run-2")
    assert projected is not None
    assert projected.snapshot.steps[0].percent == 50.0
    assert (await bench.send(*[event for event in mixed if event.sequence])).json() == {"duplicate": True}
    assert len(bench.published) == 6


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"id": ""}, id="empty-id"),
        pytest.param({"time": 7}, id="not-decodable"),
        pytest.param({"data": {"pipeline": 1}}, id="data-of-another-type"),
        pytest.param({"runid": 7}, id="no-run-id"),
    ],
)
async def test_a_bad_event_refuses_its_run_and_no_other(bench: Bench, change: dict[str, object]) -> None:
    events = [json.loads(msgspec.json.encode(event)) for event in (FIRST[0], SECOND[0], FIRST[1], THIRD[0])]
    events[1] |= change
    answer = await bench.post(json.dumps(events).encode(), BATCH)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert results(answer) == [(202, None), (422, "invalid_input"), (202, None), (202, None)]
    assert sorted(key for _, _, key in bench.published) == ["run-1", "run-1", "run-3"]
    assert bench.count("events_total", kind="milestone") == 3
    assert bench.count("deliveries_total", code="invalid_input") == 1


async def test_all_events_of_a_refused_run_have_its_result(bench: Bench) -> None:
    answer = await bench.send(FIRST[0], SECOND[0], replace(FIRST[1], id=""), SECOND[1])
    assert results(answer) == [
        (422, "invalid_input"),
        (202, None),
        (422, "invalid_input"),
        (202, None),
    ]
    assert await sequences(bench, "run-1") == []


async def test_a_delivery_of_bad_runs_only_leaves_its_nonce_unused(bench: Bench) -> None:
    answer = await bench.send(replace(FIRST[0], id=""), replace(SECOND[0], id=""))
    assert results(answer) == [(422, "invalid_input")] * 2
    assert not bench.claims.held
    assert not bench.published


async def test_conflicts_and_duplicates_are_answered_per_run(bench: Bench) -> None:
    await bench.send(FIRST[0])
    await bench.send(SECOND[0])
    answer = await bench.send(FIRST[0], replace(SECOND[0], dataschema="x"), THIRD[0], FIRST[1])
    assert (answer.status_code, answer.json()["code"]) == (409, "event_id_conflict")
    assert results(answer) == [
        (200, None),
        (409, "event_id_conflict"),
        (202, None),
        (202, None),
    ]
    assert await sequences(bench, "run-1") == [1, 2]


async def test_a_key_without_the_permission_for_one_run_delivers_the_others() -> None:
    bench = new_bench(record={"events": ("run.*",)})
    answer = await bench.send(FIRST[0], SECOND[1], THIRD[0])
    assert answer.status_code == 403
    assert results(answer) == [(202, None), (403, "event_type_forbidden"), (202, None)]


async def test_a_run_that_is_not_published_is_released_and_the_others_stay_accepted() -> None:
    refusing = RefusingPublisher()
    refusing.refused = frozenset({"run-2"})
    bench = new_bench(publisher=refusing)
    body = batch_of([FIRST[0], SECOND[0], SECOND[1], THIRD[0]])
    headers = bench.signer.sign("POST", URL, body, BATCH)
    answer = await bench.client.post("/v1/events", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (503, "publish_unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    unavailable = (503, "publish_unavailable")
    assert results(answer) == [(202, None), unavailable, unavailable, (202, None)]
    assert await sequences(bench, "run-2") == []
    assert await sequences(bench, "run-3") == [1]

    refusing.refused = frozenset()
    replay = await bench.client.post("/v1/events", content=body, headers=headers)
    assert (replay.status_code, replay.json()["code"]) == (409, "nonce_replayed")
    assert (await bench.post(body, BATCH)).json() == {"accepted": 2}
    assert sorted(key for _, _, key in bench.published) == ["run-1", "run-2", "run-2", "run-3"]


async def test_a_delivery_of_which_no_run_is_published_may_come_again_unchanged() -> None:
    refusing = RefusingPublisher()
    refusing.refused = frozenset({"run-1", "run-2"})
    bench = new_bench(publisher=refusing)
    body = batch_of([FIRST[0], SECOND[0]])
    headers = bench.signer.sign("POST", URL, body, BATCH)
    assert (await bench.client.post("/v1/events", content=body, headers=headers)).status_code == 503
    assert not bench.claims.held
    refusing.refused = frozenset()
    assert (await bench.client.post("/v1/events", content=body, headers=headers)).status_code == 202


async def test_without_the_claims_store_no_run_is_published(bench: Bench) -> None:
    bench.claims.away.add("claim")
    answer = await bench.send(FIRST[0], SECOND[0])
    assert (answer.status_code, answer.json()["code"]) == (503, "claims_unavailable")
    assert "results" not in answer.json()
    assert not bench.published
