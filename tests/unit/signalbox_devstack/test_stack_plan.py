"""The plan: every service is given the settings that it accepts."""

import importlib
from pathlib import Path

import msgspec
import pytest

from signalbox_core.settings import read_settings
from signalbox_devstack.stack.config import TOPOLOGY, Programs, StackConfig
from signalbox_devstack.stack.folder import StateFolder
from signalbox_devstack.stack.keys import KeyFiles
from signalbox_devstack.stack.parts.part import Part, start_order
from signalbox_devstack.stack.plan import PART_NAMES, plan
from signalbox_devstack.stack.ports import DEFAULTS


def config(*, workers: int = 1, **environ: str) -> StackConfig:
    keys = KeyFiles(
        api_keys={},
        api_keys_file=Path("/s/keys/api.json"),
        private_key_file=Path("/s/keys/w.pem"),
        sender_keys_file=Path("/s/keys/r.json"),
        payload_keys_file=Path("/s/keys/p.json"),
        ledger_key_file=Path("/s/keys/l.key"),
        ledger_public_key_file=Path("/s/keys/l.pub"),
    )
    ports = {**DEFAULTS, **{f"worker-{number}": 8100 + number for number in range(2, workers + 1)}}
    return StackConfig(
        folder=StateFolder(Path("/s")),
        ports=ports,
        keys=keys,
        programs=Programs("t", "r"),
        workers=workers,
        environ=environ,
    )


def part(name: str, **environ: str) -> Part:
    return {item.name: item for item in plan(config(**environ))}[name]


def test_gateway_workers_and_autoscaler_share_the_payload_keys() -> None:
    parts = {
        item.name
        for item in plan(config(workers=2))
        if item.env.get("SIGNALBOX_PAYLOAD_KEYS_FILE") == "/s/keys/p.json"
    }
    assert parts == {"gateway", "worker", "worker-2", "autoscaler"}, (
        "burst workers inherit the environment of the autoscaler"
    )


def test_the_plan_contains_every_part_once() -> None:
    assert [item.name for item in plan(config())] == list(PART_NAMES)


def test_a_requested_model_server_is_configured_in_the_worker() -> None:
    parts = {item.name: item for item in plan(msgspec.structs.replace(config(), has_model_api=True))}

    assert parts["worker"].env["SIGNALBOX_WORKER_MODEL_URL"] == parts["model_api"].address
    assert "SIGNALBOX_WORKER_MODEL_URL" not in part("worker").env


def test_the_model_server_of_the_caller_takes_precedence() -> None:
    own = config(SIGNALBOX_WORKER_MODEL_URL="https://models.example/v1")
    parts = {item.name: item for item in plan(msgspec.structs.replace(own, has_model_api=True))}

    assert "SIGNALBOX_WORKER_MODEL_URL" not in parts["worker"].env


def test_the_simulated_portal_is_configured_unless_the_caller_configures_another() -> None:
    simulated = {item.name: item for item in plan(config())}["portal"]
    assert part("worker").env["SIGNALBOX_WORKER_PORTAL_URL"] == simulated.address
    assert part("worker").env["SIGNALBOX_WORKER_SECRETS_DIR"] == "/s/secrets"
    assert (
        "SIGNALBOX_WORKER_PORTAL_URL"
        not in part("worker", SIGNALBOX_WORKER_PORTAL_URL="https://portal.example/api").env
    )


def test_three_workers_have_distinct_names_and_ports() -> None:
    workers = [item for item in plan(config(workers=3)) if item.name.startswith("worker")]
    assert [item.name for item in workers] == ["worker", "worker-2", "worker-3"]
    assert len({item.address for item in workers}) == 3


@pytest.mark.parametrize(
    ("name", "package", "prefix"),
    [
        pytest.param("gateway", "signalbox_gateway", "SIGNALBOX_GATEWAY", id="gateway"),
        pytest.param("receiver", "signalbox_webhook_receiver", "SIGNALBOX_RECEIVER", id="receiver"),
        pytest.param("worker", "signalbox_worker", "SIGNALBOX_WORKER", id="worker"),
        pytest.param("autoscaler", "signalbox_autoscaler", "SIGNALBOX_AUTOSCALER", id="autoscaler"),
    ],
)
def test_each_service_accepts_its_settings(name: str, package: str, prefix: str) -> None:
    settings: type[msgspec.Struct] = importlib.import_module(f"{package}.settings").Settings
    read = read_settings(settings, prefix=prefix, environ=part(name).env)
    assert msgspec.structs.asdict(read)["port"] == DEFAULTS[name]


def test_the_worker_may_fetch_from_the_demo_shop_and_the_hosts_of_the_caller() -> None:
    allowed = part("worker", SIGNALBOX_WORKER_FETCH_ALLOW="10.0.0.1:80").env["SIGNALBOX_WORKER_FETCH_ALLOW"]
    assert allowed == f"127.0.0.1:{DEFAULTS['demo_site']},10.0.0.1:80"


def test_services_start_after_their_backends_and_the_topology() -> None:
    order = [[item.name for item in group] for group in start_order(plan(config()))]
    assert order[0] == ["temporal", "redis", "pubsub", "demo_site", "portal"]
    assert all(TOPOLOGY in part(name).depends_on for name in ("receiver", "worker", "autoscaler", "gateway"))


def test_redis_persists_acknowledged_writes_and_evicts_nothing() -> None:
    command = " ".join(part("redis").argv)
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command
    assert "everysec" not in command


def test_no_command_line_contains_a_secret() -> None:
    assert all("sbx_" not in word for item in plan(config()) for word in item.argv)
