"""The page /docs: every operation has samples that run, examples that the API accepts, and escaped texts."""

import ast
import json
import re
import shlex
from html.parser import HTMLParser
from typing import Any, Final, cast

import msgspec
import pytest
from jsonschema import Draft202012Validator, validators

from signalbox_core.pipeline import discover
from signalbox_gateway.api.reference.api_document import ApiDocument, ApiOperation, Schema, operations, tag_of
from signalbox_gateway.api.reference.code_samples import code_samples
from signalbox_gateway.api.reference.docs_page import build_page
from signalbox_gateway.api.reference.examples import BODY_EXAMPLES, example_of
from signalbox_gateway.api.reference.openapi import build_document
from signalbox_gateway.api.reference.operation_view import example_body
from signalbox_gateway.api.routes.table import RouteHandlers, build_routes

WithoutTexts = validators.extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, dict.fromkeys(("pattern", "minLength", "maxLength"), lambda *_: None)
)
"""Members and types: an example that is made from a schema has `…` for a text that it does not know."""


class AnyHandler:
    """Stands for the handlers: the document does not depend on them."""

    def __getattr__(self, _: str) -> "AnyHandler":
        return AnyHandler()


DOCUMENT: Final = msgspec.json.decode(
    msgspec.json.encode(
        build_document(
            build_routes(cast(RouteHandlers, AnyHandler())),
            discover(),
            version="1.2.3",
            server="https://signalbox.example",
        )
    ),
    type=ApiDocument,
)
OPERATIONS: Final = tuple(operations(DOCUMENT))
PAGE: Final = build_page(DOCUMENT)
COMPONENTS: Final = DOCUMENT.components.schemas


class PageLinks(HTMLParser):
    """Ids, links to fragments, and the labels of controls."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.fragments: set[str] = set()
        self.addresses: set[str] = set()
        self.labelled: set[str] = set()
        self.controls: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if "id" in found:
            self.ids.append(found["id"])
        address = found.get("href") or found.get("src") or ""
        (self.fragments if address.startswith("#") else self.addresses).add(address.removeprefix("#"))
        if tag == "label" and "for" in found:
            self.labelled.add(found["for"])
        if tag in ("input", "textarea") and found.get("type") != "radio":
            self.controls.add(found["id"])


def samples(operation: ApiOperation) -> dict[str, str]:
    return dict(code_samples(operation, example_body(operation, COMPONENTS)))


def resolved(schema: object) -> dict[str, Any]:
    return {"components": {"schemas": COMPONENTS}, **cast(dict[str, Any], schema)}


def test_every_operation_is_in_the_page_and_its_index() -> None:
    links = PageLinks(PAGE)
    assert {operation.name for operation in OPERATIONS} <= set(links.ids)
    assert {operation.name for operation in OPERATIONS} <= links.fragments


def test_ids_are_unique_links_have_targets_and_controls_have_labels() -> None:
    links = PageLinks(PAGE)
    assert len(links.ids) == len(set(links.ids))
    assert links.fragments - {""} <= set(links.ids)
    assert links.controls <= links.labelled


def test_the_page_refers_to_files_of_the_gateway_only() -> None:
    addresses = PageLinks(PAGE).addresses - {""}
    assert all(address == "./" or address.startswith(("console/", "openapi.json")) for address in addresses)


def test_texts_are_escaped() -> None:
    hostile = msgspec.json.encode(
        {
            "info": {"title": "<x1>", "version": "1", "description": "`<x2>`"},
            "paths": {
                "/v1/<x3>": {
                    "get": {
                        "operationId": "get",
                        "summary": "<x4>",
                        "description": "<x5>",
                        "tags": ["<x6>"],
                        "parameters": [{"name": "<x7>", "in": "query", "schema": {"type": "<x8>"}}],
                        "responses": {"200": {"description": "<x9>"}},
                    }
                }
            },
            "components": {"schemas": {"S": {"properties": {"<x10>": {"description": "<x11>"}}}}},
        }
    )
    page = build_page(msgspec.json.decode(hostile, type=ApiDocument))
    assert re.findall(r"<x\d+>", page) == []
    assert set(re.findall(r"&lt;(x\d+)&gt;", page)) == {f"x{number}" for number in range(1, 12)}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda item: item.name)
def test_the_samples_of_an_operation_are_well_formed(operation: ApiOperation) -> None:
    found = samples(operation)
    words = shlex.split(found["curl"].replace("\\\n", ""))
    assert words[0] == "curl"
    ast.parse(found["Python"])
    assert found["JavaScript"].count("{") == found["JavaScript"].count("}")
    for text in found.values():
        assert "{run_id}" not in text
        assert ("SIGNALBOX_API_KEY" in text) == operation.needs_credentials


@pytest.mark.parametrize(
    "operation", [item for item in OPERATIONS if item.body is not None], ids=lambda item: item.name
)
def test_the_example_of_a_body_satisfies_its_schema(operation: ApiOperation) -> None:
    example = example_body(operation, COMPONENTS)
    if example is not None and operation.body is not None:
        WithoutTexts(resolved(operation.body[1].schema)).validate(example)
        assert json.loads(json.dumps(example)) == example


@pytest.mark.parametrize("kind", BODY_EXAMPLES, ids=lambda kind: kind.__name__)
def test_a_written_example_is_accepted_by_the_api(kind: type[msgspec.Struct]) -> None:
    assert msgspec.json.decode(msgspec.json.encode(BODY_EXAMPLES[kind]), type=kind)


@pytest.mark.parametrize(
    ("schema", "example"),
    [
        pytest.param({"type": "string", "format": "date-time"}, "2026-03-01T09:30:00Z", id="a time"),
        pytest.param({"anyOf": [{"type": "null"}, {"type": "integer", "minimum": 3}]}, 3, id="or null"),
        pytest.param({"enum": ["a", "b"]}, "a", id="an enum"),
        pytest.param({"type": "array", "items": {"const": 7}}, [7], id="a list"),
        pytest.param({}, {}, id="any JSON"),
    ],
)
def test_an_example_is_made_from_a_schema(schema: dict[str, object], example: object) -> None:
    assert example_of(schema, {}, complete=True) == example


def test_an_example_of_a_schema_that_refers_to_itself_ends() -> None:
    loop: Schema = {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Loop"}}}
    found = example_of({"$ref": "#/components/schemas/Loop"}, {"Loop": loop}, complete=True)
    assert isinstance(found, dict)
    assert "next" in found


@pytest.mark.parametrize(
    ("path", "tag"),
    [
        ("/v1/runs/{run_id}", "Runs"),
        ("/v1/runs/{run_id}/approvals/{approval_id}/decision", "Approvals"),
        ("/v1/runs/{run_id}/artifacts/{name}", "Files"),
        ("/v1/stream", "Runs"),
        ("/v1/tokens", "Access"),
        ("/v1/some-things/{id}", "Some things"),
        ("/healthz", "Service"),
    ],
)
def test_an_operation_is_listed_under_its_resource(path: str, tag: str) -> None:
    assert tag_of(path) == tag
