"""With payload keys, runs accept only encrypted signals and updates; older histories replay."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.converter import PayloadCodec
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.worker import Replayer, Worker

from signalbox_core.crypto.sealing import KeyRing
from signalbox_core.pipeline.activity.loader import load_workflows, sandbox
from signalbox_core.pipeline.contract.external_event import DELIVER_TO_MAILBOX, MailboxAddress
from signalbox_core.pipeline.contract.messages import CancelReason, Control, Decision
from signalbox_core.pipeline.workflow.interceptor import RunInterceptor
from signalbox_core.subjects import Subject
from signalbox_core.temporal import connect
from signalbox_core.temporal.codec import Payload, SealedPayloads, bind_payloads_to, is_encrypted
from signalbox_core.temporal.sealed_messages import mark_unsealed_messages
from signalbox_core.testing.external_events import inbound_event
from signalbox_core.testing.pipeline import FakeEmitter, RunUnderTest, pipeline_under_test
from support.assertions.eventually import eventually
from support.fakes.payload_keys import payload_keys_file
from support.sample.activities import make, prepare, undo
from support.sample.contract import PICK, SPEC, Pick, SampleInput
from support.shipping.activities import file_parcel
from support.shipping.contract import (
    DISPATCHED,
    PAYMENT,
    Dispatched,
    PaymentSettled,
    ShippingInput,
    ShippingResult,
)
from support.shipping.contract import SPEC as SHIPPING

ACTIVITIES = [prepare, make, undo]
ASK = SampleInput(items=2, ask=True)


@pytest.fixture
async def sealing_client(temporal_address: str, tmp_path: Path) -> Client:
    return await connect(temporal_address, "default", keys=KeyRing(payload_keys_file(tmp_path)))


@pytest.fixture
async def plain_client(temporal_address: str) -> Client:
    return await connect(temporal_address, "default")


def decision(number: int, decision_id: str = "forged") -> Decision:
    answer = msgspec.Raw(msgspec.json.encode(Pick(number=number)))
    service = Subject(subject="key:mallory", kind="service")
    return Decision(
        approval_id=PICK.name, decision_id=decision_id, answer=answer, decided_by="mallory", decider=service
    )


def seen_by(client: Client, run: RunUnderTest) -> RunUnderTest:
    return RunUnderTest(client.get_workflow_handle(run.handle.id, result_type=SPEC.result), run.emitter)


async def replay(client: Client, run: RunUnderTest) -> None:
    """Replay as a worker with the client's keys."""
    converter = client.data_converter
    replayer = Replayer(
        workflows=load_workflows(SPEC),
        data_converter=converter,
        header_codec_behavior=client.config()["header_codec_behavior"],
        workflow_runner=mark_unsealed_messages(sandbox([SPEC]), converter),
        interceptors=[RunInterceptor(FakeEmitter().offer)],
    )
    await replayer.replay_workflow(await client.get_workflow_handle(run.handle.id).fetch_history())


def payloads_in(message: Any) -> Iterator[Payload]:
    """Every payload within a protobuf message."""
    if isinstance(message, Payload):
        yield message
    elif hasattr(message, "ListFields"):
        for _, value in message.ListFields():
            parts = value.values() if isinstance(value, Mapping) else value
            for part in (
                parts if hasattr(parts, "__iter__") and not isinstance(parts, str | bytes) else [parts]
            ):
                yield from payloads_in(part)


async def test_unencrypted_signals_do_nothing(sealing_client: Client, plain_client: Client) -> None:
    async with pipeline_under_test(SPEC, activities=ACTIVITIES, client=sealing_client) as pipeline:
        run = await pipeline.start(ASK)
        await run.approval(PICK.name)
        forged = plain_client.get_workflow_handle(run.handle.id)
        await forged.signal("decide", decision(0))
        await forged.signal("pause", Control(by="mallory"))
        await forged.signal("cancel_reason", CancelReason(by="mallory"))
        await forged.signal("go_on")
        record = await run.decide(PICK.name, Pick(number=1), by="lan")
        result = await run.result()
        names = run.event_names()
        await replay(sealing_client, run)

    assert (record.decided_by, result.picked) == ("lan", 1)
    assert names.count("approval.decided") == 1
    assert "run.paused" not in names


class SendsPlain(PayloadCodec):
    """Reads what is encrypted, and encrypts nothing."""

    def __init__(self, ring: KeyRing) -> None:
        self._codec = SealedPayloads(ring)

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return await self._codec.decode(payloads)


async def test_an_unencrypted_update_is_refused(
    sealing_client: Client, temporal_address: str, tmp_path: Path
) -> None:
    converter = replace(
        sealing_client.data_converter, payload_codec=SendsPlain(KeyRing(tmp_path / "payload_keys.json"))
    )
    forger = await Client.connect(temporal_address, data_converter=converter)
    async with pipeline_under_test(SPEC, activities=ACTIVITIES, client=sealing_client) as pipeline:
        run = await pipeline.start(ASK)
        await run.approval(PICK.name)
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await forger.get_workflow_handle(run.handle.id).execute_update("decide", decision(0))
        record = await run.decide(PICK.name, Pick(number=1), by="lan")
        await run.result()

    assert isinstance(refused.value.cause, ApplicationError)
    assert (refused.value.cause.type, record.decided_by) == ("unencrypted_message", "lan")


async def test_encrypted_signals_are_accepted(sealing_client: Client) -> None:
    async with pipeline_under_test(SPEC, activities=ACTIVITIES, client=sealing_client) as pipeline:
        run = await pipeline.start(ASK)
        await run.approval(PICK.name)
        await run.pause()
        await eventually(lambda: "run.paused" in run.event_names())
        await run.resume()
        await run.handle.signal("decide", decision(1, "by-signal"))
        assert (await run.result()).picked == 1
        await replay(sealing_client, run)


async def test_a_history_with_unencrypted_messages_replays_under_keys(
    sealing_client: Client, plain_client: Client
) -> None:
    async with pipeline_under_test(SPEC, activities=ACTIVITIES, client=plain_client) as pipeline:
        run = await pipeline.start(ASK)
        await run.approval(PICK.name)
        await run.pause()
        await run.resume()
        await run.handle.signal("decide", decision(1, "by-signal"))
        await run.result()

    await replay(sealing_client, run)


async def test_a_run_from_before_the_keys_keeps_its_messages_and_accepts_no_new_plain_ones(
    sealing_client: Client, plain_client: Client
) -> None:
    async with pipeline_under_test(SPEC, activities=ACTIVITIES, client=plain_client) as pipeline:
        run = await pipeline.start(ASK)
        await run.approval(PICK.name)
        await run.pause()
        await eventually(lambda: "run.paused" in run.event_names())
        async with pipeline.without_worker():
            keyed = Worker(
                sealing_client,
                task_queue=pipeline.task_queue,
                workflows=load_workflows(SPEC),
                workflow_runner=mark_unsealed_messages(sandbox([SPEC]), sealing_client.data_converter),
                interceptors=[RunInterceptor(pipeline.emitter.offer)],
            )
            async with keyed:
                await plain_client.get_workflow_handle(run.handle.id).signal("resume", Control(by="mallory"))
                await plain_client.get_workflow_handle(run.handle.id).signal("decide", decision(0))
                later = seen_by(sealing_client, run)
                assert (await later.snapshot()).status == "paused"


async def test_what_a_run_records_is_bound_to_its_tenant(
    sealing_client: Client, plain_client: Client
) -> None:
    async with pipeline_under_test(SPEC, activities=ACTIVITIES, client=sealing_client) as pipeline:
        with bind_payloads_to("acme"):
            run = await pipeline.start(SampleInput(items=2))
        await run.result()
        history = await plain_client.get_workflow_handle(run.handle.id).fetch_history()

    codec = sealing_client.data_converter.payload_codec
    assert isinstance(codec, SealedPayloads)
    sealed = [payload for event in history.events for payload in payloads_in(event) if is_encrypted(payload)]
    assert len(sealed) > 5
    assert {codec.tenant_of(payload) for payload in sealed} == {"acme"}


async def test_messages_that_are_encrypted_for_another_tenant_are_refused(sealing_client: Client) -> None:
    async with pipeline_under_test(SPEC, activities=ACTIVITIES, client=sealing_client) as pipeline:
        run = await pipeline.start(ASK)
        await run.approval(PICK.name)
        with bind_payloads_to("other"):
            await run.handle.signal("decide", decision(0))
            with pytest.raises(WorkflowUpdateFailedError) as refused:
                await run.handle.execute_update("decide", decision(0, "forged-2"))
        record = await run.decide(PICK.name, Pick(number=1), by="lan")
        result = await run.result()
        await replay(sealing_client, run)

    assert isinstance(refused.value.cause, ApplicationError)
    assert refused.value.cause.type == "tenant_mismatch"
    assert (record.decided_by, result.picked) == ("lan", 1)


async def test_an_input_that_is_encrypted_for_another_tenant_is_refused(sealing_client: Client) -> None:
    async with pipeline_under_test(SPEC, activities=ACTIVITIES, client=sealing_client) as pipeline:
        with bind_payloads_to("other"):
            run = await pipeline.start(ASK)
        with pytest.raises(WorkflowFailureError) as refused:
            await run.result()
        await replay(sealing_client, run)

    assert isinstance(refused.value.cause, ApplicationError)
    assert refused.value.cause.type == "tenant_mismatch"
    assert run.events() == []


async def test_a_mailbox_drops_an_unencrypted_event_and_forwards_an_encrypted_one(
    sealing_client: Client, plain_client: Client
) -> None:
    async with pipeline_under_test(SHIPPING, activities=[file_parcel], client=sealing_client) as pipeline:
        run = await pipeline.start(ShippingInput(order="sealed-1"))
        await run.wait(PAYMENT.name)
        address = MailboxAddress(
            tenant="acme", pipeline=SHIPPING.name, name=PAYMENT.name, key="sealed-1", keep_s=60
        )
        forged = inbound_event(PAYMENT, PaymentSettled(amount=1), key="sealed-1")
        mailbox = plain_client.get_workflow_handle(address.workflow_id)
        await eventually(lambda: exists(mailbox), within_s=30)
        await mailbox.signal(DELIVER_TO_MAILBOX, forged)

        await pipeline.send_event(PAYMENT, PaymentSettled(amount=2), key="sealed-1")
        await run.send_event(DISPATCHED, Dispatched(parcel="P1"))

        assert await run.result() == ShippingResult(amount=2, parcel="P1")
        history = (await mailbox.fetch_history()).to_json()
        assert '"amount"' not in history


async def exists(workflow: WorkflowHandle[Any, Any]) -> bool:
    try:
        await workflow.describe()
    except RPCError:
        return False
    return True
