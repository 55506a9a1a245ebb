"""`signalbox-admin provision` and `replay` against the local server."""

import asyncio

import pytest
from google.pubsub_v1 import types
from temporalio.client import Client

from signalbox_admin.cli import main
from signalbox_core.errors import Conflict
from signalbox_core.pubsub import to_message
from signalbox_core.topology import (
    LIFECYCLE,
    PROJECTOR,
    SUBSCRIPTIONS,
    TOPICS,
    provision_pubsub,
    provision_temporal,
)
from support.fakes.events import story
from support.servers.backends import free_port
from support.servers.pubsub import PROJECT, Local

HOLD = f"{PROJECT}/subscriptions/lifecycle-dead-hold"
EVENTS = [event for event in story() if event.sequence is not None]


async def admin(local: Local, *arguments: str) -> int:
    return await asyncio.to_thread(main, [*arguments, "--project", "test", "--emulator-host", local.host])


async def dead_letters(local: Local, count: int) -> None:
    """What dead-lettering leaves in the holding subscription: marked copies with key, id and sequence."""
    await provision_pubsub("test", emulator_host=local.host)
    for event in EVENTS[:count]:
        message = to_message(event)
        marks = {
            "CloudPubSubDeadLetterSourceSubscription": "projector",
            "CloudPubSubDeadLetterSourceDeliveryCount": "100",
        }
        await local.publish(
            f"{PROJECT}/topics/lifecycle-dead", message.data, key=event.runid, **message.attributes, **marks
        )


async def test_provision_is_idempotent(local: Local) -> None:
    first = await provision_pubsub("test", emulator_host=local.host)
    second = await provision_pubsub("test", emulator_host=local.host)

    assert {change.action for change in first} == {"created"}
    assert {change.action for change in second} == {"unchanged"}
    assert {change.name for change in first} == {each.name for each in (*TOPICS, *SUBSCRIPTIONS)}
    projector = await local.subscriber.get_subscription(
        subscription=f"{PROJECT}/subscriptions/{PROJECTOR}", retry=None
    )
    assert projector.enable_message_ordering
    assert projector.dead_letter_policy.dead_letter_topic == f"{PROJECT}/topics/lifecycle-dead"


async def test_provision_reverts_manual_changes(local: Local) -> None:
    await provision_pubsub("test", emulator_host=local.host)
    changed = types.Subscription(name=f"{PROJECT}/subscriptions/{PROJECTOR}", ack_deadline_seconds=11)
    await local.subscriber.update_subscription(
        {"subscription": changed, "update_mask": {"paths": ["ack_deadline_seconds"]}}, retry=None
    )

    changes = await provision_pubsub("test", emulator_host=local.host)

    assert [change.name for change in changes if change.action == "updated"] == [PROJECTOR]


async def test_provision_reports_settings_that_cannot_be_changed_in_place(local: Local) -> None:
    await local.subscription(await local.topic(LIFECYCLE), PROJECTOR)  # without ordering

    with pytest.raises(Conflict, match="delete the subscription first") as refused:
        await provision_pubsub("test", emulator_host=local.host)
    assert refused.value.field == "enable_message_ordering"


async def test_provision_in_an_unknown_namespace_is_an_error_in_one_line(
    local: Local, temporal_address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    temporal = ("--temporal-address", temporal_address, "--temporal-namespace", "nowhere")

    assert await admin(local, "provision", *temporal) == 2

    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert "check the namespace" in error


async def test_provision_registers_the_search_attributes(temporal_address: str) -> None:
    client = await Client.connect(temporal_address)

    await provision_temporal(client)

    assert [(c.name, c.action) for c in await provision_temporal(client)] == [
        ("SignalboxTenant", "unchanged"),
        ("SignalboxPipeline", "unchanged"),
        ("SignalboxFind", "unchanged"),
    ]


async def test_the_command_prints_what_it_did(local: Local, capsys: pytest.CaptureFixture[str]) -> None:
    assert await admin(local, "provision") == 0
    assert "created    topic lifecycle" in capsys.readouterr().out


async def test_replay_is_a_dry_run_by_default(local: Local, capsys: pytest.CaptureFixture[str]) -> None:
    await dead_letters(local, 3)

    assert await admin(local, "replay") == 0

    shown = capsys.readouterr().out
    assert "sequence=2" in shown
    assert "3 of lifecycle-dead-hold would be published" in shown
    assert await local.pull_now(f"{PROJECT}/subscriptions/{PROJECTOR}") == []
    assert len(await local.pull_now(HOLD)) == 3


async def test_replay_republishes_in_order_and_acknowledges_the_dead_letters(local: Local) -> None:
    await dead_letters(local, 5)

    assert await admin(local, "replay", "--apply") == 0

    received = await local.pull(f"{PROJECT}/subscriptions/{PROJECTOR}")
    assert [dict(each.message.attributes) for each in received] == [
        dict(to_message(event).attributes) for event in EVENTS[:5]
    ]
    assert {each.message.ordering_key for each in received} == {"run-1"}
    assert await local.pull_now(HOLD) == []


async def test_replay_of_one_run_leaves_the_others_on_hold(local: Local) -> None:
    await dead_letters(local, 1)
    await local.publish(f"{PROJECT}/topics/lifecycle-dead", b"{}", **{"ce-runid": "run-2"})

    assert await admin(local, "replay", "--apply", "--run", "run-2") == 0

    assert [each.message.attributes["ce-runid"] for each in await local.pull_now(HOLD)] == ["run-1"]


async def test_a_limit_below_one_is_rejected(local: Local, capsys: pytest.CaptureFixture[str]) -> None:
    assert await admin(local, "replay", "--limit", "0") == 2
    assert "--limit" in capsys.readouterr().err


async def test_replay_before_provision_names_the_remedy(
    local: Local, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await admin(local, "replay") == 2
    assert "signalbox-admin provision" in capsys.readouterr().err


def test_a_missing_project_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    assert main(["provision", "--emulator-host", f"127.0.0.1:{free_port()}"]) == 2
    assert "GOOGLE_CLOUD_PROJECT" in capsys.readouterr().err
