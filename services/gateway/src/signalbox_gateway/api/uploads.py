"""Stores uploaded files. The first bytes give the type; size and hash are computed while the body arrives.

The key is the hash of the content in the folder of the tenant, so uploading a file twice stores one object.
"""

import asyncio
import errno
import hashlib
import tempfile
from collections.abc import AsyncIterator
from typing import IO, Final

from starlette.requests import Request
from starlette.responses import Response

from signalbox_core.errors import InvalidInput
from signalbox_core.http.fetch.sniff import media_type_of
from signalbox_core.objects import ObjectStore, storage_full, uploads_folder
from signalbox_gateway.api.endpoint import ApiCall, json_response
from signalbox_gateway.api.schemas import UploadResponse

MAX_UPLOAD_BYTES: Final = 50_000_000
ACCEPTED: Final = frozenset(
    {
        "application/pdf",
        "image/png",
        "image/jpeg",
        "image/tiff",
        "image/webp",
        "text/plain",
        "application/json",
        "application/xml",
    }
)
_SNIFF_BYTES: Final = 1_024
_IN_MEMORY_BYTES: Final = 1_000_000
_MAX_CONCURRENT_WRITES: Final = 4
# Types without a signature: the declared type decides.
_TRUSTED_TYPES: Final = frozenset({"application/json", "text/plain"})


class UploadHandler:
    """The handler of POST /v1/objects.

    A body is spooled to disk while it arrives; at most four are in memory at once, to be stored.
    """

    def __init__(self, objects: ObjectStore, *, max_bytes: int = MAX_UPLOAD_BYTES) -> None:
        self._objects = objects
        self._max_bytes = max_bytes
        self._writes = asyncio.Semaphore(_MAX_CONCURRENT_WRITES)

    async def store(self, call: ApiCall) -> Response:
        """Store the request body.

        Raises:
            InvalidInput: `upload_too_large`, `empty_upload`, or `wrong_upload_type`.
            Unavailable: `storage_full`.
        """
        declared = _declared_type(call.request)
        digest, size, media_type = hashlib.sha256(), 0, ""
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as spool:
            async for part in self._parts(call.request):
                if not size:
                    media_type = _detect_type(part, declared)
                digest.update(part)
                size += len(part)
                await _write(spool, part)
            if not size:
                raise InvalidInput(
                    "the body is empty; send the file's bytes as the body", code="empty_upload"
                )
            async with self._writes:
                spool.seek(0)
                body = await asyncio.to_thread(spool.read)
                key = f"{uploads_folder(call.principal.tenant)}/{digest.hexdigest()}"
                ref = await self._objects.put_new(key, body, media_type)
        stored = UploadResponse(
            object=ref.key, media_type=media_type, size_bytes=ref.size_bytes, sha256=digest.hexdigest()
        )
        return json_response(stored, 201)

    async def _parts(self, request: Request) -> AsyncIterator[bytes]:
        """The body in parts, the first one long enough to detect the type.

        Raises:
            InvalidInput: the body is too large.
        """
        length = request.headers.get("content-length", "0")
        if length.isascii() and length.isdigit() and int(length) > self._max_bytes:
            raise self._too_large()
        size, first = 0, b""
        async for part in request.stream():
            size += len(part)
            if size > self._max_bytes:
                raise self._too_large()
            if len(first) >= _SNIFF_BYTES:
                yield part
                continue
            first += part
            if len(first) >= _SNIFF_BYTES:
                yield first
        if 0 < len(first) < _SNIFF_BYTES:
            yield first

    def _too_large(self) -> InvalidInput:
        return InvalidInput(f"the file exceeds {self._max_bytes:,} bytes; split it", code="upload_too_large")


async def _write(spool: IO[bytes], part: bytes) -> None:
    try:
        await asyncio.to_thread(spool.write, part)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise storage_full() from error
        raise


def _declared_type(request: Request) -> str:
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared.startswith(("multipart/", "application/x-www-form-urlencoded")):
        raise InvalidInput("send the file's bytes as the body, not a form", code="wrong_upload_type")
    return declared if declared in _TRUSTED_TYPES else ""


def _detect_type(first: bytes, declared: str) -> str:
    detected = media_type_of(first, declared)
    if detected not in ACCEPTED:
        raise InvalidInput(
            f"files of type {detected} are not supported; send a PDF, PNG, JPEG, TIFF, WebP, plain text, "
            "XML, or JSON (declared as application/json)",
            code="wrong_upload_type",
        )
    return detected
