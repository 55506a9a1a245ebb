"""Reads the files of k8s/ and compose/: manifests, pod specs, and each container's environment and mounts."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "k8s/base"
COMPOSE: Mapping[str, Any] = yaml.safe_load((ROOT / "compose/docker-compose.yml").read_text())
KUSTOMIZATION: Mapping[str, Any] = yaml.safe_load((BASE / "kustomization.yaml").read_text())
MANIFESTS: list[Mapping[str, Any]] = [
    manifest
    for name in KUSTOMIZATION["resources"]
    for manifest in yaml.safe_load_all((BASE / name).read_text())
]
DEPLOYMENTS = {item["metadata"]["name"]: item for item in MANIFESTS if item["kind"] == "Deployment"}
(BURST,) = (item for item in MANIFESTS if item["kind"] == "PodTemplate")
CLOUD_RUN = {
    path.stem: yaml.safe_load(path.read_text()) for path in sorted((ROOT / "k8s/cloud-run").glob("*.yaml"))
}


class ContainerMounts(Struct, frozen=True):
    """A container's literal environment, and the files and folders that are mounted into it."""

    environment: Mapping[str, str]
    files: frozenset[str]
    folders: frozenset[str]


def generated(name: str) -> dict[str, str]:
    """The literals of a generated ConfigMap of the base."""
    found = next(item for item in KUSTOMIZATION["configMapGenerator"] if item["name"] == name)
    return dict(literal.split("=", 1) for literal in found.get("literals", ()))


def config_keys(name: str) -> set[str]:
    """The keys of a generated ConfigMap of the base."""
    found = next(item for item in KUSTOMIZATION["configMapGenerator"] if item["name"] == name)
    return {*generated(name), *(Path(file).name for file in found.get("files", ()))}


def environment(container: Mapping[str, Any]) -> dict[str, str]:
    """The environment of a container of k8s/; values of fields are replaced by the field's path."""
    shared = {
        key: value
        for source in container.get("envFrom", ())
        for key, value in generated(source["configMapRef"]["name"]).items()
    }
    own = {
        entry["name"]: entry.get("value") or entry["valueFrom"]["fieldRef"]["fieldPath"]
        for entry in container.get("env", ())
    }
    return {**shared, **own}


def pod_specs() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every pod spec in k8s/, with a readable name."""
    for item in MANIFESTS:
        if item["kind"] in ("Deployment", "Job"):
            yield item["metadata"]["name"], item["spec"]["template"]["spec"]
    yield "burst-worker", BURST["template"]["spec"]
    yield "cloud-run autoscaler", CLOUD_RUN["autoscaler"]["spec"]["template"]["spec"]
    yield "cloud-run burst-job", CLOUD_RUN["burst-job"]["spec"]["template"]["spec"]["template"]["spec"]


def pod_mounts(pod: Mapping[str, Any]) -> ContainerMounts:
    """The environment and mounts of a pod's only container."""
    (container,) = pod["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container.get("volumeMounts", ())}
    files, folders = set[str](), set[str]()
    for volume in pod.get("volumes", ()):
        path = mounts[volume["name"]]
        folders |= {path} if "emptyDir" in volume or "persistentVolumeClaim" in volume else set()
        files |= {f"{path}/{key}" for key in _volume_files(volume)}
    return ContainerMounts(environment(container), frozenset(files), frozenset(folders))


def compose_mounts(service: Mapping[str, Any]) -> ContainerMounts:
    """The environment and mounts of a Compose service."""
    volumes = [volume.split(":") for volume in service.get("volumes", ())]
    return ContainerMounts(
        {key: str(value) for key, value in service.get("environment", {}).items() if value is not None},
        frozenset(
            [f"/run/secrets/{name}" for name in service.get("secrets", ())]
            + [parts[1] for parts in volumes if parts[0].startswith(".")]
        ),
        frozenset([*service.get("tmpfs", ()), *(p[1] for p in volumes if not p[0].startswith("."))]),
    )


def missing_paths(mounts: ContainerMounts) -> list[str]:
    """Variables whose path is neither a mounted file nor inside a mounted folder."""
    return [
        f"{name}={value}"
        for name, value in mounts.environment.items()
        if (path := _path(value)) is not None
        and path not in mounts.files
        and not any(path == folder or path.startswith(f"{folder}/") for folder in mounts.folders)
    ]


def _path(value: str) -> str | None:
    value = value.removeprefix("file://")
    return value if value.startswith("/") else None


def _volume_files(volume: Mapping[str, Any]) -> Iterator[str]:
    """The keys that a volume contains as files. A secret must list its items, as nothing else names them."""
    sources = [volume, *volume.get("projected", {}).get("sources", ())]
    for source in sources:
        yield from (item["path"] for item in source.get("secret", {}).get("items", ()))
        if "configMap" in source:
            yield from config_keys(source["configMap"]["name"])
