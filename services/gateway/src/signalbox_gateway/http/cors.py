"""CORS: pages of the configured origins may call with a key or ticket, Temporal's UI also with the cookie."""

from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

CODEC_PATH: Final = "/v1/codec/decode"
_ALLOWED_METHODS: Final = ("GET", "POST", "PATCH", "DELETE")
_ALLOWED_HEADERS: Final = (
    "authorization",
    "content-type",
    "idempotency-key",
    "last-event-id",
    "traceparent",
    "tracestate",
    "x-request-id",
    "x-namespace",
)
_EXPOSED_HEADERS: Final = ("location", "retry-after", "x-request-id", "etag", "content-disposition")


class Cors:
    """ASGI middleware. Origins match exactly; `Access-Control-Allow-Origin: *` is never sent.

    Args:
        origins: may call every endpoint, without cookies.
        ui_url: address of Temporal's UI; its pages may call the codec endpoint with the cookie, and nothing
            else.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str], ui_url: str | None) -> None:
        ui = urlsplit(ui_url or "")
        ui_origins = [f"{ui.scheme}://{ui.netloc}"] if ui_url else []
        self._all_paths = _cors_middleware(app, origins, with_cookies=False)
        self._codec = _cors_middleware(app, ui_origins, with_cookies=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._codec if scope["type"] == "http" and scope["path"] == CODEC_PATH else self._all_paths
        await app(scope, receive, send)


def _cors_middleware(app: ASGIApp, origins: Collection[str], *, with_cookies: bool) -> ASGIApp:
    if not origins:
        # CORSMiddleware would still answer preflight requests.
        return app
    return CORSMiddleware(
        app,
        allow_origins=list(origins),
        allow_methods=_ALLOWED_METHODS,
        allow_headers=_ALLOWED_HEADERS,
        expose_headers=_EXPOSED_HEADERS,
        allow_credentials=with_cookies,
        max_age=600,
    )
