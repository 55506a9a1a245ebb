"""The names that others depend on, found in the code itself, and compared with tests/data/public_names.json.

`--check` (default) fails for every name of the snapshot that is gone; `--update` adds new names and refuses to remove any;
`--print` writes what the code has now. Nothing here depends on where a module is or what an internal class is called.
"""

import argparse
import ast
import importlib
import inspect
import json
import pkgutil
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TypeVar

import msgspec

ROOT: Final = Path(__file__).resolve().parent.parent
SNAPSHOT: Final = ROOT / "tests" / "data" / "public_names.json"
PACKAGES: Final = (
    "signalbox_core",
    "signalbox_pipelines",
    "signalbox_client",
    "signalbox_admin",
    "signalbox_gateway",
    "signalbox_webhook_receiver",
    "signalbox_worker",
    "signalbox_autoscaler",
    "signalbox_devstack",
)
SERVICES: Final = (
    "signalbox_gateway",
    "signalbox_webhook_receiver",
    "signalbox_worker",
    "signalbox_autoscaler",
)
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
ENVIRONMENT: Final = re.compile(r"SIGNALBOX_[A-Z0-9_]*[A-Z0-9]")
REDIS_KEY: Final = re.compile(r"(signalbox|gdt|claims|rates):")
METRIC: Final = re.compile(r"signalbox_(gateway|receiver|worker|autoscaler)_[a-z_]+")
Names = Mapping[str, list[str]]


@dataclass
class Module:
    """An imported module and its syntax tree."""

    module: ModuleType
    tree: ast.Module

    def value(self, node: ast.AST | None, scope: Mapping[str, object] | None = None) -> str | None:
        """The string that an expression stands for; a part known only at run time is `{}`. None: not a string."""
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else None
        if isinstance(node, ast.JoinedStr):
            return "".join(self._part(part, scope or {}) for part in node.values)
        if isinstance(node, ast.Name | ast.Attribute):
            found = self._lookup(node, scope or {})
            return str(found) if isinstance(found, str) else None
        return None

    def _part(self, node: ast.expr, scope: Mapping[str, object]) -> str:
        inner = node.value if isinstance(node, ast.FormattedValue) else node
        found = self.value(inner, scope)
        return "{}" if found is None else found

    def _lookup(self, node: ast.AST, scope: Mapping[str, object]) -> object:
        if isinstance(node, ast.Name):
            return scope.get(node.id, getattr(self.module, node.id, None))
        if isinstance(node, ast.Attribute):
            return getattr(self._lookup(node.value, scope), node.attr, None)
        return None


def modules() -> list[Module]:
    """Every importable module of the packages, entry points included (they do nothing when imported)."""
    found = []
    for package in PACKAGES:
        root = importlib.import_module(package)
        names = [package, *(item.name for item in pkgutil.walk_packages(root.__path__, f"{package}."))]
        for name in names:
            module = importlib.import_module(name)
            if module.__file__ is not None:
                found.append(Module(module, ast.parse(Path(module.__file__).read_text())))
    return found


def public_names() -> Names:
    """All groups of names, each sorted."""
    found = modules()
    groups: dict[str, set[str]] = {
        "http": set(http_names(found)),
        "events": set(event_names()),
        "environment": _without_prefixes(set(environment_names(found))),
        "metrics": set(metric_names(found)),
        "temporal": set(temporal_names(found)),
        "commands": set(command_names()),
        "redis": set(redis_names(found)),
        "client": set(client_names()),
        "imports": set(import_names()),
        "codes": set(code_names(found)),
    }
    return {group: sorted(names) for group, names in groups.items()}


def http_names(found: list[Module]) -> Iterator[str]:
    """Paths, operations, replies and members of the OpenAPI documents, and the routes of the services without one."""
    documents = {
        item.module.__name__.split(".")[0]: item.module for item in found if _last(item) == "openapi"
    }
    tables = [item.module for item in found if _last(item) in ("routes", "table")]
    from signalbox_core.pipeline import discover

    build_table, build = _only_function(tables[0]), _only_function(documents["signalbox_gateway"])
    gateway = build(build_table(_Stub()), discover(), version="0", server="http://localhost")
    yield from _openapi_names("gateway", gateway)
    receiver = _only_function(documents["signalbox_webhook_receiver"])("http://localhost")
    yield from _openapi_names("receiver", receiver)
    for item in found:
        service = item.module.__name__.split(".")[0]
        for node in _calls(item.tree, "Route"):
            path = item.value(node.args[0]) if node.args else None
            if path is not None and service in SERVICES:
                yield f"{service.removeprefix('signalbox_')} route {path}"


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
    """The members of a JSON value at any depth; the names of the schemas are the code's own and do not count."""
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
    from signalbox_core.events import CATALOGUE, full_type
    from signalbox_core.pipeline import discover

    own = [("", kind.name, kind.data) for kind in CATALOGUE.values()]
    domain = [(f"{spec.name} ", kind.name, kind.data) for spec in discover().values() for kind in spec.events]
    for owner, name, data in [*own, *domain]:
        yield f"{owner}{full_type(name)}"
        yield from (f"{owner}{name} .{one.encode_name}" for one in msgspec.structs.fields(data))


def environment_names(found: list[Module]) -> Iterator[str]:
    """Variables of every Settings class, and those that code reads by name."""
    from signalbox_core import settings

    for item in found:
        if item.module.__name__.startswith("signalbox_devstack"):
            continue
        prefix = getattr(item.module, "PREFIX", None)
        for kind in vars(item.module).values():
            own = isinstance(kind, type) and kind.__module__ == item.module.__name__
            if own and prefix and issubclass(kind, msgspec.Struct) and kind.__name__.endswith("Settings"):
                for one in msgspec.structs.fields(kind):
                    yield settings.BACKENDS.get(one.name, f"{prefix}_{one.name.upper()}")
        yield from (text for text in _strings(item) if ENVIRONMENT.fullmatch(text))
    reader = next(item.module for item in found if hasattr(item.module, "model_settings"))
    yield from _read_by(reader.model_settings)


def _without_prefixes(names: set[str]) -> set[str]:
    """A constant such as `SIGNALBOX_GATEWAY` is only the beginning of variables."""
    return {name for name in names if not any(other.startswith(f"{name}_") for other in names)}


def _read_by(reader: Callable[[Mapping[str, str]], object]) -> list[str]:
    """The variables that a function asks a mapping for."""
    read: list[str] = []

    class Environ(dict[str, str]):
        def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
            read.append(name)
            return {"URL": "http://model", "NAME": "model"}.get(name.rsplit("_", 1)[-1], default)

    reader(Environ())
    return read


def metric_names(found: list[Module]) -> Iterator[str]:
    """Families with type and labels, as each service's registry renders them."""
    for item in found:
        if item.module.__name__.split(".")[0] not in SERVICES:
            continue
        yield from (text for text in _strings(item) if METRIC.fullmatch(text))
        if _last(item) not in ("metrics", "counters"):
            continue
        for kind in vars(item.module).values():
            if isinstance(kind, type) and kind.__module__ == item.module.__name__:
                yield from _families(kind)


def _families(kind: type) -> Iterator[str]:
    try:
        holder = kind()
    except TypeError:
        return
    registry = getattr(holder, "registry", None)
    if registry is not None:
        for collector in getattr(registry, "_collector_to_names", {}):
            labels = ",".join(getattr(collector, "_labelnames", ()))
            for family in collector.collect():
                yield f"{family.name} {family.type} {{{labels}}}"
    elif callable(render := getattr(holder, "render", None)):
        yield from (
            f"{name.removesuffix('_total')} {kind} {{}}"
            for name, kind in re.findall(r"# TYPE (\S+) (\S+)", render())
        )


def temporal_names(found: list[Module]) -> Iterator[str]:
    """Workflows, activities, messages, search attributes, memo keys and headers."""
    for item in found:
        if item.module.__name__.startswith(("signalbox_devstack", "signalbox_core.testing")):
            continue
        for node in ast.walk(item.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield from _decorated(item, node)
            elif isinstance(node, ast.Call):
                yield from _registered(item, node)
            elif isinstance(node, ast.keyword) and node.arg == "memo" and isinstance(node.value, ast.Dict):
                yield from (f"memo {name}" for key in node.value.keys if (name := item.value(key)))
        yield from _constants(item.module)


def _constants(module: ModuleType) -> Iterator[str]:
    for constant, value in vars(module).items():
        kind = constant.partition("_")[0]
        if kind in ("MEMO", "HEADER") and str(value).startswith("signalbox_"):
            yield f"{kind.lower()} {value}"


def _registered(item: Module, call: ast.Call) -> Iterator[str]:
    """A handler that is set at run time, or a search attribute."""
    kind, owner = _name(call.func), _name(getattr(call.func, "value", None))
    name = item.value(call.args[0]) if call.args else None
    if name and (match := re.fullmatch("set_(signal|query|update)_handler", kind)):
        yield f"{match[1]} {name}"
    elif name and owner == "SearchAttributeKey":
        yield f"search attribute {name} {kind.removeprefix('for_')}"


def _decorated(item: Module, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> Iterator[str]:
    for decorator in node.decorator_list:
        target = decorator.func if isinstance(decorator, ast.Call) else decorator
        owner, kind = _name(getattr(target, "value", None)), _name(target)
        if owner not in ("workflow", "activity") or kind not in ("defn", "signal", "query", "update"):
            continue
        kind = owner if kind == "defn" else kind
        given = decorator.keywords if isinstance(decorator, ast.Call) else []
        named = next((item.value(one.value) for one in given if one.arg == "name"), None)
        yield f"{kind} {named or node.name}"


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


def redis_names(found: list[Module]) -> Iterator[str]:
    """Redis keys; `{}` stands for what is known only at run time."""
    for item in found:
        if not item.module.__name__.startswith(("signalbox_devstack", "signalbox_core.testing")):
            yield from (text for text in _strings(item) if REDIS_KEY.match(text) and " " not in text)


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


def code_names(found: list[Module]) -> Iterator[str]:
    """Stable codes of errors."""
    for item in found:
        if item.module.__name__.startswith(("signalbox_devstack", "signalbox_core.testing")):
            continue
        for node in ast.walk(item.tree):
            if isinstance(node, ast.keyword) and node.arg == "code":
                yield from (code for code in [item.value(node.value)] if code and "{" not in code)
        for kind in vars(item.module).values():
            if isinstance(kind, type) and isinstance(code := vars(kind).get("code"), str):
                yield code


def _strings(item: Module) -> Iterator[str]:
    """Every string of a module with its parts resolved, from constants and from names assigned in the same function."""
    parts = {
        id(part) for node in ast.walk(item.tree) if isinstance(node, ast.JoinedStr) for part in node.values
    }
    local: dict[int, Mapping[str, object]] = {}
    for node in ast.walk(item.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            scope: dict[str, object] = {}
            for inner in ast.walk(node):
                if isinstance(inner, ast.Assign) and isinstance(inner.targets[0], ast.Name):
                    scope[inner.targets[0].id] = item.value(inner.value, scope)
            local |= {id(inner): scope for inner in ast.walk(node) if isinstance(inner, ast.JoinedStr)}
    for node in ast.walk(item.tree):
        if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in parts:
            yield from (text for text in [item.value(node, local.get(id(node)))] if text is not None)


def _calls(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) == name:
            yield node


def _name(node: ast.AST | None) -> str:
    """The last part of a dotted name."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _modules_below(name: str) -> list[str]:
    return [item.name for item in pkgutil.walk_packages(importlib.import_module(name).__path__, f"{name}.")]


def _last(item: Module) -> str:
    return item.module.__name__.rsplit(".", 1)[-1]


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


def missing(snapshot: Names, now: Names) -> list[str]:
    """The names of the snapshot that the code no longer has."""
    return [
        f"{group}: {name}"
        for group, names in snapshot.items()
        for name in sorted(set(names) - set(now.get(group, ())))
    ]


def merged(snapshot: Names, now: Names) -> Names:
    """The snapshot with the names that are new."""
    return {group: sorted({*snapshot.get(group, ()), *now.get(group, ())}) for group in {**snapshot, **now}}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--check", action="store_true", help="compare with the snapshot (the default)")
    choice.add_argument("--update", action="store_true", help="add new names to the snapshot")
    choice.add_argument("--print", action="store_true", help="write the names that the code has now")
    parser.add_argument("--snapshot", type=Path, default=SNAPSHOT, metavar="FILE")
    options = parser.parse_args(arguments)
    now = public_names()
    if options.print:
        print(json.dumps(now, indent=1, ensure_ascii=False))
        return 0
    snapshot = json.loads(options.snapshot.read_text()) if options.snapshot.exists() else {}
    gone = missing(snapshot, now)
    if gone:
        print("public names that are gone (restore them):", *gone, sep="\n  ", file=sys.stderr)
        return 1
    if options.update:
        options.snapshot.write_text(json.dumps(merged(snapshot, now), indent=1, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
