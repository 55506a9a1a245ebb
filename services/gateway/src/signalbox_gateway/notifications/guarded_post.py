"""POSTs to addresses that tenants choose, protected against server-side request forgery.

Messages name the host alone, because the path of an incoming webhook is a secret.
"""

import asyncio
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import httpcore2
import httpx2

from signalbox_core.errors import InvalidInput, RateLimited, Rejected, Unavailable
from signalbox_core.http.fetch.network import CheckedNetwork, Resolve, system_resolve
from signalbox_core.http.fetch.responses import RETRIABLE, header
from signalbox_core.http.fetch.urls import parse_url
from signalbox_core.http.retry_after import parse_retry_after

_DEADLINE_S: Final = 15.0
_MAX_WAIT_S: Final = 3_600.0
_AGENT: Final = "Signalbox/0.1 (notifications)"


class GuardedSender:
    """POSTs to public addresses on ports 80 and 443, and to allowed ones; follows no redirects.

    Args:
        allow: `ip:port` pairs (`10.1.2.3:8065`, `[fd00::5]:443`) that are permitted although they are not
            public.
        resolve: returns the addresses of a host; all are checked, and only they are connected to.
    """

    def __init__(self, allow: frozenset[str] = frozenset(), *, resolve: Resolve = system_resolve) -> None:
        self._allow = allow
        self._resolve = resolve
        self._tls = httpx2.create_ssl_context(trust_env=False)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """POST a body; a status 2xx is success.

        Raises:
            InvalidInput: `url` is not an http or https URL.
            Rejected: the address is not allowed, or the response is a redirect or refuses the request.
            Unavailable: no response, or one that permits another attempt (`RateLimited` with `Retry-After`).
        """
        target = parse_post_url(url)
        try:
            async with asyncio.timeout(_DEADLINE_S):
                status, retry_after = await self._post(target, body, headers)
        except (TimeoutError, httpcore2.TimeoutException) as error:
            raise Unavailable(f"{target.host} did not respond in time") from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError, ssl.SSLError, OSError) as error:
            raise Unavailable(f"cannot connect to {target.host}: {type(error).__name__}") from error
        _check_status(target.host, status, retry_after)

    async def _post(self, url: httpx2.URL, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
        target = httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        network = CheckedNetwork(self._allow, field="url", resolve=self._resolve)
        sent = {"host": url.netloc.decode("ascii"), "user-agent": _AGENT, **headers}
        limits = {"connect": 5.0, "read": 10.0, "write": 5.0, "pool": 5.0}
        async with (
            httpcore2.AsyncConnectionPool(self._tls, network_backend=network, max_connections=1) as pool,
            pool.stream(
                "POST",
                target,
                headers=[*sent.items(), ("content-length", str(len(body)))],
                content=body,
                extensions={"timeout": limits},
            ) as response,
        ):
            return response.status, header(response, "retry-after")


def parse_post_url(url: str) -> httpx2.URL:
    """Parse the address of a webhook.

    Raises:
        InvalidInput: it is not an http or https URL with a host; the message does not repeat it.
    """
    try:
        return parse_url(url, field="url")
    except InvalidInput:
        raise InvalidInput(
            "not a URL: use https://host/path, without user name and password", field="url"
        ) from None


def _check_status(host: str, status: int, retry_after: str) -> None:
    if 200 <= status < 300:
        return
    if status == 429 or status in RETRIABLE or status >= 500:
        detail = f"{host} returned {status}"
        wait_s = parse_retry_after(retry_after, datetime.now(UTC))
        if wait_s is None:
            raise Unavailable(detail)
        raise RateLimited(detail, retry_after_s=min(wait_s, _MAX_WAIT_S))
    if 300 <= status < 400:
        raise Rejected(f"{host} returned a redirect ({status}); configure the address that it leads to")
    raise Rejected(f"{host} returned {status}; check the address, and whether it was revoked")
