"""The images of a cluster: set, pinned, of one version, and the same for base and burst workers.

Reads what `kubectl get deployments,podtemplates -o json` prints.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct, field

from signalbox_admin.checks.findings import Finding, Reporter

_REPORT: Final = Reporter("Images")
_PLACEHOLDER: Final = "registry.invalid/"
_BASE, _BURST = "worker", "burst-worker"
_SERVICES: Final = ("autoscaler", "gateway", "webhook-receiver", _BASE, _BURST)
_SET_IMAGES: Final = "set it with `images:` in the overlay, then kubectl apply -k OVERLAY"


class _ObjectMetadata(Struct):
    labels: dict[str, str] = {}


class _Container(Struct):
    image: str = ""


class _Pod(Struct):
    containers: tuple[_Container, ...] = ()


class _Template(Struct):
    spec: _Pod
    metadata: _ObjectMetadata = field(default_factory=_ObjectMetadata)


class _DeploymentSpec(Struct):
    template: _Template


class _Workload(Struct):
    """A Deployment has its template in `spec`, a PodTemplate at the top."""

    kind: str
    spec: _DeploymentSpec | None = None
    template: _Template | None = None


class _Workloads(Struct):
    items: tuple[_Workload, ...]


def check_images(name: str | None) -> list[Finding]:
    """Check the workloads in a file.

    Args:
        name: the file, `-` for standard input; None: nothing is checked.
    """
    if name is None:
        return []
    try:
        document = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        found = msgspec.json.decode(document, type=_Workloads)
    except OSError as error:
        return [_REPORT.error(f"cannot read {name}: {error.strerror}", "check the path")]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return [
            _REPORT.error(
                f"{name} has no list of workloads: {error}", "kubectl get deployments,podtemplates -o json"
            )
        ]
    return assess_images(dict(_images(found.items)))


def assess_images(images: Mapping[str, str]) -> list[Finding]:
    """Assess the image of each service, by the label `app.kubernetes.io/name`."""
    if missing := [name for name in (_BASE, _BURST) if name not in images]:
        return [
            _REPORT.error(
                f"no workload is labelled {' or '.join(missing)}",
                "kubectl get deployments,podtemplates -o json --namespace NAMESPACE",
            )
        ]
    return [*_unset(images), *_drift(images), *_unpinned(images)] or [
        _REPORT.ok(f"{len(images)} services are pinned; base and burst workers run {images[_BASE]}")
    ]


def _images(workloads: Sequence[_Workload]) -> Iterator[tuple[str, str]]:
    for workload in workloads:
        template = workload.template or (workload.spec.template if workload.spec is not None else None)
        name = template.metadata.labels.get("app.kubernetes.io/name", "") if template is not None else ""
        if template is not None and name in _SERVICES and template.spec.containers:
            yield name, template.spec.containers[0].image


def _unset(images: Mapping[str, str]) -> Iterator[Finding]:
    for name, image in images.items():
        if image.startswith(_PLACEHOLDER):
            yield _REPORT.error(f"{name}: {image} is a placeholder and cannot be pulled", _SET_IMAGES)


def _drift(images: Mapping[str, str]) -> Iterator[Finding]:
    if images[_BASE] != images[_BURST]:
        yield _REPORT.error(
            f"burst workers run {images[_BURST]}, base workers {images[_BASE]}: runs meet two versions",
            f"{_SET_IMAGES}: `registry.invalid/signalbox/worker` there sets both",
        )
    tags = {name: _tag(image) for name, image in images.items() if "@" not in image}
    if len(set(tags.values())) > 1:
        listed = ", ".join(f"{name} {tag}" for name, tag in sorted(tags.items()))
        yield _REPORT.warning(f"several releases are deployed: {listed}", "finish the rollout")


def _unpinned(images: Mapping[str, str]) -> Iterator[Finding]:
    for name, image in images.items():
        if "@sha256:" not in image and _tag(image) in ("", "latest"):
            yield _REPORT.warning(
                f"{name}: {image or 'no image'} changes without a deployment", "pin a digest in `images:`"
            )


def _tag(image: str) -> str:
    return image.rpartition("/")[2].partition(":")[2]
