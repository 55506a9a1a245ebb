"""The endpoints file: every address and key of a running stack, as JSON (docs/dev-stack.md)."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from signalbox_core.errors import Conflict, InvalidInput, NotFound
from signalbox_devstack.stack.config import StackConfig
from signalbox_devstack.stack.folder import write_state
from signalbox_devstack.stack.part_supervisor import PartState


class ReceiverKey(Struct, frozen=True, kw_only=True):
    keyid: str
    private_key_file: str


class Endpoints(Struct, frozen=True, kw_only=True):
    """The content of the file.

    Attributes:
        gateway … model_api: the part's address; null when the part does not run.
        api_keys: by role.
        receiver_key: the key that signs the worker's events.
        pids: by part.
    """

    gateway: str | None = None
    receiver: str | None = None
    autoscaler: str | None = None
    temporal: str | None = None
    temporal_ui: str | None = None
    redis: str | None = None
    pubsub: str | None = None
    demo_site: str | None = None
    portal: str | None = None
    model_api: str | None = None
    api_keys: Mapping[str, str] = {}
    receiver_key: ReceiverKey | None = None
    pids: Mapping[str, int] = {}


def endpoints_of(config: StackConfig, states: Sequence[PartState]) -> Endpoints:
    addresses = {state.name: state.address for state in states}
    has_ui = config.has_temporal_ui and "temporal" in addresses
    return Endpoints(
        gateway=addresses.get("gateway"),
        receiver=addresses.get("receiver"),
        autoscaler=addresses.get("autoscaler"),
        temporal=addresses.get("temporal"),
        temporal_ui=f"http://127.0.0.1:{config.ports['temporal_ui']}" if has_ui else None,
        redis=addresses.get("redis"),
        pubsub=addresses.get("pubsub"),
        demo_site=addresses.get("demo_site"),
        portal=addresses.get("portal"),
        model_api=addresses.get("model_api"),
        api_keys=config.keys.api_keys,
        receiver_key=ReceiverKey(keyid=config.keys.keyid, private_key_file=str(config.keys.private_key_file)),
        pids={state.name: state.pid for state in states if state.pid is not None},
    )


def write_endpoints(path: Path, endpoints: Endpoints) -> None:
    """Replace the file atomically, with mode 0600 because it contains keys."""
    write_state(path, msgspec.json.format(msgspec.json.encode(endpoints), indent=2) + b"\n")


def check_endpoints_file(path: Path) -> None:
    """Check that a stack may write and remove this file.

    Raises:
        InvalidInput: it is a folder, or cannot be written.
        Conflict: it holds something else, which would be lost.
    """
    if path.is_dir():
        raise InvalidInput(f"--endpoints {path} is a folder; name a file", field="--endpoints")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        content = path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise InvalidInput(f"--endpoints {path}: {error.strerror}", field="--endpoints") from None
    if not os.access(path.parent, os.W_OK):
        raise InvalidInput(f"--endpoints {path}: cannot write to its folder", field="--endpoints")
    if content.strip() and not _are_endpoints(content):
        raise Conflict(
            f"--endpoints {path} exists and is not an endpoints file; name another file", field="--endpoints"
        )


def _are_endpoints(content: bytes) -> bool:
    try:
        found = msgspec.json.decode(content, type=dict[str, object])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return {"gateway", "api_keys", "pids"} <= set(found)


def read_endpoints(path: Path) -> Endpoints:
    """Raises: NotFound when the file does not exist."""
    if not path.exists():
        raise NotFound(
            f"there is no endpoints file {path}; start the stack with: signalbox-dev up", field="--endpoints"
        )
    return msgspec.json.decode(path.read_bytes(), type=Endpoints)
