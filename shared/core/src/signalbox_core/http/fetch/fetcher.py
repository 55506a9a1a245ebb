"""The fetcher: GET within limits, without cookies, credentials, proxy or anything from the environment."""

import asyncio
import ssl
import zlib
from typing import Final, Protocol

import httpcore2
import httpx2
from msgspec import Struct

from signalbox_core.errors import InvalidInput, Rejected, Unavailable
from signalbox_core.http.fetch.network import CheckedNetwork, Resolve, system_resolve
from signalbox_core.http.fetch.responses import OnBytes, header, read_body, refusal
from signalbox_core.http.fetch.sniff import charset_of, media_type_of
from signalbox_core.http.fetch.urls import parse_url

HTML: Final = frozenset({"text/html", "application/xhtml+xml"})
PICTURES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
MAX_REDIRECTS: Final = 3
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_AGENT: Final = "Signalbox/0.1 (fetches a page at a user's request)"


class Fetched(Struct, frozen=True, kw_only=True):
    """A fetched body.

    Attributes:
        url: the address after redirects.
        media_type: as detected in the bytes, not as declared.
    """

    url: str
    status: int
    media_type: str
    body: bytes
    charset: str | None = None
    etag: str | None = None


class Fetches(Protocol):
    """Fetches untrusted addresses."""

    async def fetch(
        self,
        url: str,
        *,
        accept: frozenset[str],
        max_bytes: int | None = None,
        field: str = "url",
        on_bytes: OnBytes | None = None,
    ) -> Fetched: ...


class Fetcher:
    """Fetches public pages only.

    Args:
        allow: `ip:port` pairs (`127.0.0.1:8080`, `[::1]:8080`) that are permitted although they are not
            public.
        max_bytes: the limit of a decoded body, unless a call gives its own.
        deadline_s: for the whole fetch, redirects included.
        resolve: returns the addresses of a host; all are checked, and only they are connected to.
    """

    def __init__(
        self,
        allow: frozenset[str] = frozenset(),
        *,
        max_bytes: int = 10_000_000,
        deadline_s: float = 30.0,
        resolve: Resolve = system_resolve,
    ) -> None:
        self._allow = allow
        self._max_bytes = max_bytes
        self._deadline_s = deadline_s
        self._resolve = resolve
        self._tls: ssl.SSLContext | None = None

    async def fetch(
        self,
        url: str,
        *,
        accept: frozenset[str],
        max_bytes: int | None = None,
        field: str = "url",
        on_bytes: OnBytes | None = None,
    ) -> Fetched:
        """GET `url`, following at most 3 redirects; each target is checked like the first address.

        Args:
            accept: the accepted media types; compared with what is detected in the bytes.
            field: the input field that errors name.
            on_bytes: called with the number of bytes received and, if known, of all bytes.

        Raises:
            InvalidInput: `invalid_url`.
            Rejected: `blocked_address`, `blocked_port`, `unknown_host`, `too_many_redirects`,
                `page_not_found`, `page_refused`, `bad_status`, `too_large`, `not_html`, `wrong_media_type`,
                `bad_certificate`, `unsupported_encoding`.
            Unavailable: the server is slow or failing (`RateLimited` when it returns 429).
        """
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._follow(url, accept, max_bytes or self._max_bytes, field, on_bytes)
        except (TimeoutError, httpcore2.TimeoutException) as error:
            raise Unavailable(f"{url} did not respond in time", field=field, code="timeout") from error
        except (httpcore2.ConnectError, ssl.SSLError) as error:
            raise _no_connection(url, field, error) from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError, zlib.error, OSError) as error:
            raise Unavailable(
                f"the response of {url} was cut off: {type(error).__name__}", field=field
            ) from error

    async def _follow(
        self, text: str, accept: frozenset[str], max_bytes: int, field: str, on_bytes: OnBytes | None
    ) -> Fetched:
        url = parse_url(text, field=field)
        if self._tls is None:
            self._tls = httpx2.create_ssl_context(trust_env=False)
        network = CheckedNetwork(self._allow, field=field, resolve=self._resolve)
        async with httpcore2.AsyncConnectionPool(
            self._tls, network_backend=network, max_connections=1
        ) as pool:
            for _ in range(MAX_REDIRECTS + 1):
                answer = await _get(pool, url, accept, max_bytes, field, on_bytes)
                if isinstance(answer, Fetched):
                    return answer
                url = _redirected(url, answer, field)
        detail = f"{text} redirects more than {MAX_REDIRECTS} times; give the address it ends at"
        raise Rejected(detail, field=field, code="too_many_redirects")


def _redirected(url: httpx2.URL, location: str, field: str) -> httpx2.URL:
    """The target of a redirect, checked like the first address."""
    try:
        target = str(url.join(location))
    except (httpx2.InvalidURL, ValueError) as error:
        raise InvalidInput(
            f"{url} redirects to {location[:80]!r}, which is not an address; give the address it ends at",
            field=field,
            code="invalid_url",
        ) from error
    return parse_url(target, field=field)


async def _get(
    pool: httpcore2.AsyncConnectionPool,
    url: httpx2.URL,
    accept: frozenset[str],
    max_bytes: int,
    field: str,
    on_bytes: OnBytes | None,
) -> Fetched | str:
    """The body at `url`, or the Location that it redirects to."""
    limits = {"connect": 5.0, "read": 10.0, "write": 5.0, "pool": 5.0}
    target = httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
    async with pool.stream(
        "GET", target, headers=_headers(url, accept), extensions={"timeout": limits}
    ) as answer:
        location = header(answer, "location")
        if answer.status in _REDIRECTS and location:
            return location
        refused = refusal(str(url), answer.status, header(answer, "retry-after"), field)
        if refused:
            raise refused
        declared = header(answer, "content-type")
        body = await read_body(answer, max_bytes=max_bytes, url=str(url), field=field, on_bytes=on_bytes)
    media_type = media_type_of(body, declared)
    if media_type not in accept:
        raise _wrong_type(str(url), media_type, accept, field)
    etag = header(answer, "etag") or None
    return Fetched(
        url=str(url),
        status=answer.status,
        media_type=media_type,
        body=body,
        charset=charset_of(declared),
        etag=etag,
    )


def _headers(url: httpx2.URL, accept: frozenset[str]) -> list[tuple[bytes, bytes]]:
    return [
        (b"Host", url.netloc),
        (b"User-Agent", _AGENT.encode()),
        (b"Accept", ", ".join(sorted(accept)).encode()),
        (b"Accept-Encoding", b"gzip"),
    ]


def _wrong_type(url: str, media_type: str, accept: frozenset[str], field: str) -> Rejected:
    if "text/html" in accept:
        return Rejected(
            f"{url} is {media_type}, not a web page; give the address of a page", field=field, code="not_html"
        )
    return Rejected(
        f"{url} is {media_type}; expected {', '.join(sorted(accept))}", field=field, code="wrong_media_type"
    )


def _no_connection(url: str, field: str, error: Exception) -> Rejected | Unavailable:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Rejected(
                f"{url} has no valid certificate: {cause.verify_message}", field=field, code="bad_certificate"
            )
        cause = cause.__cause__ or cause.__context__
    return Unavailable(f"cannot connect to {url}: the server does not accept connections", field=field)
