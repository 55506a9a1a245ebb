"""The parts of the system: their commands, settings and order. Pure: from paths, ports and keys to a tuple of parts."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from signalbox_devstack.stack.folder import StateFolder
from signalbox_devstack.stack.keys import KeyFiles
from signalbox_devstack.stack.parts import GrpcAnswers, HttpOk, Part, RedisPong

HOST: Final = "127.0.0.1"
PROJECT: Final = "signalbox"
NAMESPACE: Final = "default"
TOPOLOGY: Final = "topology"
NAMES: Final = (
    "temporal",
    "redis",
    "pubsub",
    "demo_site",
    "portal",
    "receiver",
    "worker",
    "autoscaler",
    "gateway",
)
OPTIONAL: Final = ("model_api",)
"""Started only when asked for."""
MODEL: Final = "sim"
POLICIES: Final = Path(__file__).with_name("policies.toml")

_TEMPORAL_DYNAMIC: Final = (
    'history.timerProcessorMaxTimeShift="10ms"',  # otherwise every timer rounds up to a second or more
    "frontend.WorkflowTimeSkippingEnabled=true",
    "matching.enableFairness=true",
    "matching.numTaskqueueReadPartitions=1",
    "matching.numTaskqueueWritePartitions=1",
    "frontend.enableCancelWorkerPollsOnShutdown=true",
)


class Programs(Struct, frozen=True):
    temporal: str
    redis: str


class Site(Struct, frozen=True, kw_only=True):
    """Everything the plan depends on."""

    folder: StateFolder
    ports: Mapping[str, int]
    keys: KeyFiles
    programs: Programs
    workers: int = 1
    has_temporal_ui: bool = True
    has_model_api: bool = False
    environ: Mapping[str, str] = {}


def plan(site: Site) -> tuple[Part, ...]:
    """Every part, in the order of NAMES, and the optional ones that the site has; `workers` of the worker (`worker`, `worker-2`, …)."""
    return (
        _temporal(site),
        _redis(site),
        _pubsub(site),
        _demo_site(site),
        _portal(site),
        *([_model_api(site)] if site.has_model_api else []),
        _receiver(site),
        *(_worker(site, name) for name in worker_names(site.workers)),
        _autoscaler(site),
        _gateway(site),
    )


def worker_names(count: int) -> tuple[str, ...]:
    return tuple("worker" if number == 1 else f"worker-{number}" for number in range(1, count + 1))


def _temporal(site: Site) -> Part:
    port = site.ports["temporal"]
    ui = (
        ("--ui-ip", HOST, "--ui-port", str(site.ports["temporal_ui"]))
        if site.has_temporal_ui
        else ("--headless",)
    )
    return Part(
        name="temporal",
        argv=(
            site.programs.temporal,
            *("server", "start-dev", "--ip", HOST, "--port", str(port), *ui, "--log-level", "warn"),
            # Without WAL a commit is 2.4 to 5 times slower; in WAL, `normal` still survives kill -9.
            *("--db-filename", str(site.folder.root / "temporal.sqlite")),
            *("--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal"),
            *(word for value in _TEMPORAL_DYNAMIC for word in ("--dynamic-config-value", value)),
        ),
        probe=GrpcAnswers(
            port, "/temporal.api.workflowservice.v1.WorkflowService/DescribeNamespace", NAMESPACE
        ),
        address=f"{HOST}:{port}",
    )


def _redis(site: Site) -> Part:
    """`appendfsync no`: the write to the file still comes before the reply, so kill -9 loses nothing acknowledged.

    `everysec` would be weaker against that: while its fsync runs it puts the write off, and replies, for up to two seconds.
    Only a crash of the whole machine can lose the last seconds; `always` would cover it at one fsync a command.
    """
    port = site.ports["redis"]
    return Part(
        name="redis",
        argv=(
            site.programs.redis,
            *("--port", str(port), "--bind", HOST, "--dir", str(site.folder.redis), "--save", ""),
            *("--appendonly", "yes", "--appendfsync", "no", "--maxmemory-policy", "noeviction"),
        ),
        probe=RedisPong(port),
        address=f"redis://{HOST}:{port}/0",
    )


def _pubsub(site: Site) -> Part:
    port = site.ports["pubsub"]
    return Part(
        name="pubsub",
        argv=(
            *_module("signalbox_devstack.emulators.pubsub"),
            "--port",
            str(port),
            "--data",
            str(site.folder.root / "pubsub.sqlite"),
        ),
        probe=GrpcAnswers(port, "/google.pubsub.v1.Publisher/ListTopics", f"projects/{PROJECT}"),
        address=f"{HOST}:{port}",
    )


def _demo_site(site: Site) -> Part:
    port = site.ports["demo_site"]
    return Part(
        name="demo_site",
        argv=(*_module("signalbox_devstack.emulators.shop"), "--port", str(port)),
        probe=HttpOk(port, "/healthz"),
        address=f"http://{HOST}:{port}",
    )


def _portal(site: Site) -> Part:
    port = site.ports["portal"]
    return Part(
        name="portal",
        argv=(*_module("signalbox_devstack.emulators.portal"), "--port", str(port), "--faults"),
        probe=HttpOk(port, "/healthz"),
        address=f"http://{HOST}:{port}/api",
    )


def _model_api(site: Site) -> Part:
    port = site.ports["model_api"]
    return Part(
        name="model_api",
        argv=(*_module("signalbox_devstack.emulators.model_api"), "--port", str(port)),
        probe=HttpOk(port, "/healthz"),
        address=f"http://{HOST}:{port}/v1",
    )


def _receiver(site: Site) -> Part:
    port = site.ports["receiver"]
    return Part(
        name="receiver",
        argv=_module("signalbox_webhook_receiver"),
        env={
            **_redis_env(site),
            **_pubsub_env(site),
            **_own(
                "RECEIVER",
                HOST=HOST,
                PORT=port,
                PUBLIC_ORIGIN=f"http://{HOST}:{port}",
                KEYS=site.keys.sender_keys_file,
            ),
        },
        after=("redis", "pubsub", TOPOLOGY),
        probe=HttpOk(port),
        address=f"http://{HOST}:{port}",
    )


def _worker(site: Site, name: str) -> Part:
    port = site.ports[name]
    return Part(
        name=name,
        argv=_module("signalbox_worker"),
        env={**_worker_env(site), **_own("WORKER", PORT=port)},
        after=("temporal", "redis", "receiver", TOPOLOGY),
        probe=HttpOk(port),
        address=f"http://{HOST}:{port}",
    )


def _worker_env(site: Site) -> Mapping[str, str]:
    """Of base and burst workers alike."""
    allowed = f"{HOST}:{site.ports['demo_site']}"
    also = site.environ.get("SIGNALBOX_WORKER_FETCH_ALLOW")
    own = _own(
        "WORKER",
        HOST=HOST,
        RECEIVER_URL=f"http://{HOST}:{site.ports['receiver']}/v1/events",
        KEYID=site.keys.keyid,
        PRIVATE_KEY_FILE=site.keys.private_key_file,
        OBJECTS_URL=_objects_url(site),
        FETCH_ALLOW=f"{allowed},{also}" if also else allowed,
    )
    return {
        **_temporal_env(site),
        **_payload_env(site),
        **_redis_env(site),
        **own,
        **_model_env(site),
        **_portal_env(site),
    }


def _autoscaler(site: Site) -> Part:
    """Its burst workers are processes of this machine; they start from its environment."""
    port = site.ports["autoscaler"]
    own = _own(
        "AUTOSCALER",
        HOST=HOST,
        PORT=port,
        PROVIDER="local",
        LOCAL_FOLDER=site.folder.bursts,
        POLICIES=site.environ.get("SIGNALBOX_AUTOSCALER_POLICIES", POLICIES),
    )
    return Part(
        name="autoscaler",
        argv=_module("signalbox_autoscaler"),
        env={**_worker_env(site), **own},
        after=("temporal", "redis", TOPOLOGY),
        probe=HttpOk(port),
        address=f"http://{HOST}:{port}",
        stop_within_s=15.0,
    )


def _gateway(site: Site) -> Part:
    port = site.ports["gateway"]
    ui = {"TEMPORAL_UI_URL": f"http://{HOST}:{site.ports['temporal_ui']}"} if site.has_temporal_ui else {}
    own = _own(
        "GATEWAY",
        HOST=HOST,
        PORT=port,
        PUBLIC_ORIGIN=f"http://{HOST}:{port}",
        API_KEYS_FILE=site.keys.api_keys_file,
        OBJECTS_URL=_objects_url(site),
        **ui,
    )
    return Part(
        name="gateway",
        argv=_module("signalbox_gateway"),
        env={**_temporal_env(site), **_payload_env(site), **_redis_env(site), **_pubsub_env(site), **own},
        after=("temporal", "redis", "pubsub", TOPOLOGY),
        probe=HttpOk(port),
        address=f"http://{HOST}:{port}",
    )


def _module(name: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name)


def _objects_url(site: Site) -> str:
    return site.folder.objects.as_uri()


def _own(service: str, **values: object) -> Mapping[str, str]:
    return {f"SIGNALBOX_{service}_{name}": str(value) for name, value in values.items()}


def _model_env(site: Site) -> Mapping[str, str]:
    """The local model server's, unless the caller's environment names a real one."""
    if not site.has_model_api or "SIGNALBOX_WORKER_MODEL_URL" in site.environ:
        return {}
    return _own(
        "WORKER",
        MODEL_URL=f"http://{HOST}:{site.ports['model_api']}/v1",
        MODEL_NAME=site.environ.get("SIGNALBOX_WORKER_MODEL_NAME", MODEL),
    )


def _portal_env(site: Site) -> Mapping[str, str]:
    """The simulated portal and where its passwords are, unless the caller's environment names others."""
    usual = _own(
        "WORKER", PORTAL_URL=f"http://{HOST}:{site.ports['portal']}/api", SECRETS_DIR=site.folder.secrets
    )
    return {name: value for name, value in usual.items() if name not in site.environ}


def _temporal_env(site: Site) -> Mapping[str, str]:
    return {"TEMPORAL_ADDRESS": f"{HOST}:{site.ports['temporal']}", "TEMPORAL_NAMESPACE": NAMESPACE}


def _payload_env(site: Site) -> Mapping[str, str]:
    return {"SIGNALBOX_PAYLOAD_KEYS_FILE": str(site.keys.payload_keys_file)}


def _redis_env(site: Site) -> Mapping[str, str]:
    return {"REDIS_URL": f"redis://{HOST}:{site.ports['redis']}/0"}


def _pubsub_env(site: Site) -> Mapping[str, str]:
    return {"PUBSUB_EMULATOR_HOST": f"{HOST}:{site.ports['pubsub']}", "GOOGLE_CLOUD_PROJECT": PROJECT}
