"""Builds the Job manifest of a launch from a PodTemplate."""

from collections.abc import Mapping
from typing import Any, Final

LABEL: Final = "app.kubernetes.io/component"
COMPONENT: Final = "burst"
_TTL_AFTER_FINISHED_S: Final = 600
_IGNORE_DISRUPTIONS: Final = {
    "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
}


def build_burst_job(
    pod_template: Mapping[str, Any],
    *,
    launch_id: str,
    workers: int,
    timeout_s: int,
    variables: Mapping[str, str],
) -> Mapping[str, Any]:
    """Build an indexed Job whose pods fail independently.

    A worker that fails is not retried, because the autoscaler decides about replacements; the other workers
    keep running. An eviction does not count as a failure: Kubernetes replaces the pod.

    Args:
        pod_template: the `template` of a PodTemplate; `variables` are set in its first container.
        timeout_s: deadline of the whole Job.

    Raises:
        LookupError, TypeError: the template has no container.
    """
    first, *others = pod_template["spec"]["containers"]
    own = [{"name": name, "value": value} for name, value in sorted(variables.items())]
    kept = [entry for entry in first.get("env", []) if entry["name"] not in variables]
    pod_spec = {
        **pod_template["spec"],
        "restartPolicy": "Never",
        "containers": [{**first, "env": [*kept, *own]}, *others],
    }
    metadata = pod_template.get("metadata") or {}
    labels = {**(metadata.get("labels") or {}), LABEL: COMPONENT}
    annotations = metadata.get("annotations")
    pod_metadata = {"labels": labels, **({"annotations": annotations} if annotations else {})}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": launch_id, "labels": labels},
        "spec": {
            "completionMode": "Indexed",
            "completions": workers,
            "parallelism": workers,
            "backoffLimitPerIndex": 0,
            "podFailurePolicy": _IGNORE_DISRUPTIONS,
            "activeDeadlineSeconds": timeout_s,
            "ttlSecondsAfterFinished": _TTL_AFTER_FINISHED_S,
            "template": {"metadata": pod_metadata, "spec": pod_spec},
        },
    }
