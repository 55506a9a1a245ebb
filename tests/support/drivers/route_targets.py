"""Every endpoint of an app as a request, read from its routes, so that a new endpoint is tested at once."""

from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.routing import Mount, Route

from signalbox_core.crypto.api_keys import Role
from signalbox_gateway.api.endpoint import Dispatcher, Endpoint

SCHEDULE = "matrix"
"""The id of the schedule that the paths name."""
STREAMS = {"/v1/runs/{run_id}/stream", "/v1/stream"}


@dataclass(frozen=True)
class Target:
    """One endpoint as it is called."""

    name: str
    method: str
    path: str
    role: Role | None
    is_stream: bool
    names_run: bool
    names_schedule: bool = False


def targets_of(app: Starlette, run_id: str) -> list[Target]:
    found = []
    for route in app.routes:
        assert isinstance(route, Route | Mount), route
        if isinstance(route.app, Dispatcher):
            found += [target_of(endpoint, run_id) for endpoint in route.app.endpoints]
        elif route.path in STREAMS:
            path = route.path.replace("{run_id}", run_id) + (
                "" if "{run_id}" in route.path else f"?run={run_id}"
            )
            found.append(Target(route.path, "HEAD", path, Role.VIEWER, is_stream=False, names_run=True))
        else:
            assert route.path in {"/", "/decide", "/console", "/client"} or route.path.startswith(
                ("/console/", "/client/")
            ), f"{route.path}: add it to the access matrix"
    return found


def target_of(endpoint: Endpoint, run_id: str) -> Target:
    path = endpoint.path
    for part, value in {
        "run_id": run_id,
        "approval_id": "word",
        "schedule_id": SCHEDULE,
        "name:path": "a.png",
        "name": "echo",
        "token_id": "0" * 64,
        "token": "none",
        "passkey_id": "none",
    }.items():
        path = path.replace(f"{{{part}}}", value)
    assert "{" not in path, f"{endpoint.path}: add its path parameters above"
    is_stream = any(reply.media_type == "text/event-stream" for reply in endpoint.replies)
    return Target(
        endpoint.name,
        endpoint.method,
        path,
        endpoint.role,
        is_stream,
        names_run="{run_id}" in endpoint.path,
        names_schedule="{schedule_id}" in endpoint.path,
    )
