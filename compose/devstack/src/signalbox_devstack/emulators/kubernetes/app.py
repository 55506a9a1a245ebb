"""`/apis/batch/v1/namespaces/{namespace}/jobs`: create, list by label, get and delete; needs the bearer
token.
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

from signalbox_devstack.emulators.job_execution import JobExecution

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_JOBS: Final = "/apis/batch/v1/namespaces/{namespace}/jobs"


class KubernetesJobsApi:
    """The jobs of one namespace.

    Args:
        command: what each pod runs; empty: it waits until the job is deleted.
        token: bearer token that every request must carry.
    """

    def __init__(self, command: Sequence[str], *, token: str, logs: Path | None) -> None:
        self._command = command
        self._token = token
        self._logs = logs
        self._manifests: dict[str, Mapping[str, Any]] = {}
        self._running: dict[str, JobExecution] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def app(self) -> Starlette:
        routes = [
            Route(_JOBS, self._create, methods=["POST"]),
            Route(_JOBS, self._list, methods=["GET"]),
            Route(f"{_JOBS}/{{name}}", self._get, methods=["GET"]),
            Route(f"{_JOBS}/{{name}}", self._delete, methods=["DELETE"]),
        ]
        return Starlette(routes=routes)

    async def close(self) -> None:
        """Cancel every job and wait until its pods have ended."""
        for running in self._running.values():
            running.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _create(self, request: Request) -> JSONResponse:
        if denied := self._check_token(request):
            return denied
        manifest = await request.json()
        name = str(manifest.get("metadata", {}).get("name", ""))
        spec = manifest.get("spec", {})
        if not _NAME.fullmatch(name) or manifest.get("kind") != "Job" or "template" not in spec:
            return failure(422, "Invalid", f'Job.batch "{name}" is invalid')
        if name in self._running:
            return failure(409, "AlreadyExists", f'jobs.batch "{name}" already exists')
        self._manifests[name], self._running[name] = manifest, self._begin(name, spec)
        return JSONResponse(self._as_json(name), 201)

    def _begin(self, name: str, spec: Mapping[str, Any]) -> JobExecution:
        container = spec["template"]["spec"]["containers"][0]
        given = {entry["name"]: str(entry.get("value", "")) for entry in container.get("env", [])}
        running = JobExecution(
            name,
            lambda index: {**given, "JOB_COMPLETION_INDEX": str(index)},
            count=int(spec.get("completions", 1)),
            timeout_s=float(spec.get("activeDeadlineSeconds", 86_400)),
            command=self._command,
            log=self._logs / f"{name}.log" if self._logs else None,
        )
        task = asyncio.create_task(running.run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return running

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
        if denied := self._check_token(request):
            return denied
        name = request.path_params["name"]
        if name not in self._running:
            return failure(404, "NotFound", f'jobs.batch "{name}" not found')
        self._running.pop(name).cancel()
        del self._manifests[name]
        return JSONResponse({"kind": "Status", "apiVersion": "v1", "status": "Success"})

    def _label(self, name: str, label: str) -> str | None:
        labels: Mapping[str, str] = self._manifests[name].get("metadata", {}).get("labels", {})
        return labels.get(label)

    def _as_json(self, name: str) -> Mapping[str, Any]:
        running, manifest = self._running[name], self._manifests[name]
        failed = running.counts["failed"] + running.counts["cancelled"]
        seen: dict[str, Any] = {
            "active": running.running_count,
            "succeeded": running.counts["succeeded"],
            "failed": failed,
        }
        if running.started_at:
            seen["startTime"] = _instant(running.started_at)
        if running.ended_at:
            kind = "Failed" if failed else "Complete"
            seen["conditions"] = [
                {"type": kind, "status": "True", "lastTransitionTime": _instant(running.ended_at)}
            ]
            seen |= {} if failed else {"completionTime": _instant(running.ended_at)}
        metadata = {**manifest["metadata"], "creationTimestamp": _instant(running.created_at)}
        return {
            **manifest,
            "metadata": metadata,
            "status": {key: value for key, value in seen.items() if value},
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
