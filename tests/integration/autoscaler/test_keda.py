"""KEDA's external scaler over a socket: its messages byte by byte, and what it answers for a queue."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import grpc.aio
import pytest
from msgspec.structs import replace

from signalbox_autoscaler.audit.decision_log import DecisionLog
from signalbox_autoscaler.audit.records import Evaluation, build_record
from signalbox_autoscaler.keda import messages
from signalbox_autoscaler.keda.external_scaler import ExternalScaler, serve_external_scaler
from signalbox_autoscaler.sizing import decide
from signalbox_core.errors import InvalidInput
from signalbox_core.redis.client import open_redis
from support.fakes.snapshots import Ticks

TIMEOUT_S = 30
BASE_SLOTS = 200


class KedaClient:
    """Calls the scaler as KEDA does."""

    def __init__(self, channel: grpc.aio.Channel, log: DecisionLog) -> None:
        self._channel = channel
        self._log = log
        self.queue = f"queue-{uuid.uuid4().hex[:8]}"

    async def decided(self, *, age: timedelta = timedelta(0), used: int = 0, **observed: Any) -> Ticks:
        """Record one decision, after a light load from which the service time of a second was learned."""
        ticks = Ticks(queue=self.queue)
        ticks.learn()
        snapshot = ticks.snapshot(workers=(ticks.base(used=used),), **observed)
        decision = decide(ticks.policy, ticks.state, snapshot, ticks.now)
        evaluation = Evaluation(
            policy=ticks.policy, state=ticks.state, snapshot=snapshot, decision=decision, epoch=1
        )
        record = build_record(evaluation, with_state=True)
        # The simulated clock of the decision is moved to now.
        await self._log.append([replace(record, at=datetime.now(UTC) - age)])
        return ticks

    async def is_active(self) -> bool:
        return bool((await self._call("IsActive", self._ref(), messages.IsActiveResponse)).result)

    async def slots_per_replica(self) -> int:
        (spec,) = (await self._call("GetMetricSpec", self._ref(), messages.GetMetricSpecResponse)).metricSpecs
        return int(spec.targetSize)

    async def slots(self) -> int:
        request = messages.GetMetricsRequest(scaledObjectRef=self._ref(), metricName="signalbox_slots")
        (value,) = (await self._call("GetMetrics", request, messages.GetMetricsResponse)).metricValues
        assert value.metricName == "signalbox_slots"
        return int(value.metricValue)

    def _ref(self) -> Any:
        metadata = {"taskQueue": self.queue, "scalerAddress": "autoscaler:6000"}
        return messages.ScaledObjectRef(name="worker", namespace="signalbox", scalerMetadata=metadata)

    async def _call(self, name: str, request: Any, response: Any) -> Any:
        call: Any = self._channel.unary_unary(
            f"/externalscaler.ExternalScaler/{name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=response.FromString,
        )
        return await call(request, timeout=TIMEOUT_S)


@pytest.fixture
async def keda(redis_url: str) -> AsyncIterator[KedaClient]:
    async with open_redis(redis_url) as redis:
        log = DecisionLog(redis)
        async with (
            serve_external_scaler(ExternalScaler(log), "127.0.0.1:0") as port,
            grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
        ):
            yield KedaClient(channel, log)


async def test_a_backlog_asks_for_more_slots_than_there_are(keda: KedaClient) -> None:
    ticks = await keda.decided(used=BASE_SLOTS, activities=20_000)

    assert await keda.is_active()
    assert await keda.slots_per_replica() == ticks.policy.slots_per_worker
    slots = await keda.slots()
    assert slots > BASE_SLOTS
    assert (slots - BASE_SLOTS) % ticks.policy.slots_per_worker == 0


async def test_running_activities_keep_their_workers_when_nothing_waits(keda: KedaClient) -> None:
    await keda.decided(used=150, activities=0)

    assert await keda.is_active()
    assert 150 <= await keda.slots() <= BASE_SLOTS


async def test_an_idle_queue_needs_no_slot(keda: KedaClient) -> None:
    await keda.decided(used=0, activities=0)

    assert not await keda.is_active()
    assert await keda.slots() == 0


@pytest.mark.parametrize(
    ("age", "observed"),
    [
        pytest.param(timedelta(minutes=2), {}, id="old"),
        pytest.param(timedelta(0), {"backlog_stale": True}, id="stale"),
    ],
)
async def test_without_a_fresh_decision_keda_changes_nothing(
    keda: KedaClient, age: timedelta, observed: dict[str, bool]
) -> None:
    await keda.decided(age=age, **observed)

    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await keda.slots()
    assert failed.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_queue_without_a_policy_and_a_trigger_without_a_queue_are_named(keda: KedaClient) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await keda.is_active()
    assert failed.value.code() is grpc.StatusCode.NOT_FOUND
    assert "give it a policy" in (failed.value.details() or "")

    keda.queue = ""
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await keda.is_active()
    assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_port_in_use_names_its_variable(redis_url: str) -> None:
    async with open_redis(redis_url) as redis:
        scaler = ExternalScaler(DecisionLog(redis))
        async with serve_external_scaler(scaler, "127.0.0.1:0") as port:
            with pytest.raises(InvalidInput, match="SIGNALBOX_AUTOSCALER_KEDA_PORT"):
                async with serve_external_scaler(scaler, f"127.0.0.1:{port}"):
                    pass


def test_the_messages_are_those_of_kedas_protocol() -> None:
    """The wire format of externalscaler.proto, written by hand: field numbers and types."""
    reference = (
        b"\x0a\x06worker"  # 1: name
        b"\x12\x09signalbox"  # 2: namespace
        b"\x1a\x0e\x0a\x09taskQueue\x12\x01q"  # 3: scalerMetadata, a map
    )
    parsed = messages.ScaledObjectRef.FromString(reference)
    assert (parsed.name, parsed.namespace, dict(parsed.scalerMetadata)) == (
        "worker",
        "signalbox",
        {"taskQueue": "q"},
    )
    length = bytes([len(reference)])
    request = messages.GetMetricsRequest.FromString(b"\x0a" + length + reference + b"\x12\x01m")
    assert (request.scaledObjectRef.name, request.metricName) == ("worker", "m")
    assert messages.IsActiveResponse(result=True).SerializeToString() == b"\x08\x01"
    spec = messages.MetricSpec(metricName="m", targetSize=50)
    assert (
        messages.GetMetricSpecResponse(metricSpecs=[spec]).SerializeToString() == b"\x0a\x05\x0a\x01m\x10\x32"
    )
    value = messages.MetricValue(metricName="m", metricValue=3)
    assert (
        messages.GetMetricsResponse(metricValues=[value]).SerializeToString() == b"\x0a\x05\x0a\x01m\x10\x03"
    )
