"""`signalbox-admin doctor` on a sound set-up, and on broken ones: each fault has its remedy."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from redis.asyncio import Redis
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client

from signalbox_admin.checks.findings import Finding, Level
from signalbox_admin.checks.key_files import check_key_files
from signalbox_admin.checks.redis import assess_redis, check_redis
from signalbox_admin.checks.temporal import assess_namespace, assess_version
from signalbox_admin.cli import main
from signalbox_admin.doctor import diagnose
from signalbox_core.temporal.client import connect
from signalbox_core.topology import PROJECTOR, provision_pubsub
from signalbox_devstack.emulators.pubsub.server import run_server
from support.servers.backends import free_port
from support.servers.pubsub import PROJECT, Local
from support.servers.stack import RunningStack, running_stack

Environ = dict[str, str]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    parts = ("--only", "temporal,redis,pubsub,gateway")
    with running_stack(tmp_path_factory.mktemp("doctor"), *parts) as stack:
        yield stack


@pytest.fixture
def environ(stack: RunningStack, tmp_path: Path) -> Environ:
    """The environment of a sound set-up, with key files of its own."""
    files = {
        name: str(tmp_path / file)
        for name, file in (
            ("SIGNALBOX_GATEWAY_API_KEYS_FILE", "api-keys.json"),
            ("SIGNALBOX_RECEIVER_KEYS", "receiver-keys.json"),
            ("SIGNALBOX_PAYLOAD_KEYS_FILE", "payload-keys.json"),
            ("SIGNALBOX_GATEWAY_LEDGER_KEY_FILE", "ledger.key"),
        )
    }
    api, sender, payload, ledger = files.values()
    for command in (
        f"keys new --kind api --tenant acme --name lan --roles admin --file {api}",
        f"keys new --kind sender --sender worker --tenant * --private {tmp_path}/worker.pem --file {sender}",
        f"payload-keys new --file {payload}",
        f"audit new-key --name signalbox.example.com/ledger --private {ledger}",
    ):
        assert main(command.split()) == 0
    endpoints = stack.endpoints
    return files | {
        "TEMPORAL_ADDRESS": str(endpoints.temporal),
        "TEMPORAL_NAMESPACE": "default",
        "REDIS_URL": str(endpoints.redis),
        "GOOGLE_CLOUD_PROJECT": "signalbox",
        "PUBSUB_EMULATOR_HOST": str(endpoints.pubsub),
        "SIGNALBOX_GATEWAY_OBJECTS_URL": f"file://{tmp_path}/objects",
    }


def worst(findings: list[Finding]) -> list[tuple[str, str]]:
    """Subject and remedy of the faults."""
    return [(finding.subject, finding.remedy) for finding in findings if finding.level is Level.ERROR]


async def test_a_sound_set_up_has_no_fault(environ: Environ, stack: RunningStack) -> None:
    findings = await diagnose(environ, [str(stack.endpoints.gateway)])
    assert worst(findings) == []
    assert {finding.subject for finding in findings} >= {
        *("Temporal", "Redis", "Pub/Sub", "Objects", "API keys", "Sender keys", "Payload keys", "Ledger key")
    }
    assert not [finding for finding in findings if finding.level is Level.SKIPPED]


def unreachable_temporal(environ: Environ) -> None:
    environ["TEMPORAL_ADDRESS"] = f"127.0.0.1:{free_port()}"


def unknown_namespace(environ: Environ) -> None:
    environ["TEMPORAL_NAMESPACE"] = "nowhere"


def unreachable_redis(environ: Environ) -> None:
    environ["REDIS_URL"] = f"redis://127.0.0.1:{free_port()}/0"


def not_an_address_of_redis(environ: Environ) -> None:
    environ["REDIS_URL"] = "localhost"


def another_project(environ: Environ) -> None:
    environ["GOOGLE_CLOUD_PROJECT"] = "another"


def no_administrator(environ: Environ) -> None:
    path = Path(environ["SIGNALBOX_GATEWAY_API_KEYS_FILE"])
    path.write_text(path.read_text().replace('"admin"', '"viewer"'))


def readable_payload_keys(environ: Environ) -> None:
    Path(environ["SIGNALBOX_PAYLOAD_KEYS_FILE"]).chmod(0o644)


def damaged_ledger_key(environ: Environ) -> None:
    Path(environ["SIGNALBOX_GATEWAY_LEDGER_KEY_FILE"]).write_text("PRIVATE+KEY+nothing")


def absent_sender_keys(environ: Environ) -> None:
    environ["SIGNALBOX_RECEIVER_KEYS"] += ".old"


def no_valid_sender_key(environ: Environ) -> None:
    path = Path(environ["SIGNALBOX_RECEIVER_KEYS"])
    keys = msgspec.json.decode(path.read_bytes())
    keys["keys"][0]["not_after"] = "2026-01-01T00:00:00Z"
    path.write_bytes(msgspec.json.encode(keys))


def unknown_object_store(environ: Environ) -> None:
    environ["SIGNALBOX_GATEWAY_OBJECTS_URL"] = "s3://bucket"


@pytest.mark.parametrize(
    ("break_it", "subject", "remedy"),
    [
        (unreachable_temporal, "Temporal", "TEMPORAL_ADDRESS"),
        (unknown_namespace, "Temporal", "operator namespace create -n nowhere"),
        (unreachable_redis, "Redis", "REDIS_URL"),
        (not_an_address_of_redis, "Redis", "redis://"),
        (another_project, "Pub/Sub", "signalbox-admin provision"),
        (no_administrator, "API keys", "keys new --kind api"),
        (readable_payload_keys, "Payload keys", "chmod 0600"),
        (damaged_ledger_key, "Ledger key", "SIGNALBOX_GATEWAY_LEDGER_KEY_FILE"),
        (absent_sender_keys, "Sender keys", "SIGNALBOX_RECEIVER_KEYS"),
        (no_valid_sender_key, "Sender keys", "keys rotate --kind sender"),
        (unknown_object_store, "Objects", "check the address"),
    ],
)
async def test_a_fault_has_its_remedy(
    environ: Environ, break_it: Callable[[Environ], None], subject: str, remedy: str
) -> None:
    break_it(environ)
    faults = worst(await diagnose(environ))
    assert {found for found, _ in faults} == {subject}
    assert remedy in faults[0][1]


async def test_a_namespace_without_search_attributes_is_provisioned(environ: Environ) -> None:
    client = await connect(environ["TEMPORAL_ADDRESS"])
    await register(client, "bare")
    environ["TEMPORAL_NAMESPACE"] = "bare"
    assert worst(await diagnose(environ)) == [("Temporal", "signalbox-admin provision")]


async def register(client: Client, name: str) -> None:
    request = RegisterNamespaceRequest(namespace=name)
    request.workflow_execution_retention_period.FromTimedelta(timedelta(days=7))
    await client.workflow_service.register_namespace(request)


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Local]:
    async with run_server(host="127.0.0.1", port=0, data=tmp_path / "pubsub.db") as running:
        local = Local(f"127.0.0.1:{running.port}")
        yield local
        await local.close()


async def test_a_changed_subscription_is_named(local: Local) -> None:
    await provision_pubsub("test", emulator_host=local.host)
    name = f"{PROJECT}/subscriptions/{PROJECTOR}"
    await local.subscriber.update_subscription(
        {
            "subscription": {"name": name, "ack_deadline_seconds": 10},
            "update_mask": {"paths": ["ack_deadline_seconds"]},
        }
    )
    findings = await diagnose({"GOOGLE_CLOUD_PROJECT": "test", "PUBSUB_EMULATOR_HOST": local.host})
    (changed,) = [finding for finding in findings if finding.subject == "Pub/Sub"]
    assert (changed.level, changed.remedy) == (Level.WARNING, "signalbox-admin provision")
    assert f"{PROJECTOR} has a different ack_deadline_seconds" in changed.detail


@pytest.fixture
async def redis(stack: RunningStack) -> AsyncIterator[Redis]:
    async with Redis.from_url(str(stack.endpoints.redis)) as client:
        before = await client.config_get("maxmemory*")
        yield client
        for name in ("maxmemory", "maxmemory-policy"):
            await client.config_set(name, before[name])


async def test_redis_that_evicts_or_is_nearly_full_is_named(redis: Redis, environ: Environ) -> None:
    used = int((await redis.info("memory"))["used_memory"])
    await redis.config_set("maxmemory-policy", "allkeys-lru")
    await redis.config_set("maxmemory", used + used // 10)
    findings = await check_redis(environ["REDIS_URL"])
    remedies = {finding.remedy for finding in findings if finding.level in (Level.WARNING, Level.ERROR)}
    assert "CONFIG SET maxmemory-policy noeviction, and in its configuration file" in remedies
    assert "raise maxmemory" in remedies


def test_old_servers_and_switches_that_are_off_are_faults() -> None:
    versions = {
        version: assess_redis({"redis_version": version})[0] for version in ("6.0.16", "6.2.0", "7.2.4")
    }
    assert [found.level for found in versions.values()] == [Level.ERROR, Level.OK, Level.OK]
    assert versions["6.0.16"].remedy == "upgrade to 6.2 or newer"
    assert assess_version("1.30.4").level is Level.ERROR
    assert assess_version("1.31.0").level is Level.OK
    findings = assess_namespace("default", timedelta(days=1), has_heartbeats=False)
    assert [finding.level for finding in findings] == [Level.WARNING, Level.ERROR]
    assert "frontend.WorkerHeartbeatsEnabled" in findings[1].remedy


def test_old_keys_and_an_api_key_that_expires_soon_are_warnings(environ: Environ) -> None:
    in_two_years = datetime.now(UTC) + timedelta(days=730)
    findings = check_key_files(environ, in_two_years)
    old = {finding.subject: finding.remedy for finding in findings if finding.level is Level.WARNING}
    assert old.keys() == {"API keys", "Sender keys", "Payload keys"}
    assert "payload-keys rotate" in old["Payload keys"]
    assert "keys rotate --kind api --keyid" in old["API keys"]
    assert "keys rotate --kind sender" in old["Sender keys"]

    path = Path(environ["SIGNALBOX_GATEWAY_API_KEYS_FILE"])
    keys = msgspec.json.decode(path.read_bytes())
    keys["keys"][0]["expires_at"] = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    path.write_bytes(msgspec.json.encode(keys))
    (finding,) = [each for each in check_key_files(environ) if each.subject == "API keys"]
    assert (finding.level, "keys rotate --kind api --keyid" in finding.remedy) == (Level.WARNING, True)


def test_nothing_configured_is_skipped_and_a_fault_is_exit_code_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("TEMPORAL_ADDRESS", "REDIS_URL", "GOOGLE_CLOUD_PROJECT", "SIGNALBOX_GATEWAY_OBJECTS_URL"):
        monkeypatch.delenv(name, raising=False)
    assert main(["doctor"]) == 0
    output = capsys.readouterr().out
    assert "skipped  Redis" in output
    assert "set REDIS_URL" in output

    assert main(["doctor", "--service", f"http://127.0.0.1:{free_port()}"]) == 2
    assert "error" in capsys.readouterr().out

    monkeypatch.setenv("SIGNALBOX_GATEWAY_OBJECTS_URL", f"file://{tmp_path}/objects")
    assert main(["doctor", "--json"]) == 0
    (objects, *_) = [
        each for each in msgspec.json.decode(capsys.readouterr().out) if each["subject"] == "Objects"
    ]
    assert objects["level"] == "ok"
    assert not list(Path(tmp_path, "objects").rglob("*.*"))


async def test_a_service_that_is_not_ready_says_why(environ: Environ, stack: RunningStack) -> None:
    class NotReady(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            body = b'{"ready": false, "dependencies": {"redis": {"ok": false, "detail": "does not respond"}}}'
            head = (
                b"HTTP/1.1 503 Service Unavailable\r\ndate: Mon, 05 Jan 2026 00:00:00 GMT\r\ncontent-length: "
            )
            transport.write(head + str(len(body)).encode() + b"\r\nconnection: close\r\n\r\n" + body)
            transport.close()

    server = await asyncio.get_running_loop().create_server(NotReady, "127.0.0.1", 0)
    async with server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        findings = await diagnose(environ, [address, "http://[", str(stack.endpoints.gateway)])
    found = [finding for finding in findings if finding.subject == address]
    assert [finding.level for finding in found] == [Level.ERROR, Level.WARNING]
    assert "redis: does not respond" in found[0].detail
    assert "NTP" in found[1].remedy
    assert [finding.subject for finding in findings if "check the address" in finding.remedy] == ["http://["]
