"""Names in the source text and in imported modules: variables, metrics, Temporal names, Redis keys, error
codes."""

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final

import msgspec

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
ENVIRONMENT: Final = re.compile(r"SIGNALBOX_[A-Z0-9_]*[A-Z0-9]")
REDIS_KEY: Final = re.compile(r"(signalbox|gdt|claims|rates):")
METRIC: Final = re.compile(r"signalbox_(gateway|receiver|worker|autoscaler)_[a-z_]+")


@dataclass
class Module:
    """An imported module and its syntax tree."""

    module: ModuleType
    tree: ast.Module

    @property
    def name(self) -> str:
        """The last part of the dotted name."""
        return self.module.__name__.rsplit(".", 1)[-1]

    def value(self, node: ast.AST | None, scope: Mapping[str, object] | None = None) -> str | None:
        """The string value of an expression; a part known only at run time is `{}`. None: not a
        string."""
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


def environment_names(found: list[Module]) -> set[str]:
    """Variables of every Settings class, and those that code reads by name.

    A constant such as `SIGNALBOX_GATEWAY` is only the beginning of variables, and left out.
    """
    names = set(_variables(found))
    return {name for name in names if not any(other.startswith(f"{name}_") for other in names)}


def _variables(found: list[Module]) -> Iterator[str]:
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
    for item in found:
        if item.module.__name__ == "signalbox_core.chat_model.settings":
            yield from _model_variables(item.module)


def _model_variables(module: ModuleType) -> Iterator[str]:
    """The model's variables are composed at run time, so they are seen only while they are read."""
    for name, reader in vars(module).items():
        if inspect.isfunction(reader) and name in ("model_settings", "read_model_settings"):
            yield from _read_by(reader)


def _read_by(reader: Callable[[Mapping[str, str]], object]) -> list[str]:
    """The variables that a function reads from a mapping."""
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
        if item.name not in ("metrics", "counters"):
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


def redis_names(found: list[Module]) -> Iterator[str]:
    """Redis keys; `{}` stands for what is known only at run time."""
    for item in found:
        if not item.module.__name__.startswith(("signalbox_devstack", "signalbox_core.testing")):
            yield from (text for text in _strings(item) if REDIS_KEY.match(text) and " " not in text)


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
    """Every string of a module with its parts resolved, from constants and from names assigned in the same
    function."""
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


def _name(node: ast.AST | None) -> str:
    """The last part of a dotted name."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def calls(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    """Calls of a function or a class by the last part of its name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) == name:
            yield node
