"""Every path that a container is given is a file or a folder that is mounted there."""

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from support.deployment import COMPOSE, ContainerMounts, compose_mounts, missing_paths, pod_mounts, pod_specs


@pytest.mark.parametrize(
    ("name", "pod"), list(pod_specs()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_path_of_a_pod_is_mounted(name: str, pod: Mapping[str, Any]) -> None:
    assert missing_paths(pod_mounts(pod)) == []


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_every_path_of_a_compose_service_is_mounted(name: str) -> None:
    assert missing_paths(compose_mounts(COMPOSE["services"][name])) == []


@pytest.mark.parametrize("name", ["worker", "burst-worker", "cloud-run burst-job"])
def test_workers_of_every_kind_hold_the_payload_keys(name: str) -> None:
    mounts = pod_mounts(dict(pod_specs())[name])
    assert mounts.environment["SIGNALBOX_PAYLOAD_KEYS_FILE"] in mounts.files
    assert mounts.environment["SIGNALBOX_WORKER_PRIVATE_KEY_FILE"] in mounts.files


def test_a_path_without_its_mount_is_found() -> None:
    mounts = pod_mounts(dict(pod_specs())["burst-worker"])
    without = replace(mounts, files=mounts.files - {"/secrets/payload-keys.json"})
    assert missing_paths(without) == ["SIGNALBOX_PAYLOAD_KEYS_FILE=/secrets/payload-keys.json"]
    assert (
        missing_paths(ContainerMounts({"A": "file:///objects"}, frozenset(), frozenset({"/objects"}))) == []
    )
