"""The console at `/`: static HTML, CSS and ES modules, served as they are; no build step.

Everything under `static/` is public. The data comes from the API, with the caller's session.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

STATIC: Final = Path(__file__).parent / "static"
CLIENT: Final = Path(__file__).parent / "client"

# Any origin may load the module: it contains no secrets and needs no credentials.
SHARED: Final = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}

# Trusted Types make the browser reject markup built from strings, such as an assignment to innerHTML.
# `data:` is for images in a question: an <img> neither runs scripts nor loads anything else.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",  # revalidated by ETag, so that a new page never loads an old module
}


def console_routes() -> list[BaseRoute]:
    """`/` is the page, `/console/…` its files, `/client/…` the JavaScript client for other sites."""
    files = StaticFiles(directory=STATIC)

    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        response = await files.get_response("index.html", scope)
        await response(scope, receive, send)

    return [
        Route("/", Hardened(page)),
        Mount("/console", Hardened(files)),
        Mount("/client", Hardened(StaticFiles(directory=CLIENT), SHARED)),
    ]


class Hardened:
    """Adds the console's security headers to every response of an app."""

    def __init__(self, app: ASGIApp, more: Mapping[str, str] = MappingProxyType({})) -> None:
        self._app = app
        self._headers = {**HEADERS, **more}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        await self._app(scope, receive, send_hardened)
