"""The check of the manifests passes as they are, and fails on one wrong line in each kind of them."""

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from support.deployment import ROOT

BROKEN = {
    "Namespace": ("base/namespace.yaml", "metadata:", "metadat:"),
    "ServiceAccount": (
        "base/service-accounts.yaml",
        "automountServiceAccountToken: false",
        "automount: false",
    ),
    "Deployment": ("base/gateway.yaml", "terminationGracePeriodSeconds: 60", "terminationGracePeriod: 60"),
    "Service": ("base/gateway.yaml", "port: 80, targetPort: http", "port: eighty, targetPort: http"),
    "HorizontalPodAutoscaler": ("base/gateway.yaml", "maxReplicas: 10", "maximumReplicas: 10"),
    "PodDisruptionBudget": ("base/gateway.yaml", "maxUnavailable: 1", "unavailable: 1"),
    "PodTemplate": ("base/worker.yaml", "    restartPolicy: Never", "    restart: Never"),
    "Role": ("base/autoscaler.yaml", "    verbs: [get]", "    verb: [get]"),
    "RoleBinding": ("base/autoscaler.yaml", "roleRef: {", "role: {"),
    "Job": ("base/provision.yaml", "backoffLimit: 10", "backoffLimit: ten"),
    "Ingress": ("base/ingress.yaml", "ingressClassName: nginx", "ingressClass: nginx"),
    "NetworkPolicy": ("base/network-policies.yaml", "podSelector: {}", "podSelectors: {}"),
    "PersistentVolumeClaim": ("overlays/local/backends.yaml", "accessModes:", "accessMode:"),
    "Kustomization": ("base/kustomization.yaml", "configMapGenerator:", "configMapGenerators:"),
    "Component": ("components/keda/kustomization.yaml", "patches:", "patch:"),
    "ScaledObject": ("components/keda/scaled-object.yaml", "pollingInterval: 15", "pollInterval: 15"),
    "Cloud Run service": ("cloud-run/autoscaler.yaml", "limits: {", "limit: {"),
    "Cloud Run job": ("cloud-run/burst-job.yaml", "maxRetries: 0", "maxRetry: 0"),
}


@pytest.fixture(scope="module")
def manifests() -> ModuleType:
    spec = importlib.util.spec_from_file_location("manifests", ROOT / "tools/manifests.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def k8s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of k8s/ to break; kubectl is hidden, so that the schemas alone have to find it."""
    monkeypatch.setenv("PATH", "")
    return Path(shutil.copytree(ROOT / "k8s", tmp_path / "k8s"))


def test_the_manifests_are_valid(manifests: ModuleType) -> None:
    assert list(manifests.problems(ROOT / "k8s")) == []
    assert manifests.compose_problems(ROOT / "compose/docker-compose.yml") == []


@pytest.mark.parametrize("kind", BROKEN)
def test_one_wrong_line_is_found(manifests: ModuleType, k8s: Path, kind: str) -> None:
    name, line, wrong = BROKEN[kind]
    path = k8s / name
    text = path.read_text()
    assert line in text
    path.write_text(text.replace(line, wrong, 1))

    found = list(manifests.problems(k8s))

    assert len(found) == 1
    assert found[0].startswith(f"k8s/{name}: ")


def test_one_wrong_line_in_the_compose_file_is_found(manifests: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "docker-compose.yml"
    text = (ROOT / "compose/docker-compose.yml").read_text()
    path.write_text(text.replace("stop_grace_period: 20s", "stop_grace: 20s"))
    assert manifests.compose_problems(path) != []


def test_every_kind_of_manifest_is_broken_once(manifests: ModuleType) -> None:
    kinds = {
        item["kind"]
        for path in (ROOT / "k8s").rglob("*.yaml")
        if path.parent.name != "cloud-run"
        for item in yaml.safe_load_all(path.read_text())
    }
    assert kinds <= set(BROKEN)
    assert manifests.problem_of({"apiVersion": "example.com/v1", "kind": "Unknown"}).startswith("no schema")


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_images_of_an_overlay_reach_base_and_burst_workers(manifests: ModuleType) -> None:
    rendered = manifests.rendered(ROOT / "k8s", "overlays/local")
    templates = {
        (item["kind"], item["metadata"]["name"]): item.get("template") or item["spec"]["template"]
        for item in rendered
        if item["kind"] in ("Deployment", "PodTemplate", "Job")
    }
    base, burst = (
        templates[key]["spec"] for key in (("Deployment", "worker"), ("PodTemplate", "burst-worker"))
    )
    assert base["containers"][0]["image"] == "localhost/signalbox/worker:dev"
    for name in ("image", "envFrom", "volumeMounts"):
        assert base["containers"][0][name] == burst["containers"][0][name]
    assert base["volumes"] == burst["volumes"]
    images = [pod["spec"]["containers"][0]["image"] for pod in templates.values()]
    assert not any("registry.invalid" in image for image in images)
    assert {"Ingress", "HorizontalPodAutoscaler"}.isdisjoint(item["kind"] for item in rendered)
