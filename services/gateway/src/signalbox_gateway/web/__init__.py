"""The console at `/`: HTML, CSS and ES modules, bundled when the gateway starts (bundle.py).

Everything under `static/` is public. The data comes from the API, with the caller's session.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from signalbox_gateway.web.bundle import build

STATIC: Final = Path(__file__).parent / "static"
CLIENT: Final = Path(__file__).parent / "client"

# Any origin may load the module: it contains no secrets and needs no credentials.
SHARED: Final = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}

# The path of a bundled file has a digest of its content.
IMMUTABLE: Final = {"Cache-Control": "public, max-age=31536000, immutable"}

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
    """`/` is the console, `/console/…` its files, `/client/…` the JavaScript client for other sites.

    `/decide` is the page of decision links; the token is in the URL's fragment, which no server sees.
    """
    bundle, link_page = build(STATIC), (STATIC / "decide.html").read_bytes()
    script = Hardened(GZipMiddleware(FixedContent(bundle.script, "text/javascript")), IMMUTABLE)
    style = Hardened(GZipMiddleware(FixedContent(bundle.style, "text/css")), IMMUTABLE)
    files = Hardened(GZipMiddleware(StaticFiles(directory=STATIC)))
    later = [
        Route(f"/{path}", Hardened(GZipMiddleware(FixedContent(content, "text/javascript")), IMMUTABLE))
        for path, content in bundle.later.items()
    ]
    bundled = [Route(f"/{bundle.script_path}", script), Route(f"/{bundle.style_path}", style), *later]
    return [
        Route("/", Hardened(GZipMiddleware(FixedContent(bundle.page.encode(), "text/html")))),
        Route("/decide", Hardened(GZipMiddleware(FixedContent(link_page, "text/html")))),
        Mount("/console", routes=[*bundled, Mount("", files)]),
        Mount("/client", Hardened(GZipMiddleware(StaticFiles(directory=CLIENT)), SHARED)),
    ]


class FixedContent:
    """Sends the same bytes to every request, in a response of its own because middleware changes it."""

    def __init__(self, content: bytes, media_type: str) -> None:
        self._content = content
        self._media_type = media_type

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await Response(self._content, media_type=self._media_type)(scope, receive, send)


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
