"""Burst workers as Kubernetes Jobs. A Job is named by its launch id, so a second request for a launch is refused.

Uses the Jobs and PodTemplates APIs over HTTP with the pod's service account (`k8s/base/autoscaler.yaml`).
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
    LaunchUncertain,
    Order,
)
from signalbox_core.errors import InvalidInput, Unavailable

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_CALL_WITHIN_S: Final = 10.0
_RESOURCE_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


class KubernetesJobs:
    """Jobs of one namespace.

    Args:
        template: name of a PodTemplate in the namespace. It is read for every launch, so a rollout reaches the
            next one.
        token_file: read anew for every call, as the kubelet rotates it.
        ca_file: of the API server; None: plain HTTP or a public certificate.
    """

    name = "kubernetes"
    max_workers = 10
    settles_s = 20.0

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
        self._http = httpx2.AsyncClient(base_url=api, verify=verify, timeout=_CALL_WITHIN_S, trust_env=False)

    async def launch(self, order: Order) -> str:
        job = await self._burst_job(order)
        try:
            answer = await self._http.post(self._path, json=job, headers=self._headers())
        except httpx2.ConnectError as error:
            raise LaunchRefused(
                f"the Kubernetes API cannot be reached for launch {order.launch_id}: {error}"
            ) from error
        except httpx2.TransportError as error:
            raise LaunchUncertain(
                f"Kubernetes did not say whether it took launch {order.launch_id}: {error}"
            ) from error
        if answer.status_code >= 500:
            raise LaunchUncertain(
                f"Kubernetes did not say whether it took launch {order.launch_id}: {_message(answer)}"
            )
        if answer.status_code not in (201, 409):
            raise LaunchRefused(f"Kubernetes refused launch {order.launch_id}: {_message(answer)}")
        return order.launch_id

    async def _burst_job(self, order: Order) -> Mapping[str, Any]:
        """The launch's Job, from the PodTemplate as it is now.

        Raises:
            LaunchRefused: the PodTemplate cannot be read or has no container; nothing was requested.
        """
        try:
            found = await self._call("GET", self._template_path)
            return build_burst_job(
                found["template"],
                launch_id=order.launch_id,
                workers=order.workers,
                timeout_s=order.timeout_s,
                variables=order.variables,
            )
        except Unavailable as error:
            raise LaunchRefused(f"launch {order.launch_id} was not requested: {error.detail}") from error
        except (LookupError, TypeError, ValueError) as error:
            raise LaunchRefused(
                f"launch {order.launch_id} was not requested: {self._template_path} has no container to run"
            ) from error

    async def executions(self) -> Sequence[Execution]:
        answer = await self._call("GET", self._path, labelSelector=f"{LABEL}={COMPONENT}")
        now = datetime.now(UTC)
        return [execution_of(item, now) for item in answer.get("items", [])]

    async def cancel(self, handle: str) -> None:
        """Deletes the job and its pods; a deleted job is no longer listed."""
        await self._call("DELETE", f"{self._path}/{handle}", propagationPolicy="Background")

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _call(self, method: str, path: str, **query: str) -> Mapping[str, Any]:
        try:
            answer = await self._http.request(method, path, params=query, headers=self._headers())
        except httpx2.TransportError as error:
            raise Unavailable(f"the Kubernetes API does not answer: {error}") from error
        if answer.status_code == 404 and method == "DELETE":
            return {}
        if answer.status_code >= 400:
            raise Unavailable(f"Kubernetes refused {method} {path}: {_message(answer)}")
        found: Mapping[str, Any] = answer.json()
        return found

    def _headers(self) -> Mapping[str, str]:
        try:
            return {"Authorization": f"Bearer {self._token_file.read_text().strip()}"}
        except OSError as error:
            raise LaunchRefused(
                f"cannot read the service account's token {self._token_file}: {error.strerror}"
            ) from error


def _tls_context(ca_file: Path) -> ssl.SSLContext:
    """Trust the authorities of a PEM file.

    Raises:
        InvalidInput: it cannot be read, or holds no certificate.
    """
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:
        raise InvalidInput(
            f"SIGNALBOX_AUTOSCALER_KUBERNETES_CA_FILE: cannot read certificates from {ca_file}:"
            f" {error.strerror or error}",
            field="kubernetes_ca_file",
        ) from None


def execution_of(job: Mapping[str, Any], now: datetime) -> Execution:
    """A job as the API shows it."""
    seen = job.get("status", {})
    ended = {entry["type"]: entry for entry in seen.get("conditions", []) if entry.get("status") == "True"}
    end = ended.get("Complete") or ended.get("Failed")
    began_at = _instant(seen.get("startTime") or job["metadata"].get("creationTimestamp")) or now
    ended_at = (_instant(end.get("lastTransitionTime")) if end else None) or now
    return Execution(
        launch_id=job["metadata"]["name"],
        handle=job["metadata"]["name"],
        state=_state(seen, ended),
        running=seen.get("active", 0),
        succeeded=seen.get("succeeded", 0),
        failed=seen.get("failed", 0),
        lasted_s=max(0.0, (ended_at - began_at).total_seconds()),
    )


def _state(seen: Mapping[str, Any], ended: Mapping[str, Any]) -> ExecutionState:
    if "Complete" in ended:
        return ExecutionState.SUCCEEDED
    if "Failed" in ended:
        return ExecutionState.FAILED
    return ExecutionState.RUNNING if seen.get("active") else ExecutionState.STARTING


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _message(answer: httpx2.Response) -> str:
    try:
        return str(answer.json()["message"])[:300]
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"
