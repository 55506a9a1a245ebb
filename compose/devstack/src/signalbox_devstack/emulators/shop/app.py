"""The shop as an ASGI application."""

from importlib.resources import files
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from signalbox_devstack.emulators.shop import traps
from signalbox_devstack.emulators.shop.catalogue import PRODUCTS
from signalbox_devstack.emulators.shop.pages import index_page, product_page, sheet_name, style_sheet

_PIXEL: Final = bytes.fromhex(
    "47494638396101000100800000ffffff00000021f90401000000002c00000000010001000002024401003b"
)
_MEDIA_TYPES: Final = {"jpg": "image/jpeg", "png": "image/png"}


def create_app() -> Starlette:
    return Starlette(
        routes=[
            Route("/", _index),
            Route("/healthz", _healthz),
            Route("/style/{name}.css", _style),
            Route("/pictures/{name}", _picture),
            *traps.routes(),
            Route("/{path:path}", _product),
        ]
    )


async def _index(_request: Request) -> Response:
    return HTMLResponse(index_page())


async def _healthz(_request: Request) -> Response:
    return PlainTextResponse("ok")


async def _product(request: Request) -> Response:
    for product in PRODUCTS:
        if product.path == request.path_params["path"].strip("/"):
            return HTMLResponse(product_page(product), headers={"Content-Language": product.language})
    return _missing()


async def _style(request: Request) -> Response:
    for product in PRODUCTS:
        if sheet_name(product.brand) == request.path_params["name"]:
            return Response(style_sheet(product.brand), media_type="text/css")
    return _missing()


async def _picture(request: Request) -> Response:
    name: str = request.path_params["name"]
    if name == "pixel.gif":
        return Response(_PIXEL, media_type="image/gif")
    known = {file.name for file in (files("signalbox_devstack.emulators.shop") / "pictures").iterdir()}
    if name not in known:
        return _missing()
    body = (files("signalbox_devstack.emulators.shop") / "pictures" / name).read_bytes()
    return Response(
        body, media_type=_MEDIA_TYPES[name.rsplit(".", 1)[1]], headers={"Cache-Control": "max-age=3600"}
    )


def _missing() -> Response:
    return HTMLResponse("<!doctype html><title>Not here</title><h1>Not here</h1>", 404)
