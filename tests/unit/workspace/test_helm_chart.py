"""The Helm chart has one source with the kustomize base: it renders to the same manifests."""

import importlib
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from support.deployment import ROOT

TOOLS = ROOT / "tools"
CHART = ROOT / "k8s/helm/signalbox"
VALUES = {
    "backends": {"REDIS_URL": "rediss://redis.example:6380/0"},
    "secrets": {"apiKeys": "my-keys"},
    "ingress": {"host": "runs.example.org", "className": "haproxy", "tlsSecret": "my-tls"},
    "gateway": {
        "image": {"repository": "eu.example/gateway", "digest": "sha256:" + "a" * 64},
        "autoscaling": {"minReplicas": 3},
        "environment": {"SIGNALBOX_GATEWAY_MAX_LISTENERS": "500"},
    },
    "worker": {"image": {"repository": "eu.example/worker", "tag": "1.2.3"}, "replicas": 7},
    "burstWorker": {"resources": {"limits": {"memory": "4Gi"}}},
    "autoscaler": {"environment": {"SIGNALBOX_AUTOSCALER_KEDA_PORT": "9100"}},
    "networkPolicies": {"monitoringNamespace": "observability"},
}

BROKEN = {
    "value": ("values.yaml", "maxReplicas: 10", "maxReplicas: 11", ".spec.maxReplicas"),
    "expression": (
        "templates/worker.yaml",
        ".Values.worker.replicas",
        ".Values.autoscaler.replica",
        "Deployment worker.spec.replicas",
    ),
    "syntax": ("templates/config.yaml", "| toJson }}", "| toJson }", "is refused"),
    "kind": ("templates/ingress.yaml", "kind: Ingress", "kind: Egress", "no schema"),
}


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    sys.path.insert(0, str(TOOLS))
    try:
        return importlib.import_module("helm_chart")
    finally:
        sys.path.remove(str(TOOLS))


@pytest.fixture(scope="module")
def base(tool: ModuleType) -> Any:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    return tool.plain(tool.rendered(ROOT / "k8s", "base"))


@pytest.fixture
def helm(tool: ModuleType) -> None:
    if tool.find_helm() is None:
        pytest.skip("helm is not installed (tools/helm.py)")


def test_the_chart_is_what_the_base_gives(tool: ModuleType, base: Any) -> None:
    assert list(tool.stale(tool.chart_files(base))) == []


def test_one_changed_line_of_the_base_is_found(tool: ModuleType, tmp_path: Path, base: Any) -> None:
    k8s = Path(shutil.copytree(ROOT / "k8s", tmp_path / "k8s"))
    path = k8s / "base/gateway.yaml"
    path.write_text(
        path.read_text().replace("terminationGracePeriodSeconds: 60", "terminationGracePeriodSeconds: 61")
    )
    changed = tool.plain(tool.rendered(k8s, "base"))
    assert list(tool.stale(tool.chart_files(changed))) == [
        "k8s/helm/signalbox/templates/gateway.yaml is out of date; run make generate"
    ]


@pytest.mark.usefixtures("helm")
def test_helm_renders_the_chart_to_the_manifests_of_the_base(tool: ModuleType, base: Any) -> None:
    assert list(tool.differences(base, CHART)) == []


@pytest.mark.usefixtures("helm")
@pytest.mark.parametrize("kind", BROKEN)
def test_one_wrong_line_of_the_chart_is_found(tool: ModuleType, base: Any, tmp_path: Path, kind: str) -> None:
    name, line, wrong, found = BROKEN[kind]
    chart = Path(shutil.copytree(CHART, tmp_path / "signalbox"))
    text = (chart / name).read_text()
    assert line in text
    (chart / name).write_text(text.replace(line, wrong, 1))
    assert found in "\n".join(tool.differences(base, chart))


@pytest.mark.usefixtures("helm")
def test_values_reach_the_manifests(tool: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "values.yaml"
    path.write_text(yaml.safe_dump(VALUES))
    found = {(item["kind"], item["metadata"]["name"]): item for item in tool.render(CHART, "-f", str(path))}

    gateway = found["Deployment", "gateway"]["spec"]["template"]["spec"]
    worker = found["Deployment", "worker"]["spec"]
    burst = found["PodTemplate", "burst-worker"]["template"]["spec"]["containers"][0]
    assert gateway["containers"][0]["image"] == f"eu.example/gateway@sha256:{'a' * 64}"
    assert worker["template"]["spec"]["containers"][0]["image"] == burst["image"] == "eu.example/worker:1.2.3"
    assert (worker["replicas"], burst["resources"]["limits"]["memory"]) == (7, "4Gi")
    assert found["HorizontalPodAutoscaler", "gateway"]["spec"]["minReplicas"] == 3
    secrets = [source["secret"]["name"] for source in gateway["volumes"][2]["projected"]["sources"]]
    assert secrets == ["my-keys", "signalbox-payload-keys", "signalbox-ledger-key"]
    (rule,) = found["Ingress", "gateway"]["spec"]["rules"]
    assert rule["host"] == "runs.example.org"
    settings = found["ConfigMap", "signalbox-gateway"]["data"]
    assert settings["SIGNALBOX_GATEWAY_PUBLIC_ORIGIN"] == "https://runs.example.org"
    assert settings["SIGNALBOX_GATEWAY_MAX_LISTENERS"] == "500"
    assert settings["SIGNALBOX_GATEWAY_METRICS_PORT"] == "9090"
    callbacks = found["ConfigMap", "signalbox-worker"]["data"]["SIGNALBOX_WORKER_CALLBACK_ORIGIN"]
    assert callbacks == "https://runs.example.org"
    variables = found["Deployment", "autoscaler"]["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "SIGNALBOX_AUTOSCALER_KEDA_PORT", "value": "9100"} in variables
    metrics = found["NetworkPolicy", "metrics"]["spec"]["ingress"][0]["from"][0]["namespaceSelector"]
    assert metrics == {"matchLabels": {"kubernetes.io/metadata.name": "observability"}}


@pytest.mark.usefixtures("helm")
def test_a_changed_environment_restarts_the_pods_that_read_it(tool: ModuleType) -> None:
    def checksums(*arguments: str) -> dict[str, str]:
        return {
            item["metadata"]["name"]: item["spec"]["template"]["metadata"]["annotations"][tool.CHECKSUM]
            for item in tool.render(CHART, *arguments)
            if item["kind"] == "Deployment"
        }

    before, after = checksums(), checksums("--set-string", "worker.environment.SIGNALBOX_WORKER_PORT=8081")
    assert {name for name in before if before[name] != after[name]} == {"worker"}


@pytest.mark.usefixtures("helm")
def test_what_is_optional_can_be_left_out(tool: ModuleType) -> None:
    flags = ("--set", "ingress.enabled=false,networkPolicies.enabled=false")
    assert {"Ingress", "NetworkPolicy"}.isdisjoint(item["kind"] for item in tool.render(CHART, *flags))


@pytest.mark.usefixtures("helm")
@pytest.mark.parametrize(
    ("setting", "named"),
    [
        pytest.param("gateway.replica=3", "replica", id="misspelt"),
        pytest.param("worker.replicas=many", "/worker/replicas", id="wrong type"),
        pytest.param("gateway.environment.SIGNALBOX_GATEWAY_PORT=1", "SIGNALBOX_GATEWAY_PORT", id="number"),
    ],
)
def test_a_wrong_value_is_refused_by_name(tool: ModuleType, setting: str, named: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        tool.render(CHART, "--set", setting)
    assert named in refused.value.stderr
