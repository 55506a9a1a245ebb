"""Containers and manifests are checked without an engine: against the services' settings, the tree and the
house rules."""

import importlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from signalbox_core.settings import read_settings

ROOT = Path(__file__).resolve().parents[3]
SERVICES = {
    "gateway": ("signalbox_gateway", "SIGNALBOX_GATEWAY"),
    "webhook-receiver": ("signalbox_webhook_receiver", "SIGNALBOX_RECEIVER"),
    "worker": ("signalbox_worker", "SIGNALBOX_WORKER"),
    "autoscaler": ("signalbox_autoscaler", "SIGNALBOX_AUTOSCALER"),
}
COMPOSE: Mapping[str, Any] = yaml.safe_load((ROOT / "compose/docker-compose.yml").read_text())
MANIFESTS = [
    document
    for path in sorted((ROOT / "k8s").rglob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text())
]
DEPLOYMENTS = {
    document["metadata"]["name"]: document for document in MANIFESTS if document["kind"] == "Deployment"
}
DOCKERFILES = sorted([*ROOT.glob("services/*/Dockerfile"), *ROOT.glob("shared/*/Dockerfile")])


def image_environment(service: str) -> dict[str, str]:
    text = (ROOT / f"services/{service}/Dockerfile").read_text()
    return dict(
        pair.split("=", 1) for line in re.findall(r"^ENV (.+)$", text, re.MULTILINE) for pair in line.split()
    )


def container(service: str) -> Mapping[str, Any]:
    return DEPLOYMENTS[service]["spec"]["template"]["spec"]["containers"][0]


def manifest_environment(service: str) -> dict[str, str]:
    shared = next(document for document in MANIFESTS if document["kind"] == "ConfigMap")["data"]
    return {
        **shared,
        **{entry["name"]: entry["value"] for entry in container(service).get("env", [])},
    }


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("source", ["compose", "k8s"])
def test_every_service_accepts_the_environment_it_is_given(service: str, source: str) -> None:
    module, prefix = SERVICES[service]
    given = (
        COMPOSE["services"][service]["environment"] if source == "compose" else manifest_environment(service)
    )
    settings = importlib.import_module(f"{module}.settings").Settings
    read_settings(settings, prefix=prefix, environ={**image_environment(service), **given})


@pytest.mark.parametrize("service", SERVICES)
def test_a_wrong_variable_in_a_deployment_would_be_found(service: str) -> None:
    from signalbox_core.errors import InvalidInput

    module, prefix = SERVICES[service]
    settings = importlib.import_module(f"{module}.settings").Settings
    with pytest.raises(InvalidInput, match=f"{prefix}_PROT"):
        read_settings(
            settings,
            prefix=prefix,
            environ={**manifest_environment(service), f"{prefix}_PROT": "1"},
        )


def copied(dockerfile: Path) -> Iterator[str]:
    for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile.read_text(), re.MULTILINE):
        yield from line.split()[:-1]


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_an_image_copies_what_exists_and_installs_by_hash(dockerfile: Path) -> None:
    text = dockerfile.read_text()
    assert all((ROOT / source).exists() for source in copied(dockerfile))
    assert all(
        "--require-hashes" in line or "--no-deps" in line
        for line in text.splitlines()
        if "pip install" in line
    )
    assert re.search(r"^USER 10001$", text, re.MULTILINE)


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_an_image_holds_every_local_package_its_project_needs(dockerfile: Path) -> None:
    project = (dockerfile.parent / "pyproject.toml").read_text()
    needed = {
        name
        for name in ("core", "pipelines", "client", "admin")
        if re.search(rf'"signalbox-{name}[\["]', project)
    }
    assert {f"shared/{name}" for name in needed} <= set(copied(dockerfile))


def test_every_service_has_an_image_a_compose_entry_and_a_deployment() -> None:
    assert set(SERVICES) <= set(COMPOSE["services"])
    assert set(SERVICES) == set(DEPLOYMENTS)
    assert all((ROOT / f"services/{service}/Dockerfile").exists() for service in SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_pods_are_locked_down(service: str) -> None:
    pod = DEPLOYMENTS[service]["spec"]["template"]["spec"]
    security = container(service)["securityContext"]
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"]["drop"] == ["ALL"]
    assert {"readinessProbe", "livenessProbe"} <= set(container(service))


def test_compose_depends_only_on_what_it_has_and_publishes_on_loopback_only() -> None:
    services = COMPOSE["services"]
    assert {name for service in services.values() for name in service.get("depends_on", {})} <= set(services)
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    images = [service["image"] for service in services.values() if "image" in service]
    assert all(":" in image and not image.endswith(":latest") for image in images)


def test_every_secret_and_volume_that_compose_mounts_is_declared() -> None:
    services = COMPOSE["services"].values()
    assert {name for service in services for name in service.get("secrets", [])} == set(COMPOSE["secrets"])
    named = {
        volume.split(":")[0]
        for service in services
        for volume in service.get("volumes", [])
        if not volume.startswith(".")
    }
    assert named == set(COMPOSE["volumes"])


def test_the_base_lists_every_manifest() -> None:
    base = ROOT / "k8s/base"
    listed = yaml.safe_load((base / "kustomization.yaml").read_text())["resources"]
    assert sorted(listed) == sorted(
        path.name for path in base.glob("*.yaml") if path.name != "kustomization.yaml"
    )


CONFIGS = {
    document["metadata"]["name"]: document for document in MANIFESTS if document["kind"] == "ConfigMap"
}
AUTOSCALER = CONFIGS["signalbox-autoscaler"]
CLOUD_RUN = {
    path.stem: yaml.safe_load(path.read_text()) for path in sorted((ROOT / "k8s/cloud-run").glob("*.yaml"))
}


def literal(container: Mapping[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container["env"]}


def test_policies_in_the_cluster_are_policies(tmp_path: Path) -> None:
    from signalbox_autoscaler.policies import read_policies

    (tmp_path / "policies.toml").write_text(AUTOSCALER["data"]["policies.toml"])
    queues = read_policies(tmp_path / "policies.toml").queues()
    assert queues
    assert (
        read_policies(ROOT / "compose/devstack/src/signalbox_devstack/stack/policies.toml").get("any")
        is not None
    )


def test_a_burst_job_runs_the_same_worker_locked_down(tmp_path: Path) -> None:
    from signalbox_autoscaler.providers.kubernetes import build_job, read_template
    from signalbox_autoscaler.providers.provider import LaunchSpec

    (tmp_path / "job.json").write_text(AUTOSCALER["data"]["burst-job.json"])
    job = build_job(
        read_template(tmp_path / "job.json"),
        LaunchSpec(launch_id="l-1", workers=3, timeout_s=60, environment={}),
    )
    pod = job["spec"]["template"]["spec"]
    worker, base = pod["containers"][0], container("worker")
    assert (
        job["spec"]["completions"],
        job["spec"]["backoffLimit"],
        pod["restartPolicy"],
    ) == (3, 0, "Never")
    assert literal(base).items() <= literal(worker).items()
    assert worker["securityContext"] == base["securityContext"]
    assert pod["securityContext"] == DEPLOYMENTS["worker"]["spec"]["template"]["spec"]["securityContext"]
    assert pod["enableServiceLinks"] is False
    settings = importlib.import_module("signalbox_worker.settings").Settings
    read_settings(
        settings,
        prefix="SIGNALBOX_WORKER",
        environ={**manifest_environment("worker"), **literal(worker)},
    )


def test_the_autoscaler_may_do_what_it_does_with_jobs_and_nothing_else() -> None:
    (role,) = [document for document in MANIFESTS if document["kind"] == "Role"]
    assert role["rules"] == [
        {
            "apiGroups": ["batch"],
            "resources": ["jobs"],
            "verbs": ["create", "list", "delete"],
        }
    ]
    (binding,) = [document for document in MANIFESTS if document["kind"] == "RoleBinding"]
    pod = DEPLOYMENTS["autoscaler"]["spec"]["template"]["spec"]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["subjects"] == [
        {
            "kind": "ServiceAccount",
            "name": pod["serviceAccountName"],
            "namespace": "signalbox",
        }
    ]


def test_cloud_run_is_given_settings_that_are_known() -> None:
    job = CLOUD_RUN["burst-job"]["spec"]["template"]["spec"]["template"]["spec"]
    service = CLOUD_RUN["autoscaler"]["spec"]["template"]["spec"]["containers"][0]
    worker, autoscaler = (
        importlib.import_module(f"signalbox_{name}.settings").Settings for name in ("worker", "autoscaler")
    )
    read_settings(worker, prefix="SIGNALBOX_WORKER", environ=literal(job["containers"][0]))
    read_settings(
        autoscaler,
        prefix="SIGNALBOX_AUTOSCALER",
        environ={**image_environment("autoscaler"), **literal(service)},
    )
    assert job["maxRetries"] == 0, "a retried worker would be one that nobody counts"
    assert (
        CLOUD_RUN["burst-job"]["metadata"]["name"] in literal(service)["SIGNALBOX_AUTOSCALER_CLOUD_RUN_JOB"]
    )
