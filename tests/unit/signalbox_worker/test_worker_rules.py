"""What an answer of the receiver means, what a worker serves, and how it is set up."""

import dataclasses
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from prometheus_client import generate_latest
from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec, SerializationContext, WithSerializationContext

from signalbox_core.crypto.sealing import KeyRing, PayloadKeyFile, new_payload_key
from signalbox_core.errors import InvalidInput
from signalbox_core.http.retry_after import retry_after_s
from signalbox_core.pipeline.activity.loader import load_workflow, sandbox
from signalbox_core.settings import read_settings
from signalbox_core.temporal import converter_with, data_converter
from signalbox_worker.metrics import WorkerMetrics
from signalbox_worker.pipelines import group_by_queue, select_pipelines
from signalbox_worker.receiver_client import (
    FIRST_BACKOFF_S,
    MAX_BACKOFF_S,
    ResponseAction,
    backoff_s,
    response_policy,
)
from signalbox_worker.sandbox_shortcut import skip_context_lookups
from signalbox_worker.settings import PREFIX, Settings
from support.sample.contract import SPEC

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ENVIRON = {
    "TEMPORAL_ADDRESS": "127.0.0.1:7233",
    "SIGNALBOX_WORKER_RECEIVER_URL": "http://127.0.0.1:8081/v1/events",
    "SIGNALBOX_WORKER_KEYID": "worker-1",
    "SIGNALBOX_WORKER_PRIVATE_KEY_FILE": "/keys/worker.pem",
    "SIGNALBOX_WORKER_OBJECTS_URL": "file:///objects",
}


@pytest.mark.parametrize(
    ("statuses", "action"),
    [
        pytest.param((200, 202, 204), ResponseAction.ACCEPT, id="accepted"),
        pytest.param((408, 409, 425, 429, 500, 502, 503, 504), ResponseAction.RETRY, id="later"),
        pytest.param((400, 411, 413, 415, 422), ResponseAction.REFUSE, id="the event's fault"),
        pytest.param((301, 401, 403, 404, 405), ResponseAction.MISCONFIGURED, id="our key or address"),
    ],
)
def test_only_a_fault_of_the_event_loses_it(statuses: tuple[int, ...], action: ResponseAction) -> None:
    assert {response_policy(status) for status in statuses} == {action}


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3.0),
        ("Thu, 01 Jan 2026 00:00:30 GMT", 30.0),
        ("Wed, 31 Dec 2025 23:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("-1", None),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(value: str, seconds: float | None) -> None:
    assert retry_after_s({"retry-after": value}, NOW) == seconds


def test_waits_grow_and_stay_within_bounds() -> None:
    chance = random.Random(1)
    waits = [backoff_s(attempt, chance) for attempt in range(1, 40)]

    assert FIRST_BACKOFF_S <= waits[0] <= waits[5] <= MAX_BACKOFF_S
    assert max(waits) <= MAX_BACKOFF_S
    assert len(set(waits)) == len(waits)


def test_a_worker_serves_every_installed_pipeline_unless_told_otherwise() -> None:
    other = msgspec.structs.replace(SPEC, name="other", task_queue="sample")
    specs = {"sample": SPEC, "other": other}

    assert select_pipelines(specs, frozenset()) == [other, SPEC]
    assert select_pipelines(specs, frozenset({"sample"})) == [SPEC]
    assert group_by_queue([other, SPEC]) == {"sample": [other, SPEC]}


@pytest.mark.parametrize(
    ("specs", "wanted", "said"),
    [
        pytest.param(
            {"sample": SPEC}, {"smaple"}, "no pipeline 'smaple'; installed: sample", id="misspelled"
        ),
        pytest.param({}, set(), "no pipeline is installed", id="none"),
    ],
)
def test_an_unknown_pipeline_stops_the_start(specs: dict[str, object], wanted: set[str], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        select_pipelines(specs, frozenset(wanted))  # type: ignore[arg-type]


def test_lists_come_comma_separated_and_secrets_stay_hidden() -> None:
    environ = {
        **ENVIRON,
        "SIGNALBOX_WORKER_FETCH_ALLOW": "127.0.0.1:8000, 127.0.0.1:8001",
        "SIGNALBOX_WORKER_PIPELINES": "ad_creative",
        "SIGNALBOX_WORKER_MODEL_API_KEY": "sk-very-secret",
    }

    settings = read_settings(Settings, prefix=PREFIX, environ=environ)

    assert settings.fetch_allow == {"127.0.0.1:8000", "127.0.0.1:8001"}
    assert settings.pipelines == {"ad_creative"}
    assert "sk-very-secret" not in repr(settings)


@pytest.mark.parametrize(
    "wrong",
    [{"RECEIVER_URL": "receiver:8081"}, {"PORT": "70000"}, {"MAX_ACTIVITIES": "0"}, {"LOG_LEVEL": "loud"}],
)
def test_a_wrong_setting_is_named(wrong: dict[str, str]) -> None:
    variables = {f"{PREFIX}_{name}": value for name, value in wrong.items()}

    with pytest.raises(InvalidInput) as raised:
        read_settings(Settings, prefix=PREFIX, environ={**ENVIRON, **variables})

    assert raised.value.field == next(iter(variables))


def test_counters_are_there_before_anything_happened() -> None:
    counters = WorkerMetrics()
    counters.add("events_delivered", 3)

    text = generate_latest(counters.registry).decode()
    assert "signalbox_worker_events_delivered_total 3.0\n" in text
    assert "signalbox_worker_events_refused_total 0.0\n" in text


def test_the_shortcut_is_taken_only_where_no_context_is_needed(tmp_path: Path) -> None:
    runner = sandbox([SPEC])

    class Contextual(PayloadCodec, WithSerializationContext):
        def with_context(self, context: SerializationContext) -> "Contextual":  # noqa: ARG002
            return self

        async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
            return list(payloads)

        async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
            return list(payloads)

    (tmp_path / "keys.json").write_bytes(
        msgspec.json.encode(PayloadKeyFile(active=(key := new_payload_key()).id, keys=(key,)))
    )
    sealing = converter_with(KeyRing(tmp_path / "keys.json"))

    assert skip_context_lookups(runner, data_converter) is not runner
    assert skip_context_lookups(runner, sealing) is not runner
    assert skip_context_lookups(runner, dataclasses.replace(sealing, payload_codec=Contextual())) is runner


async def test_the_shortcut_still_runs_in_the_sandbox() -> None:
    skip_context_lookups(sandbox([SPEC]), data_converter).prepare_workflow(
        workflow._Definition.must_from_class(load_workflow(SPEC))
    )
