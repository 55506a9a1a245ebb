"""Serves the OpenAPI document and its page: plain HTML without scripts, built once."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

import msgspec
from starlette.responses import Response

from signalbox_gateway.api.endpoint import ApiCall
from signalbox_gateway.http.error_codes import CODES

_STYLE: Final = """
:root{color-scheme:light dark;--line:light-dark(#d5d9df,#3a3f47);--soft:light-dark(#5b6470,#a4adb8)}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1.5rem}
h1{font-size:1.6rem}h2{font-size:1.05rem;margin:2rem 0 .2rem}
code,pre{font:.9rem/1.45 ui-monospace,monospace}
pre{overflow:auto;padding:.8rem;border:1px solid var(--line);border-radius:6px}
p{margin:.3rem 0}.soft{color:var(--soft)}
table{border-collapse:collapse;margin:.5rem 0}td{padding:.15rem .9rem .15rem 0;vertical-align:top}
section{border-top:1px solid var(--line)}
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_CSP: Final = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'"
Json = Mapping[str, object]


class ApiDocsHandlers:
    """The handlers of /openapi.json and /docs.

    The document is built from the route table, which contains these handlers; `publish` sets it afterwards.
    """

    def __init__(self) -> None:
        self._openapi = b"{}"
        self._page = b""

    def publish(self, document: Json) -> None:
        self._openapi = msgspec.json.encode(document)
        self._page = build_page(document).encode()

    async def openapi(self, _call: ApiCall) -> Response:
        return Response(self._openapi, media_type="application/json", headers={"cache-control": "no-cache"})

    async def page(self, _call: ApiCall) -> Response:
        headers = {"cache-control": "no-cache", "content-security-policy": _CSP}
        return Response(self._page, media_type="text/html; charset=utf-8", headers=headers)


def build_page(document: Json) -> str:
    """Build the page of an OpenAPI document."""
    paths = _mapping(document["paths"])
    sections = [
        _operation(method, path, _mapping(operation))
        for path, item in paths.items()
        for method, operation in _mapping(item).items()
    ]
    schemas = _mapping(_mapping(document["components"])["schemas"])
    info = _mapping(document["info"])
    title = escape(str(info["title"]))
    schema_list = "".join(_schema(name, schema) for name, schema in schemas.items())
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{title} API</title><style>{_STYLE}</style><h1>{title} API</h1>"
        f'<p>{escape(str(info["description"]))} As JSON: <a href="openapi.json">openapi.json</a>.</p>'
        f"{''.join(sections)}{_problems()}<section><h2>Schemas</h2>{schema_list}</section>"
    )


def _operation(method: str, path: str, operation: Json) -> str:
    responses = "".join(
        _response(status, _mapping(response)) for status, response in _mapping(operation["responses"]).items()
    )
    parameters = "".join(
        _parameter(_mapping(parameter)) for parameter in _sequence(operation.get("parameters", ()))
    )
    body = operation.get("requestBody")
    request_body = f"<p>Body: {_schema_links(_mapping(body))}</p>" if body is not None else ""
    summary, description = escape(str(operation["summary"])), escape(str(operation["description"]))
    return (
        f'<section id="{escape(str(operation["operationId"]))}">'
        f"<h2><code>{method.upper()} {escape(path)}</code></h2>"
        f"<p>{summary}. <span class=soft>{description}</span></p>"
        f"{f'<table>{parameters}</table>' if parameters else ''}{request_body}"
        f"<table>{responses}</table></section>"
    )


def _response(status: str, response: Json) -> str:
    description = escape(str(response["description"]))
    return f"<tr><td><code>{status}</code><td>{description}<td>{_schema_links(response)}"


def _parameter(parameter: Json) -> str:
    return (
        f"<tr><td><code>{escape(str(parameter['name']))}</code><td class=soft>{escape(str(parameter['in']))}"
    )


def _schema_links(body: Json) -> str:
    """Links to the schemas of a request body or response."""
    links = []
    for media in _mapping(body.get("content", {})).values():
        name = str(_mapping(_mapping(media)["schema"]).get("$ref", "")).rpartition("/")[2]
        links.append(f'<a href="#schema-{escape(name)}">{escape(name)}</a>' if name else "")
    return " ".join(links)


def _schema(name: str, schema: object) -> str:
    text = msgspec.json.format(msgspec.json.encode(schema)).decode()
    return (
        f'<details id="schema-{escape(name)}"><summary><code>{escape(name)}</code></summary>'
        f"<pre>{escape(text)}</pre></details>"
    )


def _problems() -> str:
    """The list of problem codes; each row has the code as its id."""
    lines = "".join(
        f'<tr id="{code}"><td><code>{code}</code><td>{escape(meaning)}' for code, meaning in CODES.items()
    )
    return (
        '<section id="problems"><h2>Problems</h2>'
        "<p>Members: <code>type, title, status, detail, code, errors[{field, detail}]</code> "
        "and others that depend on the code.</p>"
        f"<table>{lines}</table></section>"
    )


def _mapping(value: object) -> Json:
    assert isinstance(value, Mapping)
    return value


def _sequence(value: object) -> Sequence[object]:
    assert isinstance(value, (list, tuple))
    return value
