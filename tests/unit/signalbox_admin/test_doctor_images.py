"""`signalbox-admin doctor --workloads`: the images of a cluster."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from signalbox_admin.checks.findings import Finding, Level
from signalbox_admin.checks.images import assess_images, check_images
from signalbox_admin.cli import main
from support.deployment import MANIFESTS

SOUND = {
    "gateway": "registry.test/gateway@sha256:1",
    "worker": "registry.test/worker@sha256:2",
    "burst-worker": "registry.test/worker@sha256:2",
}


def listed(*, images: Mapping[str, str]) -> dict[str, Any]:
    """The manifests of k8s/base as `kubectl get -o json` prints them, with these images by name."""
    text = json.dumps(
        {
            "kind": "List",
            "items": [item for item in MANIFESTS if item["kind"] in ("Deployment", "PodTemplate")],
        }
    )
    document: dict[str, Any] = json.loads(text)
    for item in document["items"]:
        template = item.get("template") or item["spec"]["template"]
        (container,) = template["spec"]["containers"]
        container["image"] = images.get(
            template["metadata"]["labels"]["app.kubernetes.io/name"], container["image"]
        )
    return document


def checked(tmp_path: Path, images: Mapping[str, str]) -> list[Finding]:
    path = tmp_path / "workloads.json"
    path.write_text(json.dumps(listed(images=images)))
    return check_images(str(path))


def test_the_base_has_placeholders_and_nothing_else_is_wrong(tmp_path: Path) -> None:
    findings = checked(tmp_path, {})
    assert {finding.level for finding in findings if "placeholder" in finding.detail} == {Level.ERROR}
    assert len([finding for finding in findings if "placeholder" in finding.detail]) == 5
    assert all("`images:`" in finding.remedy for finding in findings)


def test_pinned_images_are_sound(tmp_path: Path) -> None:
    every = {"webhook-receiver": "registry.test/receiver@sha256:3", "autoscaler": "registry.test/a@sha256:4"}
    (finding,) = checked(tmp_path, SOUND | every)
    assert finding.level is Level.OK
    assert "registry.test/worker@sha256:2" in finding.detail


@pytest.mark.parametrize(
    ("changed", "level", "detail", "remedy"),
    [
        ({"burst-worker": "registry.test/worker@sha256:1"}, Level.ERROR, "two versions", "sets both"),
        ({"gateway": "registry.invalid/signalbox/gateway"}, Level.ERROR, "placeholder", "`images:`"),
        ({"gateway": "registry.test/gateway"}, Level.WARNING, "without a deployment", "pin a digest"),
        (
            {"gateway": "registry.test:5000/gateway:latest"},
            Level.WARNING,
            "without a deployment",
            "pin a digest",
        ),
        (
            {"gateway": "r/gateway:1.2", "worker": "r/worker:1.1", "burst-worker": "r/worker:1.1"},
            Level.WARNING,
            "burst-worker 1.1, gateway 1.2, worker 1.1",
            "finish the rollout",
        ),
    ],
)
def test_a_fault_has_its_remedy(changed: Mapping[str, str], level: Level, detail: str, remedy: str) -> None:
    found = assess_images({**SOUND, **changed})[0]
    assert found.level is level
    assert detail in found.detail
    assert remedy in found.remedy


def versioned(tmp_path: Path, *, burst: str, workers: Mapping[str, str]) -> list[Finding]:
    """What doctor finds with a worker Deployment for each build, given with its image."""
    document = listed(images=SOUND)
    items = {
        (item.get("template") or item["spec"]["template"])["metadata"]["labels"][
            "app.kubernetes.io/name"
        ]: json.dumps(item)
        for item in document["items"]
    }
    worker = items.pop("worker")
    found = [json.loads(item) for item in items.values()]
    for item in found:
        if item["kind"] == "PodTemplate":
            set_build(item["template"], burst)
    for build, image in workers.items():
        deployment = json.loads(worker)
        deployment["spec"]["template"]["spec"]["containers"][0]["image"] = image
        set_build(deployment["spec"]["template"], build)
        found.append(deployment)
    path = tmp_path / "workloads.json"
    path.write_text(json.dumps({"items": found}))
    return check_images(str(path))


def set_build(template: dict[str, Any], build: str) -> None:
    template["spec"]["containers"][0]["env"] = [{"name": "SIGNALBOX_WORKER_BUILD_ID", "value": build}]


def test_burst_workers_are_compared_with_the_base_workers_of_their_build(tmp_path: Path) -> None:
    old, new = "registry.test/worker@sha256:1", SOUND["burst-worker"]
    for builds in ({"b1": old, "b2": new}, {"b2": new, "b1": old}):
        found = versioned(tmp_path, burst="b2", workers=builds)
        assert not any("two versions" in finding.detail for finding in found)
    wrong = versioned(tmp_path, burst="b2", workers={"b2": old})
    assert any("two versions" in finding.detail for finding in wrong)
    (missing,) = versioned(tmp_path, burst="b3", workers={"b1": old, "b2": new})
    assert "no base worker has: b1, b2" in missing.detail


def test_what_is_not_a_list_of_workloads_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "other.json"
    path.write_text('{"kind": "Deployment"}')
    assert check_images(str(path))[0].remedy == "kubectl get deployments,podtemplates -o json"
    path.write_text('{"items": []}')
    assert "--namespace" in check_images(str(path))[0].remedy
    assert check_images(str(tmp_path / "absent"))[0].level is Level.ERROR
    assert check_images(None) == []
    assert main(["doctor", "--workloads", str(tmp_path / "absent")]) == 2
    assert "Images" in capsys.readouterr().out
