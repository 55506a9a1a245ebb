"""Lists task queues, workers and the API keys of the tenant, without any secret."""

from datetime import datetime

from msgspec import Struct
from starlette.responses import Response

from signalbox_core.crypto.api_keys import ApiKey, Role
from signalbox_core.subjects import SubjectKind
from signalbox_gateway.api.endpoint import ApiCall, json_response
from signalbox_gateway.auth.authenticator import ApiKeys
from signalbox_gateway.runs.fleet import FleetReader, QueueView, WorkerView


class QueuesView(Struct, frozen=True, kw_only=True):
    queues: tuple[QueueView, ...]


class WorkersView(Struct, frozen=True, kw_only=True):
    """At most 500 workers."""

    workers: tuple[WorkerView, ...]


class ApiKeyView(Struct, frozen=True, kw_only=True):
    """One API key. `created_at` is null for keys of earlier releases, `expires_at` without an expiry."""

    id: str
    name: str
    kind: SubjectKind
    roles: tuple[Role, ...]
    created_at: datetime | None
    expires_at: datetime | None


class ApiKeysView(Struct, frozen=True, kw_only=True):
    keys: tuple[ApiKeyView, ...]


class SystemHandlers:
    """The handlers of /v1/system and /v1/api-keys."""

    def __init__(self, fleet: FleetReader, keys: ApiKeys) -> None:
        self._fleet = fleet
        self._keys = keys

    async def queues(self, _call: ApiCall) -> Response:
        return json_response(QueuesView(queues=await self._fleet.queues()))

    async def workers(self, _call: ApiCall) -> Response:
        return json_response(WorkersView(workers=await self._fleet.workers()))

    async def api_keys(self, call: ApiCall) -> Response:
        own = (key for key in self._keys.all if key.tenant == call.principal.tenant)
        return json_response(ApiKeysView(keys=tuple(sorted(map(_view, own), key=lambda key: key.id))))


def _view(key: ApiKey) -> ApiKeyView:
    return ApiKeyView(
        id=key.id,
        name=key.name,
        kind=key.kind,
        roles=tuple(sorted(key.roles)),
        created_at=key.created_at,
        expires_at=key.expires_at,
    )
