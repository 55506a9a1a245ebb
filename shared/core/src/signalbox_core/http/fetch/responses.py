"""Reads an HTTP response within limits, and maps an error status to an error that names the remedy."""

import zlib
from collections.abc import AsyncIterable, Callable
from datetime import UTC, datetime
from typing import Final

import httpcore2

from signalbox_core.errors import RateLimited, Rejected, SignalboxError, Unavailable
from signalbox_core.http.retry_after import parse_retry_after

OnBytes = Callable[[int, int | None], None]
"""Called with the number of bytes received so far, and of all bytes if that is known."""

RETRIABLE: Final = frozenset({408, 425, 500, 502, 503, 504})
_DEFAULT_WAIT_S: Final = 30.0
_MIN_WAIT_S: Final = 1.0


def header(answer: httpcore2.Response, name: str) -> str:
    """The first header of that name (lower case), or an empty string."""
    return next(
        (value.decode("latin-1") for key, value in answer.headers if key.decode("latin-1").lower() == name),
        "",
    )


async def read_body(
    answer: httpcore2.Response, *, max_bytes: int, url: str, field: str, on_bytes: OnBytes | None = None
) -> bytes:
    """Read and decode the body.

    Reading stops at `max_bytes` decoded bytes, so neither a long body nor a decompression bomb fills the
    memory.

    Raises:
        Rejected: `too_large`, `unsupported_encoding`.
    """
    declared = header(answer, "content-length")
    if declared.isdigit() and int(declared) > max_bytes:
        raise too_large(url, max_bytes, field)
    encoding = header(answer, "content-encoding").strip().lower()
    body = bytearray()
    # 32 + 15 bits: detects gzip or zlib by the header.
    unpack = zlib.decompressobj(32 + zlib.MAX_WBITS) if encoding in ("gzip", "deflate") else None
    if encoding not in ("", "identity", "gzip", "deflate"):
        raise Rejected(
            f"{url} responded with the encoding {encoding!r}, which was not requested",
            field=field,
            code="unsupported_encoding",
        )
    async for chunk in _chunks(answer):
        body += unpack.decompress(chunk, max_bytes + 1 - len(body)) if unpack else chunk
        if len(body) > max_bytes:
            raise too_large(url, max_bytes, field)
        if on_bytes is not None:
            on_bytes(len(body), int(declared) if declared.isdigit() and unpack is None else None)
    return bytes(body)


def refusal(url: str, status: int, retry_after: str, field: str) -> SignalboxError | None:
    """The error for a status other than 2xx, or None."""
    if 200 <= status < 300:
        return None
    if status == 429:
        detail = f"{url} returned 429, too many requests; try again later"
        return RateLimited(detail, retry_after_s=_wait_s(retry_after), field=field, status=status)
    if status in RETRIABLE or status >= 500:
        return Unavailable(
            f"{url} returned a server error ({status}); try again later", field=field, status=status
        )
    if status in (404, 410):
        return Rejected(
            f"{url} does not exist ({status}); check the address",
            field=field,
            code="page_not_found",
            status=status,
        )
    if status in (401, 403):
        return Rejected(
            f"{url} is not public ({status}); give an address that anyone can read",
            field=field,
            code="page_refused",
            status=status,
        )
    return Rejected(
        f"{url} returned status {status}; use an address that returns 200",
        field=field,
        code="bad_status",
        status=status,
    )


def too_large(url: str, max_bytes: int, field: str) -> Rejected:
    limit = f"{max_bytes / 1_000_000:g} MB"
    return Rejected(
        f"{url} is larger than {limit}; use a smaller one",
        field=field,
        code="too_large",
        max_bytes=max_bytes,
    )


async def _chunks(answer: httpcore2.Response) -> AsyncIterable[bytes]:
    async for chunk in answer.aiter_stream():
        yield chunk


def _wait_s(retry_after: str) -> float:
    wait_s = parse_retry_after(retry_after, datetime.now(UTC))
    return _DEFAULT_WAIT_S if wait_s is None else max(wait_s, _MIN_WAIT_S)
