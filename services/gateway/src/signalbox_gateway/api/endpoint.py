"""An endpoint of the route table, and the dispatcher of a path: authenticate, rate-limit, authorize, handle.

Every error becomes a problem (RFC 9457).
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Literal, TypeVar

import msgspec
from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from signalbox_core.crypto.api_keys import Role
from signalbox_core.errors import NotFound, Rejected, SignalboxError, Unavailable
from signalbox_core.logs import add_log_fields
from signalbox_core.temporal.codec import bind_payloads_to
from signalbox_gateway.auth.authenticator import Authenticator
from signalbox_gateway.auth.principal import Principal
from signalbox_gateway.auth.rate_limits import RequestLimiter
from signalbox_gateway.auth.scoped_tokens import ScopedAccess, ScopedTokens
from signalbox_gateway.http import validation
from signalbox_gateway.http.error_codes import Unauthenticated, bug_response, problem_response
from signalbox_gateway.http.middleware import loggable_path
from signalbox_gateway.http.request_body import check_json_members, read_json_body
from signalbox_gateway.streaming.refusals import StreamRefusals, stream_headers_response

log = logging.getLogger(__name__)
T = TypeVar("T", bound=Struct)
MAX_BODY_BYTES: Final = 1024 * 1024
MAX_INPUT_BYTES: Final = 16 * 1024 * 1024
"""Of the body with a run's input."""


class Reply(Struct, frozen=True):
    """A documented response.

    Attributes:
        body: the type of a JSON body; None for any JSON and for other media types.
        media_type: empty for a response without a body.
    """

    status: int
    meaning: str
    body: type[Struct] | None = None
    media_type: str = "application/json"


class ApiCall:
    """A request as a handler sees it: authenticated, authorized, and decoded on demand."""

    def __init__(self, request: Request, principal: Principal | None) -> None:
        self.request = request
        self._principal = principal

    @property
    def principal(self) -> Principal:
        """Raises: Unauthenticated: the endpoint has no role, so no caller was authenticated."""
        if self._principal is None:
            raise Unauthenticated(
                "Authentication required: send `Authorization: Bearer <API key or token>` or sign in"
            )
        return self._principal

    def param(self, name: str) -> str:
        """Return a path parameter."""
        return str(self.request.path_params[name])

    def query(self, kind: type[T]) -> T:
        """Decode the query parameters. Raises: InvalidFields: one is unknown, repeated or invalid."""
        return validation.decode_query(kind, self.request.query_params.multi_items())

    async def body(self, kind: type[T], *, max_bytes: int = MAX_BODY_BYTES) -> T:
        """Decode the JSON body; an empty body counts as `{}`.

        Raises:
            InvalidInput: not JSON, a member is repeated, invalid for `kind`, too large, or declared as
                another media type.
        """
        body = await read_json_body(self.request, max_bytes)
        await check_json_members(body)
        return validation.decode(kind, body or b"{}")


Handler = Callable[[ApiCall], Awaitable[Response]]


class Endpoint(Struct, frozen=True, kw_only=True):
    """One operation of the API: a row of the route table.

    Attributes:
        name: the `operationId` of the OpenAPI document.
        role: required of the principal; None for an operation without authentication.
        replies: the responses that are specific to it; those of authentication, rate limits and outages are
            added to every endpoint with a role.
        body: the JSON body that the handler decodes.
        query: the query parameters that the handler decodes.
        body_media_type: the media type of a body without a type of its own.
        takes_idempotency_key: the handler reads the header `Idempotency-Key`.
        is_read_only: a POST without side effects: a session cookie is accepted from other sites too, and CORS
            decides who may read the response.
        scoped_access: what a scoped token must permit; None: the endpoint accepts no scoped token.
        is_stream: a stream of server-sent events, which is refused as `StreamRefusals` describes.
    """

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    name: str
    summary: str
    role: Role | None
    handle: Handler
    replies: tuple[Reply, ...]
    body: type[Struct] | None = None
    query: type[Struct] | None = None
    body_media_type: str = ""
    takes_idempotency_key: bool = False
    is_read_only: bool = False
    is_stream: bool = False
    scoped_access: ScopedAccess | None = None


class Dispatcher:
    """The endpoints of one path, as an ASGI app that dispatches by method."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        authenticator: Authenticator,
        limiter: RequestLimiter,
        *,
        scoped_tokens: ScopedTokens,
        stream_refusals: StreamRefusals,
        is_draining: Callable[[], bool],
    ) -> None:
        self.endpoints = tuple(endpoints)
        methods = {endpoint.method for endpoint in endpoints}
        self._allow = ", ".join(sorted({*methods, *(["HEAD"] if "GET" in methods else [])}))
        self._authenticator = authenticator
        self._limiter = limiter
        self._scoped_tokens = scoped_tokens
        self._stream_refusals = stream_refusals
        self._is_draining = is_draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._count_failures(request)
        except SignalboxError as error:
            response = self._refuse(request, error)
        except ClientDisconnect:
            return
        except Exception:
            # An unexpected exception is logged with its traceback; the response reveals nothing about it.
            log.exception(
                "request failed", extra={"method": request.method, "path": loggable_path(request.url.path)}
            )
            response = bug_response()
        await response(scope, receive, send)

    def _refuse(self, request: Request, error: SignalboxError) -> Response:
        endpoint = self._endpoint_of(request)
        if endpoint is not None and endpoint.is_stream:
            return self._stream_refusals.respond(error)
        allow = {"allow": self._allow} if error.stable_code == "method_not_allowed" else None
        return problem_response(error, allow)

    def _endpoint_of(self, request: Request) -> Endpoint | None:
        method = "GET" if request.method == "HEAD" else request.method
        return next((item for item in self.endpoints if item.method == method), None)

    async def _count_failures(self, request: Request) -> Response:
        try:
            return await self._handle(request)
        except Unauthenticated:
            await self._limiter.count_failure(request)
            raise

    async def _handle(self, request: Request) -> Response:
        endpoint = self._endpoint_of(request)
        if endpoint is None:
            raise method_not_allowed(request.method, self._allow)
        if self._is_draining() and endpoint.path.startswith("/v1/") and not endpoint.is_stream:
            # Probes and the console's files are still served; open requests finish.
            raise Unavailable("this gateway is shutting down; send the request again", code="draining")
        if endpoint.role is None:
            return await endpoint.handle(ApiCall(request, None))
        principal = await self._authenticator.principal(request, is_read_only=endpoint.is_read_only)
        add_log_fields(tenant=principal.tenant, principal=principal.key_id)
        await self._limiter.count_request(principal)
        principal.require(endpoint.role)
        if principal.scope is not None:
            run_id, approval = (request.path_params.get(name, "") for name in ("run_id", "approval_id"))
            await self._scoped_tokens.check(principal.scope, endpoint.scoped_access, run_id, approval)
        if endpoint.is_stream and request.method == "HEAD":
            return stream_headers_response()
        with bind_payloads_to(principal.tenant):
            return await endpoint.handle(ApiCall(request, principal))


def asgi_routes(
    endpoints: Sequence[Endpoint],
    authenticator: Authenticator,
    limiter: RequestLimiter,
    *,
    scoped_tokens: ScopedTokens,
    stream_refusals: StreamRefusals,
    is_draining: Callable[[], bool],
) -> list[Route]:
    """One ASGI route per path, in the order of the table.

    Args:
        is_draining: whether a graceful shutdown has begun; calls of the API are then refused with a 503.
    """
    paths = list(dict.fromkeys(endpoint.path for endpoint in endpoints))
    return [
        Route(
            path,
            Dispatcher(
                [item for item in endpoints if item.path == path],
                authenticator,
                limiter,
                scoped_tokens=scoped_tokens,
                stream_refusals=stream_refusals,
                is_draining=is_draining,
            ),
        )
        for path in paths
    ]


def json_response(
    value: Struct | Sequence[Struct], status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """A JSON response with `Cache-Control: no-store`."""
    return encoded_json_response(msgspec.json.encode(value), status, headers)


def encoded_json_response(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON response whose body is encoded already."""
    all_headers = {"cache-control": "no-store", **(headers or {})}
    return Response(body, status_code=status, media_type="application/json", headers=all_headers)


def method_not_allowed(method: str, allow: str) -> Rejected:
    return Rejected(
        f"the method {method[:20]} is not allowed here; allowed: {allow}", code="method_not_allowed"
    )


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Turn errors raised outside a Dispatcher (unknown path, static files) into problems."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 405:
        return problem_response(method_not_allowed(request.method, "GET, HEAD"), {"allow": "GET, HEAD"})
    if status == 404:
        return problem_response(
            NotFound(f"no resource exists at {request.url.path[:200]}; /docs describes the API")
        )
    log.error(
        "request failed",
        exc_info=error,
        extra={"method": request.method, "path": loggable_path(request.url.path)},
    )
    return bug_response()
