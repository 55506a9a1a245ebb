"""Checks of an HTTP request before its signature is parsed: size limits, header repetition and media type."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec
from starlette.requests import ClientDisconnect, Request

from signalbox_core.errors import InvalidSignature, Rejected
from signalbox_core.events.envelope import BATCH_CONTENT_TYPE, CONTENT_TYPE, MAX_EVENT_BYTES
from signalbox_core.signatures import profile

MAX_BATCH_BYTES: Final = 1024 * 1024
MAX_BATCH_EVENTS: Final = 100

_MAX_LENGTH_DIGITS: Final = 15
_AT_MOST_ONCE: Final = ("host", "content-type", "content-digest", "content-length")
_SIGNATURE_FIELDS: Final = ("signature-input", "signature")


class Media(StrEnum):
    """How many events a body holds, by its media type."""

    ONE = CONTENT_TYPE
    BATCH = BATCH_CONTENT_TYPE

    @property
    def max_bytes(self) -> int:
        return MAX_EVENT_BYTES if self is Media.ONE else MAX_BATCH_BYTES


_MEDIA_TYPES: Final = frozenset(media.value for media in Media)


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """A request of bounded size, whose covered headers occur at most once.

    Attributes:
        target: path and query exactly as received, with unchanged percent-encoding.
        headers: by lower-case name; repeated lines are joined with a comma.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    media: Media
    body: bytes


async def read_arrival(request: Request, *, authority: str, timeout_s: float) -> Arrival:
    """Check the headers, then read the body.

    Args:
        authority: host and port of the configured public origin.

    Raises:
        Rejected: with a code for 400, 408, 413, 415, 421 or 431; the body was read up to its limit at most.
    """
    headers = check_headers(request.scope["headers"], authority=authority)
    media = check_media(headers)
    declared = headers.get("content-length", "0")
    # Compared without leading zeros: `int` raises for a text of thousands of digits.
    digits = declared.lstrip("0")
    if not declared.isdecimal() or len(digits) > _MAX_LENGTH_DIGITS or int(digits or "0") > media.max_bytes:
        raise _too_large(media)
    try:
        async with asyncio.timeout(timeout_s):
            body = await read_body(request.stream(), media)
    except TimeoutError:
        raise Rejected(
            f"the body did not arrive within {timeout_s:g} s; send it again", code="request_timeout"
        ) from None
    except ClientDisconnect:
        raise Rejected("the body ended early; send it again", code="malformed_request") from None
    return Arrival(method=request.method, target=_target(request), headers=headers, media=media, body=body)


def check_headers(lines: Sequence[tuple[bytes, bytes]], *, authority: str) -> dict[str, str]:
    """Check count, size, repetition and Host of the header lines, and join repeated ones.

    Raises:
        Rejected: `headers_too_large`, `malformed_request` or `misdirected_request`.
    """
    if (
        len(lines) > profile.MAX_HEADER_LINES
        or sum(len(name) + len(value) for name, value in lines) > profile.MAX_HEADER_BYTES
    ):
        raise Rejected("the request has more than 32 KiB or 100 lines of headers", code="headers_too_large")
    headers: dict[str, str] = {}
    for raw_name, raw_value in lines:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1").strip(" \t")
        if name in headers and name in _AT_MOST_ONCE:
            raise Rejected(f"send {name} once", code="malformed_request", field=name)
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    for name in _SIGNATURE_FIELDS:
        if len(headers.get(name, "")) > profile.MAX_SIGNATURE_FIELD_BYTES:
            raise Rejected(f"{name} has more than 4 KiB", code="headers_too_large", field=name)
    _check_host(headers.get("host"), authority)
    return headers


def check_media(headers: Mapping[str, str]) -> Media:
    """Return the media type; the only permitted parameter is `charset=utf-8`.

    Raises:
        Rejected: `unsupported_media_type`.
    """
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Rejected(
            "send the body without Content-Encoding", code="unsupported_media_type", field="content-encoding"
        )
    essence, _, parameters = headers.get("content-type", "").lower().partition(";")
    if (
        parameters.replace('"', "").strip() not in ("", "charset=utf-8")
        or essence.strip() not in _MEDIA_TYPES
    ):
        raise Rejected(
            f"Content-Type must be {Media.ONE} or {Media.BATCH}",
            code="unsupported_media_type",
            field="content-type",
        )
    return Media(essence.strip())


async def read_body(chunks: AsyncIterator[bytes], media: Media) -> bytes:
    """Read the body up to its limit, independent of Content-Length.

    Raises:
        Rejected: `payload_too_large`.
    """
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > media.max_bytes:
            raise _too_large(media)
    return bytes(body)


def require_header(headers: Mapping[str, str], name: str) -> str:
    """Return a covered header's value.

    Raises:
        InvalidSignature: `signature_incomplete`: the header is missing.
    """
    value = headers.get(name)
    if value is None:
        raise InvalidSignature(
            f"the request lacks {name}, which the signature must cover",
            code="signature_incomplete",
            field=name,
        )
    return value


def _check_host(host: str | None, authority: str) -> None:
    if host is None:
        raise Rejected("the request has no Host", code="malformed_request", field="host")
    # Host may contain the default port; the signed target URI never does.
    if host.lower() not in (authority, f"{authority}:443", f"{authority}:80"):
        raise Rejected("this receiver does not serve that host", code="misdirected_request", field="host")


def _target(request: Request) -> str:
    path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    query: bytes = request.scope["query_string"]
    return (path + (b"?" + query if query else b"")).decode("latin-1")


def _too_large(media: Media) -> Rejected:
    return Rejected(
        f"the body has more than {media.max_bytes} bytes; send large data by reference",
        code="payload_too_large",
    )
