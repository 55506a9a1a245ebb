"""Names that the parts show when they are built: OpenAPI, events, commands, the client's exports, documented
imports."""

import argparse
import importlib
import inspect
import pkgutil
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TypeVar

import msgspec
from source_names import SERVICES, Module, calls

from signalbox_core.events import CATALOGUE, full_type
from signalbox_core.pipeline import discover

ROOT: Final = Path(__file__).resolve().parent.parent
IMPORTABLE: Final = (
    "signalbox_core.errors",
    "signalbox_core.pipeline",
    "signalbox_core.pipeline.run",
    "signalbox_core.pipeline.activity",
    "signalbox_core.pipeline.options",
    "signalbox_core.pipeline.spec",
    "signalbox_core.pipeline.deps",
    "signalbox_core.testing",
)


def http_names(found: list[Module]) -> Iterator[str]:
    """Paths, operations, replies and members of the OpenAPI documents, and the routes of the services without
    one."""
    documents = {item.module.__name__.split(".")[0]: item.module for item in found if item.name == "openapi"}
    tables = [item.module for item in found if item.module.__name__.endswith("api.routes.table")]
    build_table, build = _only_function(tables[0]), _only_function(documents["signalbox_gateway"])
    gateway = build(build_table(_Stub()), discover(), version="0", server="http://localhost")
    yield from _openapi_names("gateway", gateway)
    receiver = _only_function(documents["signalbox_webhook_receiver"])("http://localhost")
    yield from _openapi_names("receiver", receiver)
    for item in found:
        if item.module.__name__.split(".")[0] in (*SERVICES, "signalbox_core"):
            paths = [item.value(node.args[0]) for node in calls(item.tree, "Route") if node.args]
            yield from (f"route {path}" for path in paths if path is not None)


def _openapi_names(of: str, document: Any) -> Iterator[str]:
    schemas = document.get("components", {}).get("schemas", {})
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = f"{of} {method.upper()} {path}"
            yield f"{where} {operation.get('operationId', '')}".rstrip()
            for parameter in operation.get("parameters", ()):
                yield f"{where} ?{parameter.get('name', parameter.get('$ref'))}"
            bodies = {"request": operation.get("requestBody", {}), **operation.get("responses", {})}
            for status, body in bodies.items():
                yield f"{where} {status}" if status != "request" else where
                for content in body.get("content", {}).values():
                    members = _members(content.get("schema"), schemas, ())
                    yield from (f"{where} {status} .{member}" for member in members)


def _members(schema: Any, schemas: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    """The members of a JSON value at any depth; the names of the schemas are the code's own and do not
    count."""
    if not isinstance(schema, dict):
        return
    if (name := str(schema.get("$ref", "")).removeprefix("#/components/schemas/")) in schemas:
        if name not in path:
            yield from _members(schemas[name], schemas, (*path, name))
        return
    for name, inner in schema.get("properties", {}).items():
        yield name
        yield from (f"{name}.{member}" for member in _members(inner, schemas, path))
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for inner in schema.get(key, ()):
            yield from _members(inner, schemas, path)
    for key in ("items", "additionalProperties", "then"):
        yield from _members(schema.get(key), schemas, path)


def event_names() -> Iterator[str]:
    """Event types with the members of their data, the pipelines' own included."""
    own = [("", kind.name, kind.data) for kind in CATALOGUE.values()]
    domain = [(f"{spec.name} ", kind.name, kind.data) for spec in discover().values() for kind in spec.events]
    for owner, name, data in [*own, *domain]:
        yield f"{owner}{full_type(name)}"
        yield from (f"{owner}{name} .{one.encode_name}" for one in msgspec.structs.fields(data))


class _Parsed(Exception):
    def __init__(self, parser: argparse.ArgumentParser) -> None:
        super().__init__()
        self.parser = parser


def command_names() -> Iterator[str]:
    """Commands and flags of every program that a package installs."""
    scripts: dict[str, str] = {}
    for name in ("client", "admin", "devstack"):
        places = list(ROOT.glob(f"*/{name}/pyproject.toml"))
        scripts |= tomllib.loads(places[0].read_text())["project"].get("scripts", {})
    for program, target in sorted(scripts.items()):
        module, _, function = target.partition(":")
        parser = _parser_of(getattr(importlib.import_module(module), function))
        yield from (name for name in _parser_names(program, parser))


def _parser_of(main: Callable[..., object]) -> argparse.ArgumentParser:
    def stop(self: argparse.ArgumentParser, *_: object, **__: object) -> None:
        raise _Parsed(self)

    kept, argv = argparse.ArgumentParser.parse_known_args, sys.argv
    argparse.ArgumentParser.parse_known_args = stop  # type: ignore[method-assign, assignment]
    sys.argv = ["program"]
    try:
        main([]) if inspect.signature(main).parameters else main()
    except _Parsed as parsed:
        return parsed.parser
    finally:
        argparse.ArgumentParser.parse_known_args = kept  # type: ignore[method-assign]
        sys.argv = argv
    raise LookupError(f"{main.__module__} parses no arguments")


def _parser_names(program: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    yield program
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                yield from _parser_names(f"{program} {name}", sub)
        elif action.option_strings:
            yield from (f"{program} {flag}" for flag in action.option_strings)
        else:
            yield f"{program} <{action.dest}>"


def client_names() -> Iterator[str]:
    """What `signalbox_client` exports, with methods, parameters and fields."""
    client = importlib.import_module("signalbox_client")
    for name in client.__all__:
        yield name
        kind = getattr(client, name)
        for member, value in inspect.getmembers(kind):
            if not member.startswith("_") and inspect.isfunction(value):
                yield f"{name}.{member}"
                yield from (f"{name}.{member}({one})" for one in inspect.signature(value).parameters)
        if issubclass(kind, msgspec.Struct):
            yield from (f"{name}.{one.encode_name}" for one in msgspec.structs.fields(kind))
        else:
            yield from (f"{name}({one})" for one in inspect.signature(kind).parameters)


def import_names() -> Iterator[str]:
    """What the documented modules give to pipelines."""
    for name in (*IMPORTABLE, *_modules_below("signalbox_core.testing")):
        module = importlib.import_module(name)
        own = [
            key
            for key, value in vars(module).items()
            if getattr(value, "__module__", None) == name and not isinstance(value, TypeVar)
        ]
        public = getattr(module, "__all__", [key for key in own if not key.startswith("_")])
        yield name
        yield from (f"{name}.{key}" for key in public)


def _modules_below(name: str) -> list[str]:
    return [item.name for item in pkgutil.walk_packages(importlib.import_module(name).__path__, f"{name}.")]


def _only_function(module: ModuleType) -> Callable[..., Any]:
    own = [
        value
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_")
    ]
    if len(own) != 1:
        raise LookupError(f"{module.__name__} has {len(own)} public functions; this tool calls the only one")
    return own[0]


class _Stub:
    """Stands for handlers: only the shape of the table is read."""

    def __getattr__(self, _name: str) -> "_Stub":
        return self

    def __call__(self, *_: object, **__: object) -> "_Stub":
        return self
