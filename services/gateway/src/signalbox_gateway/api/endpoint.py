"""An endpoint of the route table, and its dispatcher: authenticate, authorize, decode, handle.

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
from signalbox_core.errors import InvalidInput, NotFound, Rejected, SignalboxError
from signalbox_core.temporal.codec import payloads_of
from signalbox_gateway.auth.authenticator import Authenticator
from signalbox_gateway.auth.principal import Principal
from signalbox_gateway.auth.rate_limits import Limiting
from signalbox_gateway.http import validation
from signalbox_gateway.http.problems import Unauthenticated, bug_response, problem_response

log = logging.getLogger(__name__)
T = TypeVar("T", bound=Struct)
MAX_BODY_BYTES: Final = 1024 * 1024


class Reply(Struct, frozen=True):
    """One documented answer: status, what it means, and the type of its JSON (or another media type)."""

    status: int
    meaning: str
    body: type[Struct] | None = None
    media_type: str = "application/json"


class Call:
    """One request, seen by a handler."""

    def __init__(self, request: Request, principal: Principal | None) -> None:
        self.request = request
        self._principal = principal

    @property
    def principal(self) -> Principal:
        if self._principal is None:
            raise Unauthenticated(
                "Authentication required: send `Authorization: Bearer <API key>` or sign in"
            )
        return self._principal

    def param(self, name: str) -> str:
        """A parameter of the path."""
        return str(self.request.path_params[name])

    def query(self, kind: type[T]) -> T:
        return validation.decode_query(kind, self.request.query_params.multi_items())

    async def body(self, kind: type[T]) -> T:
        """The JSON body as `kind`; an empty body counts as `{}`.

        Raises:
            InvalidInput: not JSON, not of this type, too large, or declared as another media type.
        """
        body = await _read(self.request)
        media_type = self.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        # Only JSON: a form on another site can send other types without the browser asking us first.
        if body and media_type != "application/json":
            raise InvalidInput(
                "send the body with `Content-Type: application/json`", code="wrong_content_type"
            )
        return validation.decode(kind, body or b"{}")


Handler = Callable[[Call], Awaitable[Response]]


class Endpoint(Struct, frozen=True):
    """One operation of the API.

    Attributes:
        role: required of the principal; None for an operation without authentication.
        body: the JSON body that the handler decodes.
        query: the query parameters that the handler decodes.
        takes: the media type of a body that is not JSON.
        reads: a POST without side effects: a session cookie is accepted from other sites too, and CORS
            decides who may read the response.
    """

    method: Literal["GET", "POST", "DELETE"]
    path: str
    name: str
    summary: str
    role: Role | None
    handle: Handler
    replies: tuple[Reply, ...]
    body: type[Struct] | None = None
    query: type[Struct] | None = None
    takes: str = ""
    reads: bool = False


class Dispatcher:
    """The endpoints of one path, as an ASGI app."""

    def __init__(
        self, endpoints: Sequence[Endpoint], authenticator: Authenticator, limiting: Limiting
    ) -> None:
        self.endpoints = tuple(endpoints)
        self._by_method = {endpoint.method: endpoint for endpoint in endpoints}
        self._allow = ", ".join(sorted({*self._by_method, *(["HEAD"] if "GET" in self._by_method else [])}))
        self._authenticator = authenticator
        self._limiting = limiting

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._limited(request)
        except SignalboxError as error:
            response = problem_response(
                error, {"allow": self._allow} if error.stable_code == "method_not_allowed" else None
            )
        except ClientDisconnect:
            return
        except Exception:
            # The edge: whatever a handler did not foresee is logged with its traceback and shown as ours.
            log.exception("request failed", extra={"method": request.method, "path": request.url.path})
            response = bug_response()
        await response(scope, receive, send)

    async def _limited(self, request: Request) -> Response:
        try:
            return await self._answer(request)
        except Unauthenticated:
            await self._limiting.failed(request)
            raise

    async def _answer(self, request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        endpoint = next((item for name, item in self._by_method.items() if name == method), None)
        if endpoint is None:
            raise method_not_allowed(request.method, self._allow)
        if endpoint.role is None:
            return await endpoint.handle(Call(request, None))
        principal = await self._authenticator.principal(request, reads=endpoint.reads)
        await self._limiting.called(principal)
        principal.require(endpoint.role)
        with payloads_of(principal.tenant):
            return await endpoint.handle(Call(request, principal))


def routes_of(endpoints: Sequence[Endpoint], authenticator: Authenticator, limiting: Limiting) -> list[Route]:
    """One route a path, in the table's order."""
    paths = list(dict.fromkeys(endpoint.path for endpoint in endpoints))
    return [
        Route(path, Dispatcher([item for item in endpoints if item.path == path], authenticator, limiting))
        for path in paths
    ]


def json_response(
    value: Struct | Sequence[Struct], status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """A Struct as JSON that no cache keeps."""
    own = {"cache-control": "no-store", **(headers or {})}
    return Response(
        msgspec.json.encode(value), status_code=status, media_type="application/json", headers=own
    )


def method_not_allowed(method: str, allow: str) -> Rejected:
    return Rejected(f"{method[:20]} is not allowed here; allowed: {allow}", code="method_not_allowed")


async def on_http_exception(request: Request, error: Exception) -> Response:
    """What the framework itself refuses (no such path, wrong method) is a problem too."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 405:
        return problem_response(method_not_allowed(request.method, "GET, HEAD"), {"allow": "GET, HEAD"})
    if status == 404:
        return problem_response(
            NotFound(f"there is nothing at {request.url.path[:200]}; the API is described at /docs")
        )
    log.error(
        "request failed", exc_info=error, extra={"method": request.method, "path": request.url.path[:300]}
    )
    return bug_response()


async def _read(request: Request) -> bytes:
    declared = request.headers.get("content-length", "0")
    if not declared.isascii() or not declared.isdigit() or int(declared) > MAX_BODY_BYTES:
        raise _too_large()
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise _too_large()
        parts.append(part)
    return b"".join(parts)


def _too_large() -> InvalidInput:
    return InvalidInput(
        f"the body may have {MAX_BODY_BYTES} bytes; put large data where the pipeline can fetch it",
        code="body_too_large",
    )
