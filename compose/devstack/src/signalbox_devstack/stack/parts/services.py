"""The services of Signalbox, each configured through environment variables alone, as in production."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from signalbox_devstack.stack.config import HOST, NAMESPACE, PROJECT, TOPOLOGY, StackConfig
from signalbox_devstack.stack.parts.part import HttpOk, Part, python_module

DEFAULT_MODEL: Final = "sim"
SCALING_POLICIES: Final = Path(__file__).parents[1] / "policies.toml"


def receiver(config: StackConfig) -> Part:
    port = config.ports["receiver"]
    own = _settings(
        "RECEIVER",
        HOST=HOST,
        PORT=port,
        PUBLIC_ORIGIN=f"http://{HOST}:{port}",
        KEYS=config.keys.sender_keys_file,
    )
    return Part(
        name="receiver",
        argv=python_module("signalbox_webhook_receiver"),
        env={**_redis_env(config), **_pubsub_env(config), **own},
        depends_on=("redis", "pubsub", TOPOLOGY),
        probe=HttpOk(port),
        address=f"http://{HOST}:{port}",
    )


def worker(config: StackConfig, name: str) -> Part:
    port = config.ports[name]
    return Part(
        name=name,
        argv=python_module("signalbox_worker"),
        env={**_worker_env(config), **_settings("WORKER", PORT=port)},
        depends_on=("temporal", "redis", "receiver", TOPOLOGY),
        probe=HttpOk(port),
        address=f"http://{HOST}:{port}",
    )


def autoscaler(config: StackConfig) -> Part:
    """The autoscaler with its local provider: burst workers are child processes with its environment."""
    port = config.ports["autoscaler"]
    own = _settings(
        "AUTOSCALER",
        HOST=HOST,
        PORT=port,
        PROVIDER="local",
        LOCAL_FOLDER=config.folder.bursts,
        POLICIES=config.environ.get("SIGNALBOX_AUTOSCALER_POLICIES", SCALING_POLICIES),
    )
    return Part(
        name="autoscaler",
        argv=python_module("signalbox_autoscaler"),
        env={**_worker_env(config), **own},
        depends_on=("temporal", "redis", TOPOLOGY),
        probe=HttpOk(port),
        address=f"http://{HOST}:{port}",
        stop_within_s=15.0,
    )


def gateway(config: StackConfig) -> Part:
    port = config.ports["gateway"]
    temporal_ui = f"http://{HOST}:{config.ports['temporal_ui']}" if config.has_temporal_ui else None
    own = _settings(
        "GATEWAY",
        HOST=HOST,
        PORT=port,
        PUBLIC_ORIGIN=f"http://{HOST}:{port}",
        API_KEYS_FILE=config.keys.api_keys_file,
        OBJECTS_URL=_objects_url(config),
        LEDGER_KEY_FILE=config.keys.ledger_key_file,
        # Browsers accept no IP address as the domain of a passkey.
        PASSKEY_RP_ID="localhost",
        PASSKEY_ORIGINS=f"http://localhost:{port}",
        **({"TEMPORAL_UI_URL": temporal_ui} if temporal_ui else {}),
    )
    backends = {**_temporal_env(config), **_payload_env(config), **_redis_env(config), **_pubsub_env(config)}
    return Part(
        name="gateway",
        argv=python_module("signalbox_gateway"),
        env={**backends, **own},
        depends_on=("temporal", "redis", "pubsub", TOPOLOGY),
        probe=HttpOk(port),
        address=f"http://{HOST}:{port}",
    )


def _worker_env(config: StackConfig) -> Mapping[str, str]:
    """The environment that base and burst workers share."""
    demo_site = f"{HOST}:{config.ports['demo_site']}"
    also_allowed = config.environ.get("SIGNALBOX_WORKER_FETCH_ALLOW")
    own = _settings(
        "WORKER",
        HOST=HOST,
        RECEIVER_URL=f"http://{HOST}:{config.ports['receiver']}/v1/events",
        CALLBACK_ORIGIN=f"http://{HOST}:{config.ports['gateway']}",
        KEYID=config.keys.keyid,
        PRIVATE_KEY_FILE=config.keys.private_key_file,
        OBJECTS_URL=_objects_url(config),
        FETCH_ALLOW=f"{demo_site},{also_allowed}" if also_allowed else demo_site,
    )
    backends = {**_temporal_env(config), **_payload_env(config), **_redis_env(config)}
    return {**backends, **own, **_model_env(config), **_portal_env(config)}


def _model_env(config: StackConfig) -> Mapping[str, str]:
    """The simulated model server, unless the caller's environment configures another."""
    if not config.has_model_api or "SIGNALBOX_WORKER_MODEL_URL" in config.environ:
        return {}
    return _settings(
        "WORKER",
        MODEL_URL=f"http://{HOST}:{config.ports['model_api']}/v1",
        MODEL_NAME=config.environ.get("SIGNALBOX_WORKER_MODEL_NAME", DEFAULT_MODEL),
    )


def _portal_env(config: StackConfig) -> Mapping[str, str]:
    """The simulated portal and its passwords, unless the caller's environment configures others."""
    defaults = _settings(
        "WORKER",
        PORTAL_URL=f"http://{HOST}:{config.ports['portal']}/api",
        SECRETS_DIR=config.folder.secrets,
    )
    return {name: value for name, value in defaults.items() if name not in config.environ}


def _temporal_env(config: StackConfig) -> Mapping[str, str]:
    return {"TEMPORAL_ADDRESS": f"{HOST}:{config.ports['temporal']}", "TEMPORAL_NAMESPACE": NAMESPACE}


def _payload_env(config: StackConfig) -> Mapping[str, str]:
    return {"SIGNALBOX_PAYLOAD_KEYS_FILE": str(config.keys.payload_keys_file)}


def _redis_env(config: StackConfig) -> Mapping[str, str]:
    return {"REDIS_URL": f"redis://{HOST}:{config.ports['redis']}/0"}


def _pubsub_env(config: StackConfig) -> Mapping[str, str]:
    return {"PUBSUB_EMULATOR_HOST": f"{HOST}:{config.ports['pubsub']}", "GOOGLE_CLOUD_PROJECT": PROJECT}


def _objects_url(config: StackConfig) -> str:
    return config.folder.objects.as_uri()


def _settings(service: str, **values: object) -> Mapping[str, str]:
    """`SIGNALBOX_<SERVICE>_<NAME>` for each value."""
    return {f"SIGNALBOX_{service}_{name}": str(value) for name, value in values.items()}
