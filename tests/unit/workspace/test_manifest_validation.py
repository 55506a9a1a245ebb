"""The check of the manifests passes as they are, and fails on one wrong line in each kind of them."""

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from signalbox_autoscaler.policies import read_policies
from signalbox_webhook_receiver.profile import MAX_BATCH_BYTES
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
    "Component of the receiver": ("components/public-receiver/kustomization.yaml", "literals:", "literal:"),
    "Ingress of the receiver": ("components/public-receiver/ingress.yaml", "pathType: Exact", "type: Exact"),
    "NetworkPolicy of the receiver": (
        "components/public-receiver/network-policy.yaml",
        "policyTypes: [Ingress]",
        "policyType: [Ingress]",
    ),
    "Component of versioned workers": (
        "components/versioned-workers/kustomization.yaml",
        "replacements:",
        "replacement:",
    ),
    "Component of KEDA's external scaler": (
        "components/keda-target/kustomization.yaml",
        "patches:",
        "patch:",
    ),
    "ScaledObject of KEDA's external scaler": (
        "components/keda-target/scaled-object.yaml",
        "scalerAddress:",
        "address:",
    ),
    "NetworkPolicy of KEDA's external scaler": (
        "components/keda-target/network-policy.yaml",
        "podSelector:",
        "podSelectors:",
    ),
    "Kustomization of the overlay": ("overlays/local/kustomization.yaml", "newTag: dev}", "tag: dev}"),
    "NetworkPolicy of the overlay": ("overlays/local/network-policies.yaml", "port: 8085", "port: []"),
}
COMPOSE_FILES = {
    "docker-compose.yml": ("stop_grace_period: 20s", "stop_grace: 20s"),
    "observability.yml": ("depends_on: [jaeger]", "depends: [jaeger]"),
    "versioned-workers.yml": ("profiles: [next]", "profile: [next]"),
}
CONFIGURATION = {
    "collector.yaml": ("processors: [memory_limiter, batch]", "processor: [memory_limiter, batch]"),
    "prometheus.yaml": ("scrape_interval: 15s", "scrape_intervals: 15s"),
    "rules.yaml": ("- record: signalbox:start:slow_ratio_5m", "- records: signalbox:start:slow_ratio_5m"),
    "grafana/dashboards.yaml": ("type: file", "kind: file"),
    "grafana/datasource.yaml": ("isDefault: true", "default: true"),
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
    assert list(manifests.observability_problems(ROOT / "compose/observability")) == []


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


@pytest.mark.parametrize("name", COMPOSE_FILES)
def test_one_wrong_line_in_a_compose_file_is_found(manifests: ModuleType, tmp_path: Path, name: str) -> None:
    path, (line, wrong) = tmp_path / name, COMPOSE_FILES[name]
    text = (ROOT / "compose" / name).read_text()
    assert line in text
    path.write_text(text.replace(line, wrong))
    assert manifests.compose_problems(path) != []


@pytest.mark.parametrize("name", CONFIGURATION)
def test_one_wrong_line_of_configuration_is_found(manifests: ModuleType, tmp_path: Path, name: str) -> None:
    folder = Path(shutil.copytree(ROOT / "compose/observability", tmp_path / "observability"))
    path, (line, wrong) = folder / name, CONFIGURATION[name]
    text = path.read_text()
    assert line in text
    path.write_text(text.replace(line, wrong, 1))

    (found,) = manifests.observability_problems(folder)

    assert found.startswith(f"{name}: ")


def test_every_file_of_configuration_is_validated_and_broken_once() -> None:
    files = [path for path in (ROOT / "compose").rglob("*.y*ml") if "src" not in path.parts]
    names = {
        str(path.relative_to(ROOT / "compose")).removeprefix("observability/")
        for path in files
        if path.name not in ("rules.test.yaml", "temporal-dynamic.yaml")
    }
    assert names == COMPOSE_FILES.keys() | CONFIGURATION.keys()


def test_every_kind_of_manifest_is_broken_once(manifests: ModuleType) -> None:
    kinds = {
        item["kind"]
        for path in (ROOT / "k8s").rglob("*.yaml")
        if path.parent.name != "cloud-run" and ROOT / "k8s/helm" not in path.parents
        for item in yaml.safe_load_all(path.read_text())
    }
    assert kinds <= set(BROKEN)
    assert manifests.problem_of({"apiVersion": "example.com/v1", "kind": "Unknown"}).startswith("no schema")


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_a_public_receiver_and_its_workers_use_the_origin_of_its_ingress(manifests: ModuleType) -> None:
    rendered = manifests.rendered(ROOT / "k8s", "components/public-receiver")
    assert {item["metadata"].get("namespace") for item in rendered if item["kind"] != "Namespace"} == {
        "signalbox"
    }
    (ingress,) = (
        item
        for item in rendered
        if item["kind"] == "Ingress" and item["metadata"]["name"] == "webhook-receiver"
    )
    (rule,), (tls,) = ingress["spec"]["rules"], ingress["spec"]["tls"]
    variables: dict[str, str] = {}
    for item in rendered:
        variables |= item.get("data", {}) if item["kind"] == "ConfigMap" else {}
    assert tls["hosts"] == [rule["host"]]
    assert variables["SIGNALBOX_RECEIVER_PUBLIC_ORIGIN"] == f"https://{rule['host']}"
    assert variables["SIGNALBOX_WORKER_RECEIVER_URL"] == f"https://{rule['host']}/v1/events"
    assert [(path["path"], path["pathType"]) for path in rule["http"]["paths"]] == [("/v1/events", "Exact")]
    body_size = ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-body-size"]
    assert body_size == f"{MAX_BATCH_BYTES // 2**20}m", "the proxy refuses what the receiver would refuse"


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_keda_calls_the_port_of_the_autoscaler_about_queues_with_a_policy(manifests: ModuleType) -> None:
    rendered = {
        (item["kind"], item["metadata"]["name"]): item
        for item in manifests.rendered(ROOT / "k8s", "components/keda-target")
    }
    (container,) = rendered["Deployment", "autoscaler"]["spec"]["template"]["spec"]["containers"]
    service = rendered["Service", "autoscaler"]
    ports = {port["name"]: port["port"] for port in service["spec"]["ports"]}
    variables = {entry["name"]: entry.get("value") for entry in container["env"]}
    triggers = rendered["ScaledObject", "worker"]["spec"]["triggers"]
    policies = read_policies(ROOT / "k8s/base/policies.toml")

    assert variables["SIGNALBOX_AUTOSCALER_KEDA_PORT"] == str(ports["keda"])
    assert {port["containerPort"] for port in container["ports"] if port["name"] == "keda"} == {ports["keda"]}
    address = f"{service['metadata']['name']}.{service['metadata']['namespace']}:{ports['keda']}"
    assert {trigger["metadata"]["scalerAddress"] for trigger in triggers} == {address}
    (worker,) = rendered["Deployment", "worker"]["spec"]["template"]["spec"]["containers"]
    slots = {entry["name"]: entry.get("value") for entry in worker["env"]}["SIGNALBOX_WORKER_MAX_ACTIVITIES"]
    sized = [policies.get(trigger["metadata"]["taskQueue"]) for trigger in triggers]
    assert [policy and policy.slots_per_worker for policy in sized] == [int(slots)]
    assert "replicas" not in rendered["Deployment", "worker"]["spec"]


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
