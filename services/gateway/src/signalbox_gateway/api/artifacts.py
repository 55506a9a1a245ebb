"""Artifacts: the bytes of a run's files, served so that a browser never runs them."""

import mimetypes
import re
from typing import Final
from urllib.parse import quote

from starlette.responses import Response

from signalbox_core.errors import NotFound
from signalbox_core.events.snapshot import ENDED, ArtifactState, Snapshot
from signalbox_core.objects import ObjectStore
from signalbox_gateway.api.endpoint import Call
from signalbox_gateway.runs.lookup import RunStates
from signalbox_gateway.runs.views import artifact_version

_MEDIA_TYPE: Final = re.compile(
    r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*(; ?charset=[a-zA-Z0-9_-]+)?"
)
# Shown in the page; everything else is downloaded. SVG, HTML and XML can carry scripts.
_SHOWN: Final = frozenset(
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
_FOR_EVER: Final = "private, max-age=31536000, immutable"


class Artifacts:
    """The handler of /v1/runs/{run_id}/artifacts/{name}."""

    def __init__(self, states: RunStates, objects: ObjectStore) -> None:
        self._states = states
        self._objects = objects

    async def fetch(self, call: Call) -> Response:
        run_id, name = call.param("run_id"), call.param("name")
        snapshot = (await self._states.of(call.principal, run_id)).snapshot
        state = _named(snapshot, name) or await self._ahead_of_the_projection(snapshot, name)
        if state is None:
            raise _unknown(snapshot, name)
        headers = headers_of(
            state,
            version=call.request.query_params.get("v"),
            download="download" in call.request.query_params,
        )
        if _matches(call.request.headers.get("if-none-match"), headers["etag"]):
            return Response(status_code=304, headers=headers)
        body = await self._objects.get(state.key)
        return Response(body, headers=headers)

    async def _ahead_of_the_projection(self, snapshot: Snapshot, name: str) -> ArtifactState | None:
        """A caller may know the file from Temporal's word on the run, which can be a moment ahead of the projection."""
        if snapshot.status in ENDED:
            return None
        told = await self._states.snapshot_from_temporal(snapshot.run_id)
        return _named(told, name) if told is not None else None


def headers_of(state: ArtifactState, *, version: str | None, download: bool) -> dict[str, str]:
    """The response headers; with the current `?v=` the content can never change, without it caches must ask."""
    current = artifact_version(state)
    media_type = state.media_type if _MEDIA_TYPE.fullmatch(state.media_type) else "application/octet-stream"
    is_shown = media_type.partition(";")[0] in _SHOWN and not download
    return {
        **_HEADERS,
        "content-type": media_type,
        "content-disposition": content_disposition(file_name(state.name, media_type), inline=is_shown),
        "etag": f'"{current}"',
        "cache-control": _FOR_EVER if version == current else "private, no-cache",
    }


def file_name(name: str, media_type: str) -> str:
    """The last part of the artifact's name, with an extension that fits its media type."""
    last = name.rstrip("/").rpartition("/")[2] or "artifact"
    extension = mimetypes.guess_extension(media_type.partition(";")[0]) or ""
    return last if re.search(r"\.[A-Za-z0-9]{1,8}\Z", last) else last + extension


def content_disposition(name: str, *, inline: bool) -> str:
    """RFC 6266, with the name in RFC 8187 form beside an ASCII fallback that cannot break the header."""
    plain = re.sub(r"[^A-Za-z0-9 ._~()-]", "_", name)
    kind = "inline" if inline else "attachment"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='!#$&+.^_`|~-')}"


def _named(snapshot: Snapshot, name: str) -> ArtifactState | None:
    return next((artifact for artifact in snapshot.artifacts if artifact.name == name), None)


def _matches(header: str | None, etag: str) -> bool:
    if header is None:
        return False
    return header.strip() == "*" or any(part.strip().removeprefix("W/") == etag for part in header.split(","))


def _unknown(snapshot: Snapshot, name: str) -> NotFound:
    known = ", ".join(artifact.name for artifact in snapshot.artifacts[:20]) or "none so far"
    return NotFound(
        f"run {snapshot.run_id} has no artifact {name[:200]!r}; it has: {known}",
        field="name",
        code="unknown_artifact",
    )
