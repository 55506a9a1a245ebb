"""One HTTP request to the portal, whatever becomes of it: an answer, or a fault of the way there."""

import time
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Final

import httpx2

from signalbox_core.errors import InvalidInput
from signalbox_pipelines.invoice_import.portal.faults import Answer, Busy, CutBody, Drift

MAX_BODY_BYTES: Final = 30_000_000
on_sent: Final[ContextVar[Callable[[], Awaitable[None]] | None]] = ContextVar("portal_on_sent", default=None)
"""Called when a request is on the wire: only then does it count for the portal's spacing."""
_ON_WIRE: Final = ".send_request_headers.complete"


async def answer_of(client: httpx2.AsyncClient, request: httpx2.Request, *, silence_s: float) -> Answer:
    """The whole answer.

    Raises:
        Busy: nobody answers, or not in time; CutBody: the answer broke off.
        Drift: the answer is larger than any of the portal's.
    """
    began = time.monotonic()
    if (hook := on_sent.get()) is not None:
        request.extensions = {**request.extensions, "trace": _trace(hook)}
    response: httpx2.Response | None = None
    try:
        response = await client.send(request, stream=True)
        body = await _read(response)
    except httpx2.TimeoutException as error:
        raise Busy(f"the portal said nothing for {silence_s:g} s") from error
    except (httpx2.RemoteProtocolError, httpx2.ReadError) as error:
        if response is not None:
            raise CutBody("the portal's answer broke off in the middle") from error
        raise Busy("the portal closed the connection without an answer") from error
    except httpx2.TransportError as error:
        raise Busy(f"the portal does not answer ({type(error).__name__})") from error
    except httpx2.InvalidURL as error:
        raise InvalidInput(
            "SIGNALBOX_WORKER_PORTAL_URL is no address", field="SIGNALBOX_WORKER_PORTAL_URL"
        ) from error
    finally:
        if response is not None:
            await response.aclose()
    return Answer(
        status=response.status_code, headers=response.headers, body=body, took_s=time.monotonic() - began
    )


def _trace(hook: Callable[[], Awaitable[None]]) -> Callable[[str, object], Awaitable[None]]:
    async def trace(event: str, _info: object) -> None:
        if event.endswith(_ON_WIRE):
            await hook()

    return trace


async def _read(response: httpx2.Response) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise Drift(
                f"the portal sends more than {MAX_BODY_BYTES:,} bytes; nothing of its answers is that large"
            )
        parts.append(part)
    return b"".join(parts)


def cookies_of(headers: Mapping[str, str]) -> str:
    """The `Cookie` header that gives an answer's cookies back: names and values only."""
    given = (
        headers.get_list("set-cookie")
        if isinstance(headers, httpx2.Headers)
        else [headers.get("set-cookie", "")]
    )
    pairs = [item.partition(";")[0].strip() for item in given]
    return "; ".join(pair for pair in pairs if "=" in pair)[:8_000]
