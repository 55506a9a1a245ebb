"""Containers and manifests are checked without an engine: against the services' settings, the tree and the
house rules."""

import importlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Mount, Route

from signalbox_core.settings import read_settings
from signalbox_gateway.web import console_routes
from support.deployment import (
    BASE,
    BURST,
    CLOUD_RUN,
    COMPOSE,
    DEPLOYMENTS,
    KUSTOMIZATION,
    MANIFESTS,
    ROOT,
    environment,
)

SERVICES = {
    "gateway": ("signalbox_gateway", "SIGNALBOX_GATEWAY"),
    "webhook-receiver": ("signalbox_webhook_receiver", "SIGNALBOX_RECEIVER"),
    "worker": ("signalbox_worker", "SIGNALBOX_WORKER"),
    "autoscaler": ("signalbox_autoscaler", "SIGNALBOX_AUTOSCALER"),
}
DOCKERFILES = sorted([*ROOT.glob("services/*/Dockerfile"), *ROOT.glob("shared/*/Dockerfile")])
STARTUP_S = 120
"""Twice and more what a busy node needed until a service listened (31 to 49 s)."""


def image_environment(service: str) -> dict[str, str]:
    text = (ROOT / f"services/{service}/Dockerfile").read_text()
    return dict(
        pair.split("=", 1) for line in re.findall(r"^ENV (.+)$", text, re.MULTILINE) for pair in line.split()
    )


def container(service: str) -> Mapping[str, Any]:
    return DEPLOYMENTS[service]["spec"]["template"]["spec"]["containers"][0]


def compose_environment(service: str) -> dict[str, str]:
    """What Compose sets by itself; a variable without a value is passed on if the caller has it."""
    given = COMPOSE["services"][service]["environment"]
    return {name: value for name, value in given.items() if value is not None}


def manifest_environment(service: str) -> dict[str, str]:
    return environment(container(service))


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("source", ["compose", "k8s"])
def test_every_service_accepts_the_environment_it_is_given(service: str, source: str) -> None:
    module, prefix = SERVICES[service]
    given = compose_environment(service) if source == "compose" else manifest_environment(service)
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
        if re.search(r"pip (--python \S+ )?install", line)
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
    assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container(service))


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
    assert sorted(KUSTOMIZATION["resources"]) == sorted(
        path.name for path in BASE.glob("*.yaml") if path.name != "kustomization.yaml"
    )


def literal(container: Mapping[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container["env"]}


def test_policies_in_the_cluster_are_policies() -> None:
    from signalbox_autoscaler.policies import read_policies

    assert read_policies(BASE / "policies.toml").queues()
    assert (
        read_policies(ROOT / "compose/devstack/src/signalbox_devstack/stack/policies.toml").get("any")
        is not None
    )


def test_a_burst_job_runs_the_same_worker_locked_down() -> None:
    from signalbox_autoscaler.providers.kubernetes_job import build_burst_job

    variables = {"SIGNALBOX_WORKER_BURST_LAUNCH": "l-1"}
    job = build_burst_job(BURST["template"], launch_id="l-1", workers=3, timeout_s=60, variables=variables)
    pod = job["spec"]["template"]["spec"]
    base_pod = DEPLOYMENTS["worker"]["spec"]["template"]["spec"]
    worker, base = pod["containers"][0], container("worker")
    assert (job["spec"]["completions"], job["spec"]["backoffLimitPerIndex"], pod["restartPolicy"]) == (
        3,
        0,
        "Never",
    )
    assert environment(worker) == {**environment(base), **variables}
    assert {name: worker[name] for name in ("image", "securityContext", "volumeMounts")} == {
        name: base[name] for name in ("image", "securityContext", "volumeMounts")
    }
    assert {name: pod[name] for name in ("securityContext", "volumes", "serviceAccountName")} == {
        name: base_pod[name] for name in ("securityContext", "volumes", "serviceAccountName")
    }
    assert pod["enableServiceLinks"] is False
    settings = importlib.import_module("signalbox_worker.settings").Settings
    read_settings(settings, prefix="SIGNALBOX_WORKER", environ=environment(worker))


def test_pods_of_a_burst_job_do_not_belong_to_the_deployment() -> None:
    labels = BURST["template"]["metadata"]["labels"]
    for item in (*DEPLOYMENTS.values(), *of_kind("PodDisruptionBudget")):
        assert not item["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_the_autoscaler_reads_the_template_that_is_there() -> None:
    given = manifest_environment("autoscaler")
    assert given["SIGNALBOX_AUTOSCALER_KUBERNETES_TEMPLATE"] == BURST["metadata"]["name"]
    assert given["SIGNALBOX_AUTOSCALER_KUBERNETES_NAMESPACE"] == "metadata.namespace"


def test_the_autoscaler_may_do_what_it_does_with_jobs_and_nothing_else() -> None:
    (role,) = of_kind("Role")
    assert role["rules"] == [
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "list", "delete"]},
        {
            "apiGroups": [""],
            "resources": ["podtemplates"],
            "resourceNames": ["burst-worker"],
            "verbs": ["get"],
        },
    ]
    (binding,) = of_kind("RoleBinding")
    pod = DEPLOYMENTS["autoscaler"]["spec"]["template"]["spec"]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["subjects"] == [
        {
            "kind": "ServiceAccount",
            "name": pod["serviceAccountName"],
            "namespace": "signalbox",
        }
    ]


def of_kind(kind: str) -> list[Mapping[str, Any]]:
    return [item for item in MANIFESTS if item["kind"] == kind]


@pytest.mark.parametrize("service", SERVICES)
def test_probes_survive_a_busy_node(service: str) -> None:
    startup, readiness, liveness = (
        container(service)[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness")
    )
    assert startup["periodSeconds"] * startup["failureThreshold"] >= STARTUP_S
    assert liveness["periodSeconds"] * liveness["failureThreshold"] >= STARTUP_S / 2
    assert all(probe["timeoutSeconds"] >= 5 for probe in (startup, readiness, liveness))
    assert liveness["httpGet"]["path"] == "/healthz"
    # The port that a thread of its own serves: of a worker the only one.
    port = "http" if service == "worker" else "metrics"
    assert {probe["httpGet"]["port"] for probe in (startup, readiness, liveness)} == {port}


def test_every_pod_has_its_own_account_and_resources() -> None:
    accounts = {item["metadata"]["name"] for item in of_kind("ServiceAccount")}
    pods = [item["spec"]["template"]["spec"] for item in (*DEPLOYMENTS.values(), *of_kind("Job"))]
    assert {pod["serviceAccountName"] for pod in pods} == accounts
    assert all({"requests", "limits"} <= set(pod["containers"][0]["resources"]) for pod in pods)
    assert all(
        "iam.gke.io/gcp-service-account" in item["metadata"]["annotations"]
        for item in of_kind("ServiceAccount")
    )


def test_services_are_spread_budgeted_and_scaled() -> None:
    assert {item["metadata"]["name"] for item in of_kind("PodDisruptionBudget")} == set(SERVICES)
    scaled = {item["spec"]["scaleTargetRef"]["name"] for item in of_kind("HorizontalPodAutoscaler")}
    assert scaled == {"gateway", "webhook-receiver"}
    for name, item in DEPLOYMENTS.items():
        assert item["spec"]["template"]["spec"]["topologySpreadConstraints"]
        assert ("replicas" in item["spec"]) != (name in scaled), "one of the two sets the replicas"
        assert ("lifecycle" in container(name)) == (name in scaled), "a balancer stops sending first"


def test_the_namespace_is_closed_except_for_named_paths() -> None:
    policies = {item["metadata"]["name"]: item["spec"] for item in of_kind("NetworkPolicy")}
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert policies["metrics"]["ingress"][0]["from"] != policies["public-gateway"]["ingress"][0]["from"]
    (traces,) = policies["traces"]["egress"]
    assert traces["to"] == policies["metrics"]["ingress"][0]["from"], "collector and Prometheus: monitoring"
    assert traces["ports"] == [{"protocol": "TCP", "port": 4318}]
    (ingress,) = of_kind("Ingress")
    paths = [path["path"] for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]]
    assert "/metrics" not in paths
    annotations = ingress["metadata"]["annotations"]
    assert int(annotations["nginx.ingress.kubernetes.io/proxy-read-timeout"]) >= 3600
    assert annotations["nginx.ingress.kubernetes.io/proxy-buffering"] == "off"


def test_the_ingress_routes_every_page_and_no_internal_path() -> None:
    (ingress,) = of_kind("Ingress")
    routed = {
        path["path"]: path["pathType"] for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]
    }
    pages = {route.path or "/" for route in console_routes() if isinstance(route, Route | Mount)}
    assert {page for page in pages if page not in routed} == set()
    assert {"/v1": "Prefix", "/docs": "Exact", "/openapi.json": "Exact"}.items() <= routed.items()
    assert {"/metrics", "/readyz"}.isdisjoint(routed)


def test_images_are_placeholders_that_an_overlay_must_replace() -> None:
    import yaml

    pods = [
        BURST["template"],
        *(item["spec"]["template"] for item in (*DEPLOYMENTS.values(), *of_kind("Job"))),
    ]
    images = {pod["spec"]["containers"][0]["image"] for pod in pods}
    assert all(image.startswith("registry.invalid/signalbox/") for image in images)
    local = yaml.safe_load((ROOT / "k8s/overlays/local/kustomization.yaml").read_text())
    assert {item["name"] for item in local["images"]} == images


def test_compose_gives_every_service_the_time_it_needs_to_stop() -> None:
    from signalbox_webhook_receiver.settings import Settings

    receiver = Settings(redis_url="redis://localhost", public_origin="http://localhost", keys="keys.json")
    grace = {name: item.get("stop_grace_period", "10s") for name, item in COMPOSE["services"].items()}
    assert int(grace["webhook-receiver"][:-1]) > receiver.drain_notice_s + receiver.drain_timeout_s
    assert int(grace["gateway"][:-1]) >= 20
    assert int(grace["autoscaler"][:-1]) > 20


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_a_final_image_holds_no_pip(dockerfile: Path) -> None:
    build, _, final = dockerfile.read_text().rpartition("\nFROM python:")
    assert "python -m venv --without-pip /venv" in build
    assert "pip uninstall --yes" in final


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_an_image_has_labels_and_every_service_a_health_check(dockerfile: Path) -> None:
    text, service = dockerfile.read_text(), dockerfile.parent.name
    for label in ("title", "description", "licenses"):
        assert f"org.opencontainers.image.{label}=" in text
    if service in SERVICES:
        prefix = SERVICES[service][1]
        command = f'CMD ["python", "-m", "signalbox_core.http.check_health", "{prefix}"]'
        assert re.search(rf"HEALTHCHECK .*\\\n +{re.escape(command)}", text)
        assert f"{prefix}_PORT" in image_environment(service)


def test_the_worker_image_without_ocr_is_a_stage_of_the_one_with_it() -> None:
    base, _, ocr = (ROOT / "services/worker/Dockerfile").read_text().partition("\nFROM base AS ocr\n")
    assert "tesseract" not in base
    assert "tesseract-ocr-vie" in ocr
    assert ocr.strip().endswith("USER 10001")


def test_the_temporal_server_reports_workers() -> None:
    import yaml

    switches = yaml.safe_load((ROOT / "compose/temporal-dynamic.yaml").read_text())
    for name in ("frontend.WorkerHeartbeatsEnabled", "frontend.ListWorkersEnabled"):
        assert switches[name] == [{"value": True}]
    version = COMPOSE["services"]["temporal"]["image"].rpartition(":")[2]
    assert tuple(int(part) for part in version.split(".")) >= (1, 31)


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
