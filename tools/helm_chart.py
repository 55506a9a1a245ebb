"""Generate the Helm chart k8s/helm/signalbox from the kustomize base, so that both have one source.

--check fails when the chart is not what the base gives, or renders to something else than the base.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import yaml
from chart_templates import CHECKSUM, HELPERS, dicts_of, file_of, template
from chart_values import CONFIG, Values, values_files
from helm import find_helm
from manifests import problem_of, rendered

ROOT: Final = Path(__file__).resolve().parent.parent
CHART: Final = ROOT / "k8s/helm/signalbox"
NAMESPACE: Final = "signalbox"
HASH: Final = re.compile("[a-z0-9]{10}")
HEADER: Final = "# Generated from k8s/base by tools/helm_chart.py (make generate).\n"
Manifest = Mapping[str, Any]
Key = tuple[str, str]


def main(arguments: list[str]) -> int:
    if shutil.which("kubectl") is None:
        print("the Helm chart is not compared with k8s/base: kubectl is not installed", file=sys.stderr)
        return 0 if "--check" in arguments else 1
    base = plain(rendered(ROOT / "k8s", "base"))
    files = chart_files(base)
    if "--check" not in arguments:
        for name, text in files.items():
            (CHART / name).parent.mkdir(parents=True, exist_ok=True)
            (CHART / name).write_text(text)
        return 0
    found = [*stale(files), *differences(base, CHART)]
    print("\n".join(found), file=sys.stderr, end="\n" if found else "")
    return 1 if found else 0


def chart_files(base: Mapping[Key, Manifest]) -> dict[str, str]:
    """The files of the chart by their path."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    values = Values()
    templates: dict[str, list[str]] = {}
    for manifest in base.values():
        templates.setdefault(f"templates/{file_of(manifest)}", []).append(template(manifest, values))
    about = {
        "apiVersion": "v2",
        "name": "signalbox",
        "description": "Signalbox: long pipelines on Temporal, watched live and decided by people",
        "type": "application",
        "version": version,
        "appVersion": version,
        "kubeVersion": ">=1.33.0-0",
    }
    return {
        "Chart.yaml": HEADER + yaml.safe_dump(about, sort_keys=False),
        "templates/_helpers.tpl": HELPERS,
        **{name: HEADER + "---\n".join(parts) for name, parts in templates.items()},
        **values_files(values, HEADER),
    }


def plain(manifests: list[Manifest]) -> dict[Key, Manifest]:
    """Manifests by kind and name, without what kustomize and Helm do differently on purpose.

    That is: the namespace, the hash in names of ConfigMaps or their checksum in annotations, and the revision
    in the name of the Job.
    """
    found: dict[Key, Manifest] = {}
    for manifest in manifests:
        if manifest["kind"] == "Namespace":
            continue
        content = deepcopy(dict(manifest))
        content["metadata"].pop("namespace", None)
        for part in dicts_of(content):
            _make_plain(part)
        found[content["kind"], content["metadata"]["name"]] = content
    return found


def _make_plain(part: dict[str, Any]) -> None:
    name = part.get("name")
    if isinstance(name, str):
        base_name, _, suffix = name.rpartition("-")
        is_suffixed = (base_name in CONFIG and HASH.fullmatch(suffix)) or name == "provision-1"
        part["name"] = base_name if is_suffixed else name
    if CHECKSUM in (part.get("annotations") or {}):
        del part["annotations"]
    if "env" in part:
        part["env"] = sorted(part["env"], key=lambda entry: entry["name"])


def stale(files: Mapping[str, str]) -> Iterator[str]:
    """Files of the chart that are not what the base gives."""
    existing = {str(path.relative_to(CHART)) for path in CHART.rglob("*") if path.is_file()}
    for name in sorted(existing | files.keys()):
        if name not in files:
            yield f"k8s/helm/signalbox/{name} is not generated; delete it"
        elif name not in existing or (CHART / name).read_text() != files[name]:
            yield f"k8s/helm/signalbox/{name} is out of date; run make generate"


def differences(base: Mapping[Key, Manifest], chart: Path) -> Iterator[str]:
    """What the chart renders to with its default values and the base does not, and the reverse."""
    if find_helm() is None:
        print("the Helm chart is not rendered: helm is not installed (tools/helm.py)")
        return
    try:
        run_helm("lint", "--strict", "--quiet", str(chart))
        manifests = render(chart)
    except subprocess.CalledProcessError as error:
        yield f"the Helm chart is refused: {error.stdout}{error.stderr}"
        return
    yield from (f"the Helm chart, rendered: {found}" for item in manifests if (found := problem_of(item)))
    given = plain(manifests)
    for key in sorted(base.keys() | given.keys()):
        for path in _unequal(base.get(key), given.get(key), ""):
            yield f"the Helm chart and k8s/base differ: {' '.join(key)}{path}"


def render(chart: Path, *arguments: str) -> list[Manifest]:
    """The manifests of the chart.

    Raises:
        subprocess.CalledProcessError: Helm refuses it; `stderr` names the reason.
    """
    output = run_helm("template", "signalbox", str(chart), "--namespace", NAMESPACE, *arguments)
    return [manifest for manifest in yaml.safe_load_all(output) if manifest]


def run_helm(*arguments: str) -> str:
    helm = find_helm()
    assert helm is not None
    with tempfile.TemporaryDirectory() as home:
        return subprocess.run(
            [helm, *arguments], check=True, text=True, capture_output=True, env={"HOME": home}
        ).stdout


def _unequal(left: object, right: object, path: str) -> Iterator[str]:
    """The paths at which two manifests differ."""
    if isinstance(left, dict) and isinstance(right, dict):
        for name in sorted(left.keys() | right.keys()):
            yield from _unequal(left.get(name), right.get(name), f"{path}.{name}")
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for number, (one, other) in enumerate(zip(left, right, strict=True)):
            yield from _unequal(one, other, f"{path}[{number}]")
    elif left != right:
        yield path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
