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
_BUILD: Final = "SIGNALBOX_WORKER_BUILD_ID"
_SET_IMAGES: Final = "set it with `images:` in the overlay, then kubectl apply -k OVERLAY"


class _ObjectMetadata(Struct):
    labels: dict[str, str] = {}


class _Variable(Struct):
    name: str
    value: str = ""


class _Container(Struct):
    image: str = ""
    env: tuple[_Variable, ...] = ()


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


class _ServiceImage(Struct, frozen=True):
    """The image of a service. `build`: of versioned workers; empty for others."""

    name: str
    image: str
    build: str = ""


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
    images = list(_images(found.items))
    if (missing := _missing_build(images)) is not None:
        return [missing]
    return assess_images(_of_burst_build(images))


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


def _missing_build(images: Sequence[_ServiceImage]) -> Finding | None:
    """The fault that burst workers have a build of which there is no base worker."""
    build = _burst_build(images)
    builds = {item.build for item in images if item.name == _BASE}
    if not build or build in builds:
        return None
    return _REPORT.error(
        f"burst workers have build {build}, and no base worker has: {', '.join(sorted(builds)) or 'none'}",
        "give base and burst workers the same SIGNALBOX_WORKER_BUILD_ID",
    )


def _of_burst_build(images: Sequence[_ServiceImage]) -> dict[str, str]:
    """The images by name; of several builds of base workers, that of the burst workers."""
    build = _burst_build(images)
    return {item.name: item.image for item in images if item.name != _BASE or item.build == build}


def _burst_build(images: Sequence[_ServiceImage]) -> str:
    return next((item.build for item in images if item.name == _BURST), "")


def _images(workloads: Sequence[_Workload]) -> Iterator[_ServiceImage]:
    for workload in workloads:
        template = workload.template or (workload.spec.template if workload.spec is not None else None)
        name = template.metadata.labels.get("app.kubernetes.io/name", "") if template is not None else ""
        if template is not None and name in _SERVICES and template.spec.containers:
            container = template.spec.containers[0]
            values = {variable.name: variable.value for variable in container.env}
            yield _ServiceImage(name, container.image, values.get(_BUILD, ""))


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
