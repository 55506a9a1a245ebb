"""Serves the OpenAPI document and its page: HTML built once, with the console's style and one script."""

import gzip
import re
from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Final

import msgspec
from starlette.responses import Response

from signalbox_gateway.api.endpoint import ApiCall
from signalbox_gateway.api.reference.api_document import ApiDocument, ApiOperation, operations
from signalbox_gateway.api.reference.code_samples import LANGUAGES
from signalbox_gateway.api.reference.operation_view import method_sign, operation_section
from signalbox_gateway.api.reference.schema_view import prose, schema_details
from signalbox_gateway.http.error_codes import CODES
from signalbox_gateway.web import HEADERS

_SHEETS: Final = ("tokens", "base", "controls", "reference")
Json = Mapping[str, object]


class ApiDocsHandlers:
    """The handlers of /openapi.json and /docs.

    The document is built from the route table, which contains these handlers; `publish` sets it afterwards.
    """

    def __init__(self) -> None:
        self._openapi = b"{}"
        self._page = b""
        self._compressed = b""

    def publish(self, document: Json) -> None:
        self._openapi = msgspec.json.encode(document)
        self._page = build_page(msgspec.json.decode(self._openapi, type=ApiDocument)).encode()
        self._compressed = gzip.compress(self._page, mtime=0)

    async def openapi(self, _call: ApiCall) -> Response:
        return Response(self._openapi, media_type="application/json", headers={"cache-control": "no-cache"})

    async def page(self, call: ApiCall) -> Response:
        headers = {**HEADERS, "vary": "accept-encoding"}
        if "gzip" in call.request.headers.get("accept-encoding", ""):
            return Response(
                self._compressed,
                media_type="text/html; charset=utf-8",
                headers={**headers, "content-encoding": "gzip"},
            )
        return Response(self._page, media_type="text/html; charset=utf-8", headers=headers)


def build_page(document: ApiDocument) -> str:
    """Build the page of an OpenAPI document."""
    groups = _groups(document)
    components = document.components.schemas
    sections = "".join(
        f'<h2 id="{_anchor(tag)}">{escape(tag)}</h2>'
        + "".join(operation_section(operation, components) for operation in listed)
        for tag, listed in groups.items()
    )
    schemas = "".join(schema_details(name, schema) for name, schema in sorted(components.items()))
    title = escape(document.info.title)
    return (
        f"{_head(title)}<body class=reference>"
        '<a class="skip" href="#main">Skip to content</a>'
        f'<header class="reference-header"><p class="reference-title"><a href="./">{title}</a> API'
        f' <span class="reference-version">{escape(document.info.version)}</span></p>{_controls()}</header>'
        f'<nav class="reference-index" id="index" aria-label="Operations">{_search()}{_index(groups)}</nav>'
        f'<main class="reference-main" id="main" tabindex="-1"><h1>{title} API</h1>'
        f'<p>{prose(document.info.description)} The document is <a href="openapi.json">openapi.json</a>'
        " (OpenAPI 3.1).</p>"
        '<p id="no-matches" hidden>No operation matches.</p>'
        f"{sections}{_problems()}"
        f'<h2 id="schemas">Schemas</h2>{schemas}</main></body></html>'
    )


def _head(title: str) -> str:
    sheets = "".join(f'<link rel="stylesheet" href="console/css/{name}.css">' for name in _SHEETS)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><title>{title} API</title>'
        '<link rel="icon" href="console/favicon.svg" type="image/svg+xml">'
        f'<script src="console/js/theme-early.js"></script>{sheets}'
        '<script type="module" src="console/js/reference/page.js"></script></head>'
    )


def _groups(document: ApiDocument) -> Mapping[str, Sequence[ApiOperation]]:
    """The operations by tag; the tags in the order of the route table, those of the service last."""
    listed = list(operations(document))
    order = sorted(dict.fromkeys(item.tag for item in listed), key=lambda tag: tag == "Service")
    by_tag = sorted(listed, key=lambda item: order.index(item.tag))
    return {tag: list(items) for tag, items in groupby(by_tag, key=lambda item: item.tag)}


def _index(groups: Mapping[str, Sequence[ApiOperation]]) -> str:
    parts = "".join(
        f'<div class="index-group"><p><a href="#{_anchor(tag)}">{escape(tag)}</a></p><ul>'
        + "".join(map(_index_entry, listed))
        + "</ul></div>"
        for tag, listed in groups.items()
    )
    more = '<li><a href="#problems">Problems</a></li><li><a href="#schemas">Schemas</a></li>'
    return f'{parts}<div class="index-group"><p>More</p><ul>{more}</ul></div>'


def _index_entry(operation: ApiOperation) -> str:
    words = f"{operation.method} {operation.path} {operation.name} {operation.described.summary}"
    title = re.split("[;:(]", operation.described.summary)[0].replace("`", "").strip()
    return (
        f'<li data-words="{escape(words.lower())}"><a href="#{escape(operation.name)}">'
        f"{method_sign(operation)} <span>{escape(title)}</span></a></li>"
    )


def _search() -> str:
    return (
        '<div class="field index-search" hidden><label for="search">Search</label>'
        '<input id="search" type="search" autocomplete="off" spellcheck="false" aria-keyshortcuts="/">'
        '<p class="visually-hidden" id="search-count" role="status"></p></div>'
    )


def _controls() -> str:
    """The choice of the language; the script shows it and adds the button of the theme."""
    choices = "".join(
        f'<label><input type="radio" name="language" value="{name}"> {name}</label>' for name in LANGUAGES
    )
    return (
        '<div class="reference-controls" id="controls" hidden>'
        '<fieldset class="languages"><legend class="visually-hidden">Language of the samples</legend>'
        f"{choices}</fieldset></div>"
    )


def _problems() -> str:
    """The list of problem codes; each row has the code as its id."""
    lines = "".join(
        f'<li id="{code}"><code>{code}</code> <span>{prose(meaning)}</span></li>'
        for code, meaning in CODES.items()
    )
    return (
        '<h2 id="problems">Problems</h2>'
        "<p>Every refusal is a problem (RFC 9457) with the members <code>type, title, status, detail, code, "
        "errors[{field, detail}]</code> and others that depend on the code.</p>"
        f'<ul class="replies">{lines}</ul>'
    )


def _anchor(tag: str) -> str:
    return f"tag-{re.sub('[^a-z0-9]+', '-', tag.lower())}"
