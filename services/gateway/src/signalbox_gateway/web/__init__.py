"""The console at `/`: static HTML, CSS and ES modules, served as they are; no build step.

Everything under `static/` is public. What a run shows comes from the API with the caller's session.
"""

from pathlib import Path
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

STATIC: Final = Path(__file__).parent / "static"

# Trusted Types make the browser refuse markup built from strings, should anyone ever write innerHTML here.
# `data:` is for pictures that a run shows with its question: in an <img> nothing in them can run or load.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",  # revalidated by ETag: a new gateway never runs with an old module
}


def console_routes() -> list[BaseRoute]:
    """`/` gives the page, `/console/…` its files."""
    files = StaticFiles(directory=STATIC)

    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        response = await files.get_response("index.html", scope)
        await response(scope, receive, send)

    return [Route("/", Hardened(page)), Mount("/console", Hardened(files))]


class Hardened:
    """Adds the console's security headers to every answer of an app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, send_hardened)
