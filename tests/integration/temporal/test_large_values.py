"""Inputs, arguments and results of 10 MB pass through Temporal; sealed or not, and while the store fails."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowFailureError, WorkflowHistory
from temporalio.converter import PayloadCodec, WorkflowSerializationContext

from signalbox_core.crypto.sealing import KeyRing
from signalbox_core.errors import Unavailable
from signalbox_core.pipeline.contract.messages import Control
from signalbox_core.temporal import connect
from signalbox_core.temporal.claim_check import ClaimCheckCodec, is_claim_check, read_claim_check
from signalbox_core.temporal.codec import Payload, bind_payloads_to, is_encrypted
from signalbox_core.testing.objects import FakeObjectStore
from signalbox_core.testing.pipeline import PipelineUnderTest, RunUnderTest, pipeline_under_test
from signalbox_core.testing.pipeline import replay as replay_history
from support.assertions.eventually import eventually
from support.fakes.payload_keys import payload_keys_file
from support.limits.activities import fetch
from support.limits.contract import SPEC, LimitsInput, LimitsResult
from support.sample.activities import make, prepare, undo
from support.sample.contract import PICK, Pick, SampleInput
from support.sample.contract import SPEC as SAMPLE

TEN_MB = 10_000_000
PLANTED = "planted-51b2"


class FlakyStore(FakeObjectStore):
    """Fails while `is_down`."""

    is_down = False

    async def replace(self, key: str, body: bytes, media_type: str) -> None:
        self._check()
        await super().replace(key, body, media_type)

    async def get(self, key: str) -> bytes:
        self._check()
        return await super().get(key)

    def _check(self) -> None:
        if self.is_down:
            raise Unavailable("the object store failed")


@pytest.fixture(params=["plain", "sealed"])
def keys(request: pytest.FixtureRequest, tmp_path: Path) -> KeyRing | None:
    return KeyRing(payload_keys_file(tmp_path)) if request.param == "sealed" else None


@pytest.fixture
def objects() -> FlakyStore:
    return FlakyStore()


@pytest.fixture
async def client(temporal_address: str, objects: FlakyStore, keys: KeyRing | None) -> Client:
    return await connect(temporal_address, "default", keys=keys, objects=objects)


@pytest.fixture
async def pipeline(client: Client) -> AsyncIterator[PipelineUnderTest]:
    async with pipeline_under_test(
        SPEC, activities=[fetch], client=client, max_cached_workflows=1
    ) as pipeline:
        yield pipeline


def large_input() -> LimitsInput:
    return LimitsInput(text=PLANTED + "y" * TEN_MB, size_bytes=2, returns_text=True)


async def stored_payloads(run: RunUnderTest, temporal_address: str) -> list[Payload]:
    """The input, the result of the activity and the run's result, as Temporal keeps them."""
    plain = await connect(temporal_address, "default")
    found: list[Payload] = []
    async for event in plain.get_workflow_handle(run.handle.id).fetch_history_events():
        found += event.workflow_execution_started_event_attributes.input.payloads
        found += event.activity_task_scheduled_event_attributes.input.payloads
        found += event.activity_task_completed_event_attributes.result.payloads
        found += event.workflow_execution_completed_event_attributes.result.payloads
    return found


async def test_ten_megabytes_pass_from_the_input_to_the_result(
    pipeline: PipelineUnderTest, objects: FlakyStore, keys: KeyRing | None, temporal_address: str
) -> None:
    run = await pipeline.start(large_input())
    result = await run.result()
    payloads = await stored_payloads(run, temporal_address)
    large = [item for item in payloads if is_claim_check(item)]

    assert result == LimitsResult(chars=TEN_MB + len(PLANTED) + 2, text=large_input().text + "xx")
    assert len(large) == 4
    assert all(item.ByteSize() < 1_000 for item in payloads)
    # A workflow task that is repeated seals its value again.
    assert {read_claim_check(item).key for item in large} <= set(objects.bodies)
    assert all(key.startswith(f"payloads/acme/{run.run_id}/") for key in objects.bodies)
    if keys is not None:
        assert all(is_encrypted(Payload.FromString(body)) for body in objects.bodies.values())
        assert not any(PLANTED.encode() in body for body in objects.bodies.values())


async def test_the_recorded_history_of_a_large_run_replays(pipeline: PipelineUnderTest) -> None:
    run = await pipeline.start(LimitsInput(text="y" * 300_000, returns_text=True))
    await run.result()

    await replay_history(SPEC, WorkflowHistory.from_json(run.handle.id, await run.history()))


@pytest.mark.timeout(300)
async def test_a_run_outlasts_an_outage_of_the_object_store(
    pipeline: PipelineUnderTest, objects: FlakyStore
) -> None:
    objects.is_down = True
    with pytest.raises(Unavailable, match="object store"):
        await pipeline.start(large_input(), run_id="outage")
    objects.is_down = False
    async with pipeline.without_worker():
        run = await pipeline.start(large_input())
        objects.is_down = True

    async def has_failed_task() -> bool:
        events = (await run.handle.fetch_history()).events
        return any(event.HasField("workflow_task_failed_event_attributes") for event in events)

    await eventually(has_failed_task, within_s=60)
    objects.is_down = False

    assert (await run.result()).chars == TEN_MB + len(PLANTED) + 2


async def test_a_result_that_cannot_be_stored_is_made_again(client: Client, objects: FlakyStore) -> None:
    attempts: list[int] = []

    @activity.defn(name="limits.fetch")
    async def fetch_while_down(request: LimitsInput) -> str:
        attempts.append(activity.info().attempt)
        objects.is_down = len(attempts) == 1
        return await fetch(request)

    async with pipeline_under_test(SPEC, activities=[fetch_while_down], client=client) as pipeline:
        run = await pipeline.start(LimitsInput(size_bytes=300_000))

        assert (await run.result()).chars == 300_000

    assert attempts == [1, 2]


async def test_a_result_beyond_the_limit_is_refused_at_once_with_the_remedy(client: Client) -> None:
    async with pipeline_under_test(SPEC, activities=[fetch], client=client) as pipeline:
        run = await pipeline.start(LimitsInput(size_bytes=20_100_000))
        with pytest.raises(WorkflowFailureError):
            await run.result()
        error = (await run.snapshot()).error

    assert error is not None
    assert (error.code, "return its ObjectRef" in error.message) == ("result_too_large", True)


async def test_values_of_a_release_without_the_object_store_remain_readable(
    client: Client, keys: KeyRing | None, temporal_address: str
) -> None:
    older = await connect(temporal_address, "default", keys=keys)
    queue = "older-release-sealed" if keys else "older-release-plain"
    async with pipeline_under_test(
        SAMPLE, activities=[prepare, make, undo], client=older, task_queue=queue
    ) as pipeline:
        run = await pipeline.start(SampleInput(items=2, ask=True))
        await run.approval(PICK.name)
    async with pipeline_under_test(
        SAMPLE, activities=[prepare, make, undo], client=client, task_queue=queue
    ) as pipeline:
        handle = client.get_workflow_handle(run.handle.id, result_type=SAMPLE.result)
        continued = RunUnderTest(handle, pipeline.emitter)
        await continued.decide(PICK.name, Pick(number=1))

        assert (await continued.result()).picked == 1


class SendsForged(PayloadCodec):
    """Sends one payload in the place of every other."""

    def __init__(self, forged: Payload) -> None:
        self._forged = forged

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._forged for _ in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)


async def test_a_signal_with_the_value_of_another_tenant_is_dropped(client: Client) -> None:
    codec = client.data_converter.payload_codec
    assert isinstance(codec, ClaimCheckCodec)
    of_other = codec.with_context(WorkflowSerializationContext("default", "other:run-1"))
    value = client.data_converter.payload_converter.to_payload(Control(by="y" * 300_000))
    with bind_payloads_to("other"):
        (forged,) = await of_other.encode([value])
    converter = replace(client.data_converter, payload_codec=SendsForged(forged))
    forger = await Client.connect(client.service_client.config.target_host, data_converter=converter)
    async with pipeline_under_test(SAMPLE, activities=[prepare, make, undo], client=client) as pipeline:
        run = await pipeline.start(SampleInput(items=2, ask=True))
        await run.approval(PICK.name)
        await forger.get_workflow_handle(run.handle.id).signal("pause", Control(by="mallory"))
        await run.decide(PICK.name, Pick(number=1))
        await run.result()

    assert "run.paused" not in run.event_names()
