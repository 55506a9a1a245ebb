"""Jobs (create, list by label, get, delete), PodTemplates (create, get) and evictions of pods.

Every request needs the bearer token.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from signalbox_devstack.emulators.kubernetes.indexed_job import IndexedJob, find_spec_problem

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_POD: Final = re.compile(r"(.+)-([0-9]+)")
_JOBS: Final = "/apis/batch/v1/namespaces/{namespace}/jobs"
_PODS: Final = "/api/v1/namespaces/{namespace}/pods"
_TEMPLATES: Final = "/api/v1/namespaces/{namespace}/podtemplates"
_CASCADING_POLICIES: Final = frozenset({"Background", "Foreground"})


class KubernetesJobsApi:
    """The Jobs and PodTemplates of one namespace.

    Args:
        command: what each pod runs; empty: it waits until the job is deleted.
        token: bearer token that every request must carry.
    """

    def __init__(self, command: Sequence[str], *, token: str, logs: Path | None) -> None:
        self._command = command
        self._token = token
        self._logs = logs
        self._manifests: dict[str, Mapping[str, Any]] = {}
        self._running: dict[str, IndexedJob] = {}
        self._orphaned: list[IndexedJob] = []
        self._templates: dict[str, Mapping[str, Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def app(self) -> Starlette:
        routes = [
            Route(_JOBS, self._create, methods=["POST"]),
            Route(_JOBS, self._list, methods=["GET"]),
            Route(f"{_JOBS}/{{name}}", self._get, methods=["GET"]),
            Route(f"{_JOBS}/{{name}}", self._delete, methods=["DELETE"]),
            Route(f"{_PODS}/{{name}}/eviction", self._evict, methods=["POST"]),
            Route(_TEMPLATES, self._create_template, methods=["POST"]),
            Route(f"{_TEMPLATES}/{{name}}", self._get_template, methods=["GET"]),
        ]
        return Starlette(routes=routes)

    async def close(self) -> None:
        """Cancel every job and wait until its pods have ended."""
        for job in (*self._running.values(), *self._orphaned):
            job.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _create(self, request: Request) -> JSONResponse:
        if denied := self._check_token(request):
            return denied
        manifest = await request.json()
        name = str(manifest.get("metadata", {}).get("name", ""))
        spec = manifest.get("spec", {})
        if not _NAME.fullmatch(name) or manifest.get("kind") != "Job" or "template" not in spec:
            return failure(422, "Invalid", f'Job.batch "{name}" is invalid')
        if problem := find_spec_problem(spec):
            return failure(422, "Invalid", f'Job.batch "{name}" is invalid: {problem}')
        if name in self._running:
            return failure(409, "AlreadyExists", f'jobs.batch "{name}" already exists')
        self._manifests[name], self._running[name] = manifest, self._begin(name, spec)
        return JSONResponse(self._as_json(name), 201)

    def _begin(self, name: str, spec: Mapping[str, Any]) -> IndexedJob:
        job = IndexedJob(name, spec, self._command, self._logs / f"{name}.log" if self._logs else None)
        task = asyncio.create_task(job.run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    async def _evict(self, request: Request) -> JSONResponse:
        """Evict the pod `<job>-<index>`."""
        if denied := self._check_token(request):
            return denied
        name = request.path_params["name"]
        parts = _POD.fullmatch(name)
        job = self._running.get(parts[1]) if parts else None
        if parts is None or job is None or not job.evict(int(parts[2])):
            return failure(404, "NotFound", f'pods "{name}" not found')
        return JSONResponse({"kind": "Status", "apiVersion": "v1", "status": "Success"}, 201)

    async def _create_template(self, request: Request) -> JSONResponse:
        if denied := self._check_token(request):
            return denied
        manifest: Mapping[str, Any] = await request.json()
        self._templates[str(manifest["metadata"]["name"])] = manifest
        return JSONResponse(manifest, 201)

    async def _get_template(self, request: Request) -> JSONResponse:
        if denied := self._check_token(request):
            return denied
        name = request.path_params["name"]
        found = self._templates.get(name)
        return JSONResponse(found) if found else failure(404, "NotFound", f'podtemplates "{name}" not found')

    async def _list(self, request: Request) -> JSONResponse:
        if denied := self._check_token(request):
            return denied
        label, _, value = request.query_params.get("labelSelector", "").partition("=")
        names = [name for name in self._running if not label or self._label(name, label) == value]
        return JSONResponse(
            {
                "kind": "JobList",
                "apiVersion": "batch/v1",
                "metadata": {},
                "items": [self._as_json(name) for name in names],
            }
        )

    async def _get(self, request: Request) -> JSONResponse:
        if denied := self._check_token(request):
            return denied
        name = request.path_params["name"]
        return (
            JSONResponse(self._as_json(name))
            if name in self._running
            else failure(404, "NotFound", f'jobs.batch "{name}" not found')
        )

    async def _delete(self, request: Request) -> JSONResponse:
        """Delete a Job. Its pods keep running unless the request cascades; batch/v1 does not by default."""
        if denied := self._check_token(request):
            return denied
        name = request.path_params["name"]
        if name not in self._running:
            return failure(404, "NotFound", f'jobs.batch "{name}" not found')
        job = self._running.pop(name)
        del self._manifests[name]
        if request.query_params.get("propagationPolicy") in _CASCADING_POLICIES:
            job.cancel()
        else:
            self._orphaned.append(job)
        return JSONResponse({"kind": "Status", "apiVersion": "v1", "status": "Success"})

    def _label(self, name: str, label: str) -> str | None:
        labels: Mapping[str, str] = self._manifests[name].get("metadata", {}).get("labels", {})
        return labels.get(label)

    def _as_json(self, name: str) -> Mapping[str, Any]:
        job, manifest = self._running[name], self._manifests[name]
        status: dict[str, Any] = {
            "active": job.active,
            "succeeded": job.succeeded,
            "failed": job.failed,
            "failedIndexes": ",".join(str(index) for index in sorted(job.failed_indexes)),
            "startTime": _instant(job.created_at),
        }
        if job.ended_at:
            kind = "Failed" if job.has_failed else "Complete"
            status["conditions"] = [
                {"type": kind, "status": "True", "lastTransitionTime": _instant(job.ended_at)}
            ]
            status |= {} if job.has_failed else {"completionTime": _instant(job.ended_at)}
        metadata = {**manifest["metadata"], "creationTimestamp": _instant(job.created_at)}
        return {
            **manifest,
            "metadata": metadata,
            "status": {key: value for key, value in status.items() if value},
        }

    def _check_token(self, request: Request) -> JSONResponse | None:
        if request.headers.get("authorization") != f"Bearer {self._token}":
            return failure(401, "Unauthorized", "Unauthorized")
        return None


def failure(code: int, reason: str, message: str) -> JSONResponse:
    """A `Status` object of kind Failure, as the API server returns it."""
    return JSONResponse(
        {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "reason": reason,
            "message": message,
            "code": code,
        },
        code,
    )


def _instant(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
