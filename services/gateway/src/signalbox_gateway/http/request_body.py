"""Reads JSON bodies of requests: bounded, declared as JSON, and without repeated members."""

import asyncio
from typing import Final

from starlette.requests import Request

from signalbox_core.errors import InvalidInput
from signalbox_gateway.http import validation

_LARGE_BODY_BYTES: Final = 32 * 1024


async def read_json_body(request: Request, max_bytes: int) -> bytes:
    """Read the body, which may be empty, as it was sent.

    Raises:
        InvalidInput: it is too large (`body_too_large`), or declared as another media type
            (`wrong_content_type`).
    """
    body = await _read(request, max_bytes)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    # CSRF: a form on another site can send other media types without a preflight request.
    if body and media_type != "application/json":
        raise InvalidInput("send the body with `Content-Type: application/json`", code="wrong_content_type")
    return body


async def check_json_members(body: bytes) -> None:
    """Refuse a body in which an object has a member twice. Raises: InvalidInput."""
    if len(body) > _LARGE_BODY_BYTES:
        # A megabyte of small objects takes long enough to delay everyone else's streams.
        await asyncio.to_thread(validation.check_members, body)
    elif body:
        validation.check_members(body)


async def _read(request: Request, max_bytes: int) -> bytes:
    declared = request.headers.get("content-length", "0")
    if not declared.isascii() or not declared.isdigit() or int(declared) > max_bytes:
        raise _too_large(max_bytes)
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > max_bytes:
            raise _too_large(max_bytes)
        parts.append(part)
    return b"".join(parts)


def _too_large(max_bytes: int) -> InvalidInput:
    return InvalidInput(
        f"the body exceeds {max_bytes} bytes; upload large files with POST /v1/objects",
        code="body_too_large",
    )
