"""Serves the artifacts of runs, with headers that keep browsers from executing them."""

import mimetypes
import re
from typing import Final
from urllib.parse import quote

from starlette.responses import Response

from signalbox_core.errors import NotFound
from signalbox_core.events.snapshot import ENDED, ArtifactState, Snapshot
from signalbox_core.objects import ObjectStore
from signalbox_gateway.api.endpoint import ApiCall
from signalbox_gateway.runs.lookup import RunReader
from signalbox_gateway.runs.views import artifact_version

_MEDIA_TYPE: Final = re.compile(
    r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*(; ?charset=[a-zA-Z0-9_-]+)?"
)
# Displayed inline; everything else is downloaded. SVG, HTML and XML can contain scripts.
_INLINE: Final = frozenset(
    {
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
        "text/plain",
        "application/json",
        "application/pdf",
    }
)
_HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "cross-origin-resource-policy": "same-origin",
}
_IMMUTABLE: Final = "private, max-age=31536000, immutable"


class ArtifactHandler:
    """The handler of /v1/runs/{run_id}/artifacts/{name}."""

    def __init__(self, states: RunReader, objects: ObjectStore) -> None:
        self._states = states
        self._objects = objects

    async def fetch(self, call: ApiCall) -> Response:
        run_id, name = call.param("run_id"), call.param("name")
        snapshot = (await self._states.get(call.principal, run_id)).snapshot
        state = _find(snapshot, name) or await self._find_in_workflow(snapshot, name)
        if state is None:
            raise _unknown_artifact(snapshot, name)
        headers = artifact_headers(
            state,
            version=call.request.query_params.get("v"),
            download="download" in call.request.query_params,
        )
        if _matches(call.request.headers.get("if-none-match"), headers["etag"]):
            return Response(status_code=304, headers=headers)
        body = await self._objects.get(state.key)
        return Response(body, headers=headers)

    async def _find_in_workflow(self, snapshot: Snapshot, name: str) -> ArtifactState | None:
        """Look in the workflow's snapshot: a caller may have seen it before the projection caught up."""
        if snapshot.status in ENDED:
            return None
        current = await self._states.snapshot_from_temporal(snapshot.key)
        return _find(current, name) if current is not None else None


def artifact_headers(state: ArtifactState, *, version: str | None, download: bool) -> dict[str, str]:
    """Build the response headers. Only a URL with the current `?v=` may be cached without revalidation."""
    current = artifact_version(state)
    media_type = state.media_type if _MEDIA_TYPE.fullmatch(state.media_type) else "application/octet-stream"
    is_inline = media_type.partition(";")[0] in _INLINE and not download
    return {
        **_HEADERS,
        "content-type": media_type,
        "content-disposition": content_disposition(file_name(state.name, media_type), inline=is_inline),
        "etag": f'"{current}"',
        "cache-control": _IMMUTABLE if version == current else "private, no-cache",
    }


def file_name(name: str, media_type: str) -> str:
    """The last segment of the artifact's name, with an extension for its media type if it has none."""
    last = name.rstrip("/").rpartition("/")[2] or "artifact"
    extension = mimetypes.guess_extension(media_type.partition(";")[0]) or ""
    return last if re.search(r"\.[A-Za-z0-9]{1,8}\Z", last) else last + extension


def content_disposition(name: str, *, inline: bool) -> str:
    """Build the header (RFC 6266): a safe ASCII fallback and the full name (RFC 8187)."""
    plain = re.sub(r"[^A-Za-z0-9 ._~()-]", "_", name)
    kind = "inline" if inline else "attachment"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='!#$&+.^_`|~-')}"


def _find(snapshot: Snapshot, name: str) -> ArtifactState | None:
    return next((artifact for artifact in snapshot.artifacts if artifact.name == name), None)


def _matches(header: str | None, etag: str) -> bool:
    if header is None:
        return False
    return header.strip() == "*" or any(part.strip().removeprefix("W/") == etag for part in header.split(","))


def _unknown_artifact(snapshot: Snapshot, name: str) -> NotFound:
    existing = ", ".join(artifact.name for artifact in snapshot.artifacts[:20]) or "none so far"
    return NotFound(
        f"run {snapshot.run_id} has no artifact {name[:200]!r}; it has: {existing}",
        field="name",
        code="unknown_artifact",
    )
