"""The worker's emitter against an HTTP receiver."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import msgspec
import pytest
from starlette.responses import JSONResponse, Response

from signalbox_core.errors import RateLimited, Unavailable
from signalbox_core.events import CloudEvent, catalogue, full_type
from signalbox_worker.emitter import HttpEmitter
from signalbox_worker.forward_queue import MAX_TENANT_BATCHES
from signalbox_worker.metrics import WorkerMetrics
from signalbox_worker.post_client import open_post_client
from signalbox_worker.receiver_client import ReceiverClient
from support.assertions.eventually import eventually
from support.drivers.signed_requests import signer_and_key
from support.fakes.stub_receiver import StubReceiver, stub_receiver


def milestone(sequence: int, name: str = "run.paused") -> CloudEvent:
    return event_of(name, catalogue.RunPaused(), f"e{sequence}", sequence=sequence)


def said(percent: float | None, *, text: str | None = None, message: str | None = None) -> CloudEvent:
    data = catalogue.StepProgress(
        step="work", percent=percent, text=text, message=message, offset=0 if text else None
    )
    return event_of("step.progress", data, f"p{percent}{text}{message}", step="work")


def event_of(
    name: str, data: msgspec.Struct, identity: str, *, sequence: int | None = None, step: str | None = None
) -> CloudEvent:
    return CloudEvent(
        id=identity,
        source="/signalbox/worker",
        type=full_type(name),
        time=datetime(2026, 1, 1, tzinfo=UTC),
        subject="run-1",
        tenantid="acme",
        runid="run-1",
        sequence=sequence,
        stepid=step,
        data=msgspec.Raw(msgspec.json.encode(data)),
    )


@contextlib.asynccontextmanager
async def emitter_to(receiver: StubReceiver) -> AsyncIterator[tuple[HttpEmitter, WorkerMetrics]]:
    signer, _ = signer_and_key()
    counters = WorkerMetrics()
    async with open_post_client(receiver.url) as client:
        yield HttpEmitter(ReceiverClient(client, receiver.url, signer, counters), counters), counters


async def test_a_batch_arrives_in_one_signed_request_in_order() -> None:
    async with stub_receiver() as receiver, emitter_to(receiver) as (emitter, _):
        await emitter.deliver([milestone(1), milestone(2), milestone(3)])

        assert [event.sequence for event in receiver.accepted] == [1, 2, 3]
        assert receiver.sizes == [3]
        assert receiver.requests[0]["content-type"] == "application/cloudevents-batch+json"
        assert {"signature", "signature-input", "content-digest"} <= set(receiver.requests[0])


async def test_every_try_is_signed_anew() -> None:
    async with stub_receiver() as receiver, emitter_to(receiver) as (emitter, _):
        receiver.answers = [Response(status_code=503)]

        await emitter.deliver([milestone(1)])

        first, second = (request["signature-input"] for request in receiver.requests)
        assert first != second
        assert len(receiver.accepted) == 1


async def test_a_receiver_that_says_how_long_to_wait_is_obeyed_by_the_caller() -> None:
    async with stub_receiver() as receiver, emitter_to(receiver) as (emitter, _):
        receiver.answers = [Response(status_code=429, headers={"retry-after": "30"})]

        with pytest.raises(RateLimited) as busy:
            await emitter.deliver([milestone(1)])

        assert busy.value.retry_after_s == 30
        assert len(receiver.requests) == 1


async def test_a_refused_event_is_logged_and_its_place_is_kept_while_the_others_pass(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with stub_receiver() as receiver, emitter_to(receiver) as (emitter, counters):
        receiver.refuse = {"sample.bad"}

        await emitter.deliver([milestone(1), milestone(2, "sample.bad"), milestone(3)])

        assert [(event.sequence, event.name) for event in receiver.accepted] == [
            (1, "run.paused"),
            (2, "event.refused"),
            (3, "run.paused"),
        ]
        errors = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert [(record.getMessage(), vars(record)["sequence"]) for record in errors] == [
            ("receiver refused an event permanently; it remains only in the run's Temporal history", 2)
        ]
        assert counters["events_refused"] == 1


@pytest.mark.parametrize("code", ["event_id_conflict", "foreign_run"])
async def test_a_conflict_that_will_not_pass_is_dead_lettered_at_once(code: str) -> None:
    async with stub_receiver() as receiver, emitter_to(receiver) as (emitter, counters):
        receiver.answers = [JSONResponse({"code": code}, 409)]

        await emitter.deliver([milestone(1)])

        assert [(event.sequence, event.name) for event in receiver.accepted] == [(1, "event.refused")]
        assert counters["events_refused"] == 1


@pytest.mark.parametrize(
    "answer",
    [
        JSONResponse({"code": "in_flight"}, 409),
        JSONResponse({"code": "nonce_replayed"}, 409),
        Response("", 409),
    ],
)
async def test_a_conflict_that_passes_is_tried_again(answer: Response) -> None:
    async with stub_receiver() as receiver, emitter_to(receiver) as (emitter, counters):
        receiver.answers = [answer]

        await emitter.deliver([milestone(1)])

        assert [event.name for event in receiver.accepted] == ["run.paused"]
        assert (len(receiver.requests), counters["events_refused"]) == (2, 0)


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_wrong_key_or_address_costs_no_event(status: int, caplog: pytest.LogCaptureFixture) -> None:
    async with stub_receiver() as receiver, emitter_to(receiver) as (emitter, counters):
        receiver.answers = [Response(status_code=status)] * 3

        with pytest.raises(Unavailable, match="check its key file"):
            await emitter.deliver([milestone(1)])
        await emitter.deliver([milestone(1)])

        assert [event.sequence for event in receiver.accepted] == [1]
        assert counters["events_refused"] == 0
        assert "ERROR" in [record.levelname for record in caplog.records]


async def test_a_domain_event_that_is_refused_fails_its_activity() -> None:
    async with stub_receiver() as receiver, emitter_to(receiver) as (emitter, _):
        receiver.refuse = {"sample.made"}

        with pytest.raises(Unavailable, match=r"sample\.made is not accepted"):
            await emitter.announce(event_of("sample.made", catalogue.RunPaused(), "d1"))


async def test_nobody_at_the_address_is_unavailable_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with stub_receiver() as receiver, emitter_to(receiver) as (emitter, _):
        await receiver.down()
        for _ in range(3):
            with pytest.raises(Unavailable):
                await emitter.deliver([milestone(1)])
        await receiver.up()
        await emitter.deliver([milestone(1)])

        told = [
            record.getMessage()
            for record in caplog.records
            if record.name == "signalbox_worker.receiver_client"
        ]
        assert told == ["receiver is unavailable", "receiver is available again"]


async def test_what_came_along_with_an_activity_is_not_sent_again() -> None:
    async with (
        stub_receiver() as receiver,
        emitter_to(receiver) as (emitter, _),
        asyncio.TaskGroup() as group,
    ):
        running = group.create_task(emitter.run())
        emitter.forward([milestone(1), milestone(2)])
        await emitter.flush()

        await emitter.deliver([milestone(1), milestone(2), milestone(3)])

        assert [event.sequence for event in receiver.accepted] == [1, 2, 3]
        assert receiver.sizes == [2, 1]
        running.cancel()


async def test_what_came_along_with_an_activity_waits_for_the_receiver() -> None:
    async with (
        stub_receiver() as receiver,
        emitter_to(receiver) as (emitter, counters),
        asyncio.TaskGroup() as group,
    ):
        running = group.create_task(emitter.run())
        await receiver.down()
        emitter.forward([milestone(1)])
        await eventually(lambda: counters["delivery_failures"] > 0)

        await receiver.up()

        await eventually(lambda: [event.sequence for event in receiver.accepted] == [1])
        running.cancel()


def first_of(run_id: str, tenant: str = "acme") -> list[CloudEvent]:
    """The first milestone of a run."""
    return [msgspec.structs.replace(milestone(1), id=f"{tenant}-{run_id}", runid=run_id, tenantid=tenant)]


async def test_a_tenant_that_the_receiver_forbids_delays_no_other() -> None:
    async with (
        stub_receiver() as receiver,
        emitter_to(receiver) as (emitter, counters),
        asyncio.TaskGroup() as group,
    ):
        running = group.create_task(emitter.run())
        receiver.forbid = {"misconfigured"}
        for number in range(300):
            emitter.forward(first_of(f"run-{number}", "misconfigured"))
        await eventually(lambda: counters["delivery_failures"] > 0, within_s=30)
        emitter.forward(first_of("run-1"))
        await eventually(lambda: [event.tenantid for event in receiver.accepted] == ["acme"], within_s=30)

        receiver.forbid = set()
        await eventually(lambda: len(receiver.milestones()) == 301, within_s=60)
        running.cancel()


async def test_the_events_of_one_tenant_do_not_fill_the_queue_for_others() -> None:
    async with stub_receiver() as receiver, emitter_to(receiver) as (emitter, _):
        taken = [emitter.try_forward(first_of(f"run-{number}")) for number in range(MAX_TENANT_BATCHES + 1)]

        assert taken == [True] * MAX_TENANT_BATCHES + [False]
        assert emitter.try_forward(first_of("run-1", "other"))


async def test_progress_comes_as_the_latest_and_text_comes_whole() -> None:
    async with (
        stub_receiver() as receiver,
        emitter_to(receiver) as (emitter, _),
        asyncio.TaskGroup() as group,
    ):
        running = group.create_task(emitter.run())
        letters = "Xin chào, đây là quảng cáo"
        for number in range(len(letters)):
            await asyncio.to_thread(
                emitter.offer, said(100.0 * number / len(letters), text=letters[: number + 1])
            )
        await eventually(lambda: bool(receiver.accepted) and text_of(receiver.accepted[-1]) == letters)
        running.cancel()

        assert len(receiver.accepted) < len(letters)


async def test_an_unavailable_receiver_costs_progress_only(caplog: pytest.LogCaptureFixture) -> None:
    async with (
        stub_receiver() as receiver,
        emitter_to(receiver) as (emitter, counters),
        asyncio.TaskGroup() as group,
    ):
        running = group.create_task(emitter.run())
        receiver.answers = [Response(status_code=503)]
        emitter.offer(said(10.0))
        await eventually(lambda: counters["progress_dropped"] == 1)
        emitter.offer(said(20.0))
        await eventually(lambda: len(receiver.accepted) == 1)
        running.cancel()


def text_of(event: CloudEvent) -> str:
    return msgspec.json.decode(event.data, type=catalogue.StepProgress).text or ""
