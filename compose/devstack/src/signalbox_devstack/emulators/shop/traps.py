"""Faulty pages under `/traps/`, each wrong in one known way, that a fetcher and a pipeline must handle."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

_NO_PICTURES: Final = """<!doctype html><html lang="en"><title>Plain words – Nobody</title>
<meta name="description" content="Only words here.">
<h1>Plain words</h1><p>This page sells an idea and shows no picture of it.</p></html>"""
_BAD_PICTURES: Final = """<!doctype html><html lang="en"><title>Broken pictures</title>
<h1>Broken pictures</h1>
<img src="/traps/missing.png" alt="gone"><img src="/traps/words.png" alt="words">
<img src="http://10.0.0.1/inside.png" alt="inside">
<img src="/pictures/pixel.gif" alt=""><img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=" alt=""></html>"""
_BARE: Final = """<!doctype html><html lang="en"><title>A nameless thing</title>
<body><h1>A nameless thing</h1>
<img src="/pictures/lamp-hero.jpg" alt="a lamp"></body></html>"""
_MEGABYTE: Final = b"<p>" + b"Plenty of words. " * 61_000 + b"</p>\n"


async def no_pictures(_request: Request) -> Response:
    return HTMLResponse(_NO_PICTURES)


async def bad_pictures(_request: Request) -> Response:
    return HTMLResponse(_BAD_PICTURES)


async def bare(_request: Request) -> Response:
    """A page with one picture and nothing else: no colours, logo, price or structured data."""
    return HTMLResponse(_BARE)


async def not_html(_request: Request) -> Response:
    return Response(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n", media_type="application/pdf")


async def lying(_request: Request) -> Response:
    """A picture with the media type of a web page."""
    return Response(b"\x89PNG\r\n\x1a\n" + bytes(64), media_type="text/html")


async def words(_request: Request) -> Response:
    """Text with the media type of a picture."""
    return Response(b"not a picture", media_type="image/png")


async def big(_request: Request) -> Response:
    """10 MB, without a Content-Length."""

    async def body() -> AsyncIterator[bytes]:
        yield b"<!doctype html><title>Big</title>"
        for _ in range(10):
            yield _MEGABYTE
            await asyncio.sleep(0)

    return StreamingResponse(body(), media_type="text/html")


async def bomb(_request: Request) -> Response:
    """A decompression bomb: 50 kB that expand to 50 MB."""
    packed = gzip.compress(b"<!doctype html>" + bytes(50_000_000), 9)
    return Response(packed, media_type="text/html", headers={"Content-Encoding": "gzip"})


async def to_private(_request: Request) -> Response:
    return RedirectResponse("http://10.0.0.1/admin")


async def to_metadata(_request: Request) -> Response:
    return RedirectResponse("http://169.254.169.254/computeMetadata/v1/")


async def to_file(_request: Request) -> Response:
    return RedirectResponse("file:///etc/passwd")


async def to_nowhere(_request: Request) -> Response:
    """A redirect to what is no address."""
    return Response(status_code=302, headers={"Location": "http://[::1"})


async def loop(_request: Request) -> Response:
    return RedirectResponse("/traps/loop")


async def once(_request: Request) -> Response:
    return RedirectResponse("/en/coffee")


async def slow(_request: Request) -> Response:
    """Sends its headers and the first bytes, then nothing for ten minutes."""

    async def body() -> AsyncIterator[bytes]:
        yield b"<!doctype html>"
        await asyncio.sleep(600)

    return StreamingResponse(body(), media_type="text/html")


async def busy(_request: Request) -> Response:
    return PlainTextResponse("slow down", 429, headers={"Retry-After": "7"})


async def broken(_request: Request) -> Response:
    return PlainTextResponse("out of order", 503)


async def members_only(_request: Request) -> Response:
    return PlainTextResponse("who are you?", 401)


def routes() -> list[Route]:
    """All routes below `/traps/`."""
    pages = {
        "no-pictures": no_pictures,
        "bad-pictures": bad_pictures,
        "bare": bare,
        "not-html": not_html,
        "lying": lying,
        "words.png": words,
        "big": big,
        "bomb": bomb,
        "to-private": to_private,
        "to-metadata": to_metadata,
        "to-file": to_file,
        "to-nowhere": to_nowhere,
        "loop": loop,
        "once": once,
        "slow": slow,
        "busy": busy,
        "broken": broken,
        "members-only": members_only,
    }
    return [Route(f"/traps/{name}", page) for name, page in pages.items()]
