"""Getting a document's bytes: from a URL through the shared fetcher, or from the tenant's uploads."""

import hashlib
from typing import Final
from urllib.parse import quote

from signalbox_core.http.fetch import Fetches
from signalbox_core.objects import ObjectStore, read_upload
from signalbox_core.pipeline.activity import progress
from signalbox_pipelines.document_batch.document.messages import FetchRequest, StoredDocument
from signalbox_pipelines.document_batch.document.read.limits import check_text_bytes
from signalbox_pipelines.document_batch.document.read.media_types import (
    ACCEPTED,
    MAX_BYTES,
    TEXT,
    check_media_type,
    display_name,
)

_DOWNLOADED: Final = ACCEPTED | {
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
"""More than what is read: our own error names the document, the fetcher's only the media type."""


def tenant_folder(tenant: str) -> str:
    """The key prefix of a tenant's documents, which keeps the content of tenants apart."""
    return f"documents/{quote(tenant, safe='')}"


async def fetch_document(fetcher: Fetches, objects: ObjectStore, request: FetchRequest) -> StoredDocument:
    """Fetch the document and store it under the digest of its content.

    Raises:
        NotFound: `unknown_object`: the tenant has no such upload.
        Rejected: it cannot be fetched, or has a format that is not read; see `Fetcher.fetch`
            and `check_media_type`.
    """
    name = display_name(request.name, request.url, request.object)
    body = await (_download(fetcher, request.url, name) if request.url else _load_upload(objects, request))
    media_type = check_media_type(body, name)
    if media_type == TEXT:
        check_text_bytes(len(body), name)
    digest = hashlib.sha256(body).hexdigest()
    key = request.object or f"{tenant_folder(request.tenant)}/raw/{digest}"
    if not request.object:
        await objects.put_new(key, body, media_type)
    return StoredDocument(name=name, key=key, sha256=digest, media_type=media_type, size_bytes=len(body))


async def _download(fetcher: Fetches, url: str, name: str) -> bytes:
    def on_bytes(done: int, total: int | None) -> None:
        of = f" of {_megabytes(total)}" if total else ""
        progress(done, of=total, message=f"{name}: {_megabytes(done)}{of} MB")

    return (await fetcher.fetch(url, accept=_DOWNLOADED, max_bytes=MAX_BYTES, on_bytes=on_bytes)).body


async def _load_upload(objects: ObjectStore, request: FetchRequest) -> bytes:
    body = await read_upload(objects, request.object or "", tenant=request.tenant)
    progress(len(body), of=len(body), message=f"{_megabytes(len(body))} MB")
    return body


def _megabytes(size: int | None) -> str:
    return f"{(size or 0) / 1_000_000:.1f}"
