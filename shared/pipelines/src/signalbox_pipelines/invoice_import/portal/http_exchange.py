"""One HTTP request to the portal: returns the response, or raises the transport error as a fault."""

import time
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Final

import httpx2

from signalbox_core.errors import InvalidInput
from signalbox_pipelines.invoice_import.portal.faults import (
    PortalBusy,
    PortalResponse,
    TruncatedResponse,
    UnexpectedResponse,
)

MAX_BODY_BYTES: Final = 30_000_000
on_sent: Final[ContextVar[Callable[[], Awaitable[None]] | None]] = ContextVar("portal_on_sent", default=None)
"""Called when the request has been sent; the spacing of calls is measured from then."""
_SENT_EVENT: Final = ".send_request_headers.complete"


async def send_request(
    client: httpx2.AsyncClient, request: httpx2.Request, *, timeout_s: float
) -> PortalResponse:
    """Send the request and read the whole response.

    Args:
        timeout_s: for the error message; the timeout itself is set on the request.

    Raises:
        PortalBusy: no response, or not in time; TruncatedResponse when it was cut off.
        UnexpectedResponse: the response is larger than any that the portal sends.
    """
    started_at = time.monotonic()
    if (hook := on_sent.get()) is not None:
        request.extensions = {**request.extensions, "trace": _trace(hook)}
    response: httpx2.Response | None = None
    try:
        response = await client.send(request, stream=True)
        body = await _read(response)
    except httpx2.TimeoutException as error:
        raise PortalBusy(f"the portal did not respond within {timeout_s:g} s") from error
    except (httpx2.RemoteProtocolError, httpx2.ReadError) as error:
        if response is not None:
            raise TruncatedResponse("the portal's response was cut off") from error
        raise PortalBusy("the portal closed the connection without a response") from error
    except httpx2.TransportError as error:
        raise PortalBusy(f"the portal is unreachable ({type(error).__name__})") from error
    except httpx2.InvalidURL as error:
        raise InvalidInput(
            "SIGNALBOX_WORKER_PORTAL_URL is not a valid URL", field="SIGNALBOX_WORKER_PORTAL_URL"
        ) from error
    finally:
        if response is not None:
            await response.aclose()
    return PortalResponse(
        status=response.status_code, headers=response.headers, body=body, took_s=time.monotonic() - started_at
    )


def _trace(hook: Callable[[], Awaitable[None]]) -> Callable[[str, object], Awaitable[None]]:
    async def trace(event: str, _info: object) -> None:
        if event.endswith(_SENT_EVENT):
            await hook()

    return trace


async def _read(response: httpx2.Response) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise UnexpectedResponse(
                f"the portal sent more than {MAX_BODY_BYTES:,} bytes, which no known response needs"
            )
        parts.append(part)
    return b"".join(parts)


def cookie_header(headers: Mapping[str, str]) -> str:
    """Build a `Cookie` header from a response's `Set-Cookie` headers: names and values only."""
    given = (
        headers.get_list("set-cookie")
        if isinstance(headers, httpx2.Headers)
        else [headers.get("set-cookie", "")]
    )
    pairs = [item.partition(";")[0].strip() for item in given]
    return "; ".join(pair for pair in pairs if "=" in pair)[:8_000]
