"""Getting a document's bytes: from an address through the one fetcher, or from the tenant's own uploads."""

import hashlib
from typing import Final
from urllib.parse import quote

from signalbox_core.errors import NotFound
from signalbox_core.http.fetch import Fetches
from signalbox_core.objects import ObjectStore, uploads_folder
from signalbox_core.pipeline.activity import progress
from signalbox_pipelines.document_batch.document.messages import FetchRequest, StoredDocument
from signalbox_pipelines.document_batch.document.read.media_types import (
    ACCEPTED,
    MAX_BYTES,
    check_media_type,
    name_of,
)

_ANYTHING: Final = ACCEPTED | {
    "text/html",
    "application/xhtml+xml",
    "application/xml",
    "application/zip",
    "application/gzip",
    "application/octet-stream",
    "image/gif",
    "image/svg+xml",
    "image/avif",
}
"""Fetched as well: our own refusal names the document, the fetcher's only the media type."""


def tenant_folder(tenant: str) -> str:
    """Every key of a tenant's documents begins with this, so that one tenant's content is never another's."""
    return f"documents/{quote(tenant, safe='')}"


async def fetch_document(fetcher: Fetches, objects: ObjectStore, request: FetchRequest) -> StoredDocument:
    """The document's bytes under a key that names their content.

    Raises:
        NotFound: `unknown_object`: no upload of this tenant.
        Rejected: it cannot be fetched or is nothing that can be read; see `Fetcher.fetch` and `check_media_type`.
    """
    name = name_of(request.name, request.url, request.object)
    body = await (_fetched(fetcher, request.url, name) if request.url else _uploaded(objects, request))
    media_type = check_media_type(body, name)
    digest = hashlib.sha256(body).hexdigest()
    key = request.object or f"{tenant_folder(request.tenant)}/raw/{digest}"
    if not request.object:
        await objects.put_new(key, body, media_type)
    return StoredDocument(name=name, key=key, sha256=digest, media_type=media_type, size_bytes=len(body))


async def _fetched(fetcher: Fetches, url: str, name: str) -> bytes:
    def tell(done: int, total: int | None) -> None:
        of = f" of {_megabytes(total)}" if total else ""
        progress(done, of=total, message=f"{name}: {_megabytes(done)}{of} MB")

    return (await fetcher.fetch(url, accept=_ANYTHING, max_bytes=MAX_BYTES, on_bytes=tell)).body


async def _uploaded(objects: ObjectStore, request: FetchRequest) -> bytes:
    key = request.object or ""
    if not key.startswith(f"{uploads_folder(request.tenant)}/"):
        raise _unknown(key)
    try:
        body = await objects.get(key)
    except NotFound:
        raise _unknown(key) from None
    progress(len(body), of=len(body), message=f"{_megabytes(len(body))} MB")
    return body


def _unknown(key: str) -> NotFound:
    return NotFound(
        f"there is no uploaded object {key[:200]!r}; upload the file to POST /v1/objects",
        field="object",
        code="unknown_object",
    )


def _megabytes(size: int | None) -> str:
    return f"{(size or 0) / 1_000_000:.1f}"
