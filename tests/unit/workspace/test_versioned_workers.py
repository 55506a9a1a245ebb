"""Versioned workers in Kubernetes and Compose: each build is a Deployment that others leave alone."""

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from signalbox_core.settings import read_settings
from signalbox_worker.deployment import deployment_config
from signalbox_worker.settings import PREFIX, Settings
from support.deployment import COMPOSE, DEPLOYMENTS, ROOT, environment

COMPONENT = "components/versioned-workers"
Workloads = dict[tuple[str, str], Any]


@pytest.fixture(scope="module")
def manifests() -> ModuleType:
    spec = importlib.util.spec_from_file_location("manifests", ROOT / "tools/manifests.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rendered(manifests: ModuleType, folder: Path, build: str) -> Workloads:
    """What the component renders to for a build, by kind and name."""
    k8s = Path(shutil.copytree(ROOT / "k8s", folder / build))
    (k8s / COMPONENT / "build.env").write_text(f"deployment=workers\nbuild={build}\n")
    return {(item["kind"], item["metadata"]["name"]): item for item in manifests.rendered(k8s, COMPONENT)}


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_each_build_is_a_deployment_of_its_own(manifests: ModuleType, tmp_path: Path) -> None:
    first, second = (rendered(manifests, tmp_path, build) for build in ("b1", "2026-11-30"))

    assert ("Deployment", "worker") not in first
    worker = second["Deployment", "worker-2026-11-30"]["spec"]
    assert worker["selector"]["matchLabels"] == {
        "app.kubernetes.io/name": "worker",
        "signalbox.dev/build": "2026-11-30",
    }
    assert worker["template"]["metadata"]["labels"].items() >= worker["selector"]["matchLabels"].items()
    for workloads, build in ((first, "b1"), (second, "2026-11-30")):
        pods = (
            workloads["Deployment", f"worker-{build}"]["spec"]["template"],
            workloads["PodTemplate", "burst-worker"]["template"],
        )
        for pod in pods:
            (container,) = pod["spec"]["containers"]
            given = {entry["name"]: entry["value"] for entry in container["env"]}
            assert given["SIGNALBOX_WORKER_BUILD_ID"] == build
            assert given["SIGNALBOX_WORKER_DEPLOYMENT_NAME"] == "workers"
    assert first.keys() ^ second.keys() == {("Deployment", "worker-b1"), ("Deployment", "worker-2026-11-30")}
    assert not any(name == "worker-build" for _, name in first), "only the replacements need it"


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_the_selector_of_the_docs_leaves_burst_workers_out(manifests: ModuleType, tmp_path: Path) -> None:
    found = rendered(manifests, tmp_path, "b1")
    named = [
        key
        for key, item in found.items()
        if item["metadata"].get("labels", {}).get("app.kubernetes.io/name") == "burst-worker"
    ]
    assert named == [("PodTemplate", "burst-worker")]
    assert "--selector 'app.kubernetes.io/name!=burst-worker'" in (ROOT / "docs/worker-builds.md").read_text()


def test_the_versioned_worker_accepts_its_environment() -> None:
    (container,) = DEPLOYMENTS["worker"]["spec"]["template"]["spec"]["containers"]
    build = {"SIGNALBOX_WORKER_DEPLOYMENT_NAME": "workers", "SIGNALBOX_WORKER_BUILD_ID": "b1"}
    settings = read_settings(Settings, prefix=PREFIX, environ={**environment(container), **build})
    assert deployment_config(settings) is not None


def test_both_builds_in_compose_belong_to_one_deployment_and_start_as_the_worker_does() -> None:
    overlay = yaml.safe_load((ROOT / "compose/versioned-workers.yml").read_text())["services"]
    worker, following = overlay["worker"], overlay["worker-next"]

    assert following["extends"] == {"file": "docker-compose.yml", "service": "worker"}
    assert following["profiles"] == ["next"], "it starts on request only"
    names = {item["environment"]["SIGNALBOX_WORKER_DEPLOYMENT_NAME"] for item in (worker, following)}
    assert names == {"workers"}
    assert worker["image"] != following["image"]
    given = COMPOSE["services"]["worker"]["environment"] | worker["environment"]
    known = {name: value for name, value in given.items() if value is not None}
    assert read_settings(Settings, prefix=PREFIX, environ=known).deployment_name == "workers"
