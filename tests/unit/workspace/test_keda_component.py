"""KEDA's scale-in leaves running activities the time to finish, as the autoscaler's does."""

from typing import Any

import pytest
import yaml

from signalbox_autoscaler.actuate.executor import DRAIN_S
from support.deployment import ROOT, environment

COMPONENTS = ("keda", "keda-target")


def spec_of_the_scaled_object(component: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(
        (ROOT / "k8s/components" / component / "scaled-object.yaml").read_text()
    )["spec"]
    return found


def patched_worker_pod(component: str) -> dict[str, Any]:
    path = ROOT / "k8s/components" / component / "kustomization.yaml"
    kustomization = yaml.safe_load(path.read_text())
    patches = [
        yaml.safe_load(item["patch"])
        for item in kustomization["patches"]
        if item["target"]["name"] == "worker"
    ]
    (deployment,) = [patch for patch in patches if isinstance(patch, dict)]
    found: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return found


@pytest.mark.parametrize("component", COMPONENTS)
def test_replicas_are_removed_one_at_a_time_and_late(component: str) -> None:
    spec = spec_of_the_scaled_object(component)
    scale_down = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]

    assert scale_down["stabilizationWindowSeconds"] >= 600
    assert scale_down["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 60}]
    assert spec["minReplicaCount"] > 0
    assert "cooldownPeriod" not in spec, "it applies to scaling to zero only"


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_removed_worker_drains_as_long_as_a_burst_worker(component: str) -> None:
    pod = patched_worker_pod(component)
    drain_s = float(environment(pod["containers"][0])["SIGNALBOX_WORKER_GRACEFUL_SHUTDOWN_S"])

    assert drain_s >= DRAIN_S
    assert pod["terminationGracePeriodSeconds"] > drain_s
