"""Who may call from a page of another origin: the configured ones, by key or ticket; Temporal's UI also with the session's cookie."""

from collections.abc import Collection
from typing import Final

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

CODEC: Final = "/v1/codec/decode"
_METHODS: Final = ("GET", "POST", "DELETE")
_HEADERS: Final = (
    "authorization",
    "content-type",
    "idempotency-key",
    "last-event-id",
    "x-request-id",
    "x-namespace",
)
_SHOWN: Final = ("location", "retry-after", "x-request-id", "etag", "content-disposition")


class Cors:
    """ASGI middleware. An origin is allowed by its exact name; `*` is no origin, so it is never answered.

    Args:
        origins: pages there may call everything, without cookies.
        ui_origin: of Temporal's UI; its pages may call the codec endpoint with the cookie, and nothing else.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str], ui_origin: str | None) -> None:
        self._everything = _allowing(app, origins, with_cookies=False)
        self._codec = _allowing(app, [ui_origin] if ui_origin else [], with_cookies=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._codec if scope["type"] == "http" and scope["path"] == CODEC else self._everything
        await app(scope, receive, send)


def _allowing(app: ASGIApp, origins: Collection[str], *, with_cookies: bool) -> ASGIApp:
    """Without an origin the middleware would still answer preflights; then there is none."""
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=list(origins),
        allow_methods=_METHODS,
        allow_headers=_HEADERS,
        expose_headers=_SHOWN,
        allow_credentials=with_cookies,
        max_age=600,
    )
