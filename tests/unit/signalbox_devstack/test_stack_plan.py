"""The plan: every service gets the settings that it reads, and nothing that it does not know."""

import importlib
from pathlib import Path

import msgspec
import pytest

from signalbox_core.settings import read_settings
from signalbox_devstack.stack.folder import StateFolder
from signalbox_devstack.stack.keys import KeyFiles
from signalbox_devstack.stack.parts import Part, layers
from signalbox_devstack.stack.plan import NAMES, TOPOLOGY, Programs, Site, plan
from signalbox_devstack.stack.ports import DEFAULTS


def site(*, workers: int = 1, **environ: str) -> Site:
    keys = KeyFiles(
        api_keys={},
        api_keys_file=Path("/s/keys/api.json"),
        private_key_file=Path("/s/keys/w.pem"),
        sender_keys_file=Path("/s/keys/r.json"),
        payload_keys_file=Path("/s/keys/p.json"),
    )
    ports = {**DEFAULTS, **{f"worker-{number}": 8100 + number for number in range(2, workers + 1)}}
    return Site(
        folder=StateFolder(Path("/s")),
        ports=ports,
        keys=keys,
        programs=Programs("t", "r"),
        workers=workers,
        environ=environ,
    )


def part(name: str, **environ: str) -> Part:
    return {item.name: item for item in plan(site(**environ))}[name]


def test_gateway_and_workers_seal_with_the_same_keys() -> None:
    holders = {
        item.name
        for item in plan(site(workers=2))
        if item.env.get("SIGNALBOX_PAYLOAD_KEYS_FILE") == "/s/keys/p.json"
    }
    assert holders == {"gateway", "worker", "worker-2", "autoscaler"}, (
        "the autoscaler's burst workers start from its environment"
    )


def test_every_part_is_there_once() -> None:
    assert [item.name for item in plan(site())] == list(NAMES)


def test_the_model_server_runs_when_asked_for_and_the_worker_is_told() -> None:
    parts = {item.name: item for item in plan(msgspec.structs.replace(site(), has_model_api=True))}

    assert parts["worker"].env["SIGNALBOX_WORKER_MODEL_URL"] == parts["model_api"].address
    assert "SIGNALBOX_WORKER_MODEL_URL" not in part("worker").env


def test_a_model_of_the_callers_own_stays_the_model() -> None:
    own = site(SIGNALBOX_WORKER_MODEL_URL="https://models.example/v1")
    parts = {item.name: item for item in plan(msgspec.structs.replace(own, has_model_api=True))}

    assert "SIGNALBOX_WORKER_MODEL_URL" not in parts["worker"].env


def test_the_worker_is_told_of_the_simulated_portal_and_a_portal_of_the_callers_own_stays_the_portal() -> (
    None
):
    simulated = {item.name: item for item in plan(site())}["portal"]
    assert part("worker").env["SIGNALBOX_WORKER_PORTAL_URL"] == simulated.address
    assert part("worker").env["SIGNALBOX_WORKER_SECRETS_DIR"] == "/s/secrets"
    assert (
        "SIGNALBOX_WORKER_PORTAL_URL"
        not in part("worker", SIGNALBOX_WORKER_PORTAL_URL="https://portal.example/api").env
    )


def test_three_workers_have_names_and_ports_of_their_own() -> None:
    workers = [item for item in plan(site(workers=3)) if item.name.startswith("worker")]
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
def test_a_service_can_read_what_it_is_given(name: str, package: str, prefix: str) -> None:
    settings: type[msgspec.Struct] = importlib.import_module(f"{package}.settings").Settings
    read = read_settings(settings, prefix=prefix, environ=part(name).env)
    assert msgspec.structs.asdict(read)["port"] == DEFAULTS[name]


def test_the_worker_may_fetch_from_the_demo_shop_and_from_what_the_caller_allows() -> None:
    allowed = part("worker", SIGNALBOX_WORKER_FETCH_ALLOW="10.0.0.1:80").env["SIGNALBOX_WORKER_FETCH_ALLOW"]
    assert allowed == f"127.0.0.1:{DEFAULTS['demo_site']},10.0.0.1:80"


def test_services_start_after_their_backends_and_the_topology() -> None:
    order = [[item.name for item in group] for group in layers(plan(site()))]
    assert order[0] == ["temporal", "redis", "pubsub", "demo_site", "portal"]
    assert all(TOPOLOGY in part(name).after for name in ("receiver", "worker", "autoscaler", "gateway"))


def test_redis_keeps_what_it_acknowledged_and_evicts_nothing() -> None:
    command = " ".join(part("redis").argv)
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command
    assert "everysec" not in command


def test_no_secret_stands_on_a_command_line() -> None:
    assert all("sbx_" not in word for item in plan(site()) for word in item.argv)
