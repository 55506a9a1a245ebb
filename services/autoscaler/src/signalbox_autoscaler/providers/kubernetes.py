"""Burst workers as Kubernetes Jobs, named by their launch id: a second request for a launch is refused.

Uses the Jobs and PodTemplates APIs over HTTP with the pod's service account (`k8s/base/autoscaler.yaml`
grants the access).
"""

import re
import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx2

from signalbox_autoscaler.providers.kubernetes_job import COMPONENT, LABEL, build_burst_job
from signalbox_autoscaler.providers.provider import (
    Execution,
    ExecutionState,
    LaunchRefused,
    LaunchSpec,
    LaunchUncertain,
    parse_accepted,
)
from signalbox_core.errors import InvalidInput, Unavailable

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_CALL_TIMEOUT_S: Final = 10.0
_RESOURCE_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


class KubernetesJobs:
    """Jobs of one namespace.

    Args:
        template: name of a PodTemplate in the namespace. It is read for every launch, so that a rollout
            reaches the next one.
        token_file: read for every call, because the kubelet rotates it.
        ca_file: of the API server; None: plain HTTP, or a publicly trusted certificate.

    Raises:
        InvalidInput: `template` is not a resource name, or `ca_file` contains no certificates.
    """

    name = "kubernetes"
    max_workers = 10
    listing_delay_s = 20.0

    def __init__(
        self,
        api: str,
        namespace: str,
        template: str,
        *,
        token_file: Path,
        ca_file: Path | None = None,
    ) -> None:
        if not _RESOURCE_NAME.fullmatch(template):
            raise InvalidInput(
                "SIGNALBOX_AUTOSCALER_KUBERNETES_TEMPLATE must be the name of a PodTemplate in the namespace",
                field="kubernetes_template",
            )
        self._path = f"/apis/batch/v1/namespaces/{namespace}/jobs"
        self._template_path = f"/api/v1/namespaces/{namespace}/podtemplates/{template}"
        self._token_file = token_file
        verify = _tls_context(ca_file) if ca_file else True
        self._http = httpx2.AsyncClient(base_url=api, verify=verify, timeout=_CALL_TIMEOUT_S, trust_env=False)

    async def launch(self, spec: LaunchSpec) -> str:
        job = await self._build_job(spec)
        try:
            response = await self._http.post(self._path, json=job, headers=self._headers())
        except httpx2.ConnectError as error:
            raise LaunchRefused(
                f"cannot connect to the Kubernetes API for launch {spec.launch_id}: {error}"
            ) from error
        except httpx2.TransportError as error:
            raise LaunchUncertain(f"Kubernetes may have accepted launch {spec.launch_id}: {error}") from error
        if response.status_code >= 500:
            raise LaunchUncertain(
                f"Kubernetes may have accepted launch {spec.launch_id}: {_message(response)}"
            )
        if response.status_code not in (201, 409):
            raise LaunchRefused(f"Kubernetes refused launch {spec.launch_id}: {_message(response)}")
        return spec.launch_id

    async def _build_job(self, spec: LaunchSpec) -> Mapping[str, Any]:
        """Build the Job from the PodTemplate's current version.

        Raises:
            LaunchRefused: the PodTemplate cannot be read or has no container; nothing was requested.
        """
        try:
            found = await self._call("GET", self._template_path)
            return build_burst_job(
                found["template"],
                launch_id=spec.launch_id,
                workers=spec.workers,
                timeout_s=spec.timeout_s,
                variables=spec.variables,
            )
        except Unavailable as error:
            raise LaunchRefused(f"launch {spec.launch_id} was not requested: {error.detail}") from error
        except (LookupError, TypeError, ValueError) as error:
            raise LaunchRefused(
                f"launch {spec.launch_id} was not requested: {self._template_path} has no container"
            ) from error

    async def executions(self) -> Sequence[Execution]:
        response = await self._call("GET", self._path, labelSelector=f"{LABEL}={COMPONENT}")
        now = datetime.now(UTC)
        return [parse_job(item, now) for item in response.get("items", [])]

    async def cancel(self, handle: str) -> None:
        """Delete the Job and its pods; a deleted Job is no longer listed."""
        await self._call("DELETE", f"{self._path}/{handle}", propagationPolicy="Background")

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _call(self, method: str, path: str, **query: str) -> Mapping[str, Any]:
        try:
            response = await self._http.request(method, path, params=query, headers=self._headers())
        except httpx2.TransportError as error:
            raise Unavailable(f"the Kubernetes API did not answer: {error}") from error
        if response.status_code == 404 and method == "DELETE":
            return {}
        if response.status_code >= 400:
            raise Unavailable(f"Kubernetes refused {method} {path}: {_message(response)}")
        found: Mapping[str, Any] = response.json()
        return found

    def _headers(self) -> Mapping[str, str]:
        try:
            return {"Authorization": f"Bearer {self._token_file.read_text().strip()}"}
        except OSError as error:
            raise LaunchRefused(
                f"cannot read the service account's token {self._token_file}: {error.strerror}"
            ) from error


def _tls_context(ca_file: Path) -> ssl.SSLContext:
    """Trust the certificate authorities of a PEM file.

    Raises:
        InvalidInput: it cannot be read, or contains no certificate.
    """
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:
        raise InvalidInput(
            f"SIGNALBOX_AUTOSCALER_KUBERNETES_CA_FILE: cannot read certificates from {ca_file}:"
            f" {error.strerror or error}",
            field="kubernetes_ca_file",
        ) from None


def parse_job(job: Mapping[str, Any], now: datetime) -> Execution:
    status = job.get("status", {})
    conditions = {
        entry["type"]: entry for entry in status.get("conditions", []) if entry.get("status") == "True"
    }
    end = conditions.get("Complete") or conditions.get("Failed")
    started_at = _instant(status.get("startTime") or job["metadata"].get("creationTimestamp")) or now
    ended_at = (_instant(end.get("lastTransitionTime")) if end else None) or now
    return Execution(
        launch_id=job["metadata"]["name"],
        handle=job["metadata"]["name"],
        state=_state(status, conditions),
        running=status.get("active", 0),
        succeeded=status.get("succeeded", 0),
        failed=status.get("failed", 0),
        lasted_s=max(0.0, (ended_at - started_at).total_seconds()),
        accepted=parse_accepted(
            _variables(job),
            workers=job.get("spec", {}).get("completions", 1),
            accepted_at=_instant(job["metadata"].get("creationTimestamp")),
        ),
    )


def _variables(job: Mapping[str, Any]) -> Mapping[str, str]:
    pod = job.get("spec", {}).get("template", {}).get("spec", {})
    return {
        entry["name"]: str(entry.get("value", ""))
        for container in pod.get("containers", [])[:1]
        for entry in container.get("env", [])
    }


def _state(status: Mapping[str, Any], conditions: Mapping[str, Any]) -> ExecutionState:
    if "Complete" in conditions:
        return ExecutionState.SUCCEEDED
    if "Failed" in conditions:
        return ExecutionState.FAILED
    return ExecutionState.RUNNING if status.get("active") else ExecutionState.STARTING


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _message(response: httpx2.Response) -> str:
    try:
        return str(response.json()["message"])[:300]
    except (ValueError, KeyError, TypeError):
        return f"status {response.status_code}"
