"""Validate k8s/ and compose/ strictly against their schemas; prints each problem and fails when there is one.

Kustomizations are rendered with kubectl where it is installed, and the rendered manifests are validated too.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import jsonschema
import kubernetes_validate
import yaml

ROOT: Final = Path(__file__).resolve().parent.parent
SECRETS: Final = ("api-keys.json", "ledger.key", "payload-keys.json", "receiver-keys.json", "worker.pem")
_KUBERNETES: Final = kubernetes_validate.latest_version()
_OWN: Final = ROOT / "tools/manifest_schemas.yaml"
_OBSERVABILITY: Final = {
    "collector.yaml": "OpenTelemetry collector",
    "prometheus.yaml": "Prometheus",
    "rules.yaml": "Prometheus rules",
    "grafana/dashboards.yaml": "Grafana dashboards",
    "grafana/datasource.yaml": "Grafana data sources",
}
"""Configuration files below compose/observability by their schema."""
_CLOUD_RUN_ONLY: Final = ("containerConcurrency", "timeoutSeconds", "maxRetries")

Manifest = Mapping[str, Any]


def main() -> int:
    compose = [
        problem for path in sorted((ROOT / "compose").glob("*.yml")) for problem in compose_problems(path)
    ]
    observability = observability_problems(ROOT / "compose/observability")
    found = [*problems(ROOT / "k8s"), *compose, *observability]
    print("\n".join(found), file=sys.stderr, end="\n" if found else "")
    return 1 if found else 0


def problems(folder: Path) -> Iterator[str]:
    """What is wrong with the manifests of `folder`, and with what its kustomizations render to."""
    # The templates of the Helm chart are no YAML; tools/helm_chart.py checks what they render to.
    files = [path for path in sorted(folder.rglob("*.yaml")) if folder / "helm" not in path.parents]
    for path in files:
        for manifest in yaml.safe_load_all(path.read_text()):
            if problem := problem_of(manifest):
                yield f"{path.relative_to(folder.parent)}: {problem}"
    if shutil.which("kubectl"):
        yield from _render_problems(folder)


def problem_of(manifest: Manifest) -> str | None:
    """What is wrong with one manifest, or None."""
    try:
        kind = f"{manifest['apiVersion']}/{manifest['kind']}"
        own: Mapping[str, Any] = yaml.safe_load(_OWN.read_text())
        if kind in own:
            jsonschema.validate(manifest, own[kind])
            if (pod := _cloud_run_pod(kind, manifest)) is not None:
                kubernetes_validate.validate(pod, _KUBERNETES, strict=True)
        else:
            kubernetes_validate.validate(manifest, _KUBERNETES, strict=True)
    except (KeyError, TypeError) as error:
        return f"no apiVersion and kind: {error}"
    except (jsonschema.ValidationError, kubernetes_validate.ValidationError) as error:
        where = ".".join(str(part) for part in error.absolute_path)
        return f"{manifest['kind']} {manifest.get('metadata', {}).get('name', '')}: {where}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError:
        return f"no schema for {kind}; add one to {_OWN.relative_to(ROOT)}"
    return None


def rendered(folder: Path, kustomization: str) -> list[Manifest]:
    """The manifests of a kustomization, with placeholders for the keys that are not in the repository.

    Raises:
        subprocess.CalledProcessError: kustomize refuses it; `stderr` names the reason.
    """
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(shutil.copytree(folder, Path(scratch) / "k8s"))
        secrets = copy / "overlays/local/secrets"
        secrets.mkdir(parents=True, exist_ok=True)
        for name in SECRETS:
            (secrets / name).write_text("placeholder")
        target = copy / kustomization
        if yaml.safe_load((target / "kustomization.yaml").read_text())["kind"] == "Component":
            target = _with_component(copy, kustomization)
        command = ["kubectl", "kustomize", str(target)]
        output = subprocess.run(command, check=True, text=True, capture_output=True).stdout
    return list(yaml.safe_load_all(output))


def compose_problems(path: Path) -> list[str]:
    """What check-jsonschema finds in a Compose file."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    answer = subprocess.run([*command, "-o", "json", str(path)], check=False, text=True, capture_output=True)
    if answer.returncode == 0:
        return []
    report = json.loads(answer.stdout)
    errors = [*report.get("errors", ()), *report.get("parse_errors", ())]
    return [f"{path.name}: {error.get('path', '')}: {error['message']}" for error in errors]


def observability_problems(folder: Path) -> Iterator[str]:
    """What is wrong with the configuration of Prometheus, Grafana and the collector."""
    own: Mapping[str, Any] = yaml.safe_load(_OWN.read_text())
    for name, schema in _OBSERVABILITY.items():
        try:
            jsonschema.validate(yaml.safe_load((folder / name).read_text()), own[schema])
        except jsonschema.ValidationError as error:
            where = ".".join(str(part) for part in error.absolute_path)
            yield f"{name}: {where}: {error.message}"


def _render_problems(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("kustomization.yaml")):
        name = str(path.parent.relative_to(folder))
        try:
            manifests = rendered(folder, name)
        except subprocess.CalledProcessError as error:
            yield f"{name}: {error.stderr.strip()}"
            continue
        yield from (f"{name}, rendered: {found}" for item in manifests if (found := problem_of(item)))


def _with_component(copy: Path, component: str) -> Path:
    """A kustomization of the base with the component."""
    target = copy / "with-component"
    target.mkdir()
    content = {"resources": ["../base"], "components": [f"../{component}"]}
    (target / "kustomization.yaml").write_text(yaml.safe_dump(content))
    return target


def _cloud_run_pod(kind: str, manifest: Manifest) -> Manifest | None:
    """The pod of a Cloud Run manifest, without the members that only Cloud Run has."""
    if kind not in ("serving.knative.dev/v1/Service", "run.googleapis.com/v1/Job"):
        return None
    template = manifest["spec"]["template"]
    spec = template["spec"]["template"]["spec"] if manifest["kind"] == "Job" else template["spec"]
    kept = {name: value for name, value in spec.items() if name not in _CLOUD_RUN_ONLY}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": manifest["metadata"], "spec": kept}


if __name__ == "__main__":
    sys.exit(main())
