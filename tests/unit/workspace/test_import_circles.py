"""No module imports itself through others: Python inside each package, ES modules of the console and the
browser client."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = sorted(path.parent for path in ROOT.glob("*/*/src/*/__init__.py"))
WEB = ROOT / "services/gateway/src/signalbox_gateway/web"
JS_IMPORT = re.compile(r'^(?:import|export)\b[^;"]*?"(\.[^"]+)";|\bimport\("(\.[^"]+)"\)', re.MULTILINE)


def circle_in(imports: Mapping[str, Iterable[str]]) -> list[str]:
    """One circle, its first module repeated at the end; empty when there is none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def python_imports(package: Path) -> dict[str, set[str]]:
    """For each module of a package: which modules of the package it imports; imports for type checkers do not
    count."""
    paths = {_dotted(path, package): path for path in package.rglob("*.py")}
    return {
        name: {
            found for target in _imported(ast.parse(path.read_text())) if (found := _module(target, paths))
        }
        for name, path in paths.items()
    }


def _dotted(path: Path, package: Path) -> str:
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(node: ast.AST) -> Iterator[str]:
    """Dotted names that code imports when it runs, those inside functions too."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            for other in child.orelse:
                yield from _imported(other)
        elif isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        else:
            yield from _imported(child)


def _module(target: str, modules: Mapping[str, Path]) -> str | None:
    """The module of a dotted name, which may end in a name inside it."""
    return (
        target if target in modules else parent if (parent := target.rpartition(".")[0]) in modules else None
    )


def script_imports(folder: Path) -> dict[str, set[str]]:
    """For each ES module below a folder: the modules it imports, statically or when it runs."""
    paths = sorted(path.resolve() for path in folder.rglob("*.js"))
    return {
        str(path.relative_to(folder)): {
            str((path.parent / (one or other)).resolve().relative_to(folder))
            for one, other in JS_IMPORT.findall(path.read_text())
        }
        for path in paths
    }


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_python_modules_import_in_one_direction(package: Path) -> None:
    imports = python_imports(package)
    assert len(imports) > 1
    assert circle_in(imports) == []


def test_browser_modules_import_in_one_direction() -> None:
    imports = script_imports(WEB)
    assert sum(map(len, imports.values())) > len(imports)
    assert circle_in(imports) == []


def test_a_circle_of_python_modules_is_found(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "a.py").write_text("from package.b import thing\n")
    (package / "b.py").write_text("def later():\n    from package import c\n")
    (package / "c.py").write_text("import package.a\n")
    circle = circle_in(python_imports(package))
    assert set(circle) == {"package.a", "package.b", "package.c"}
    assert circle[0] == circle[-1]


def test_an_import_for_types_makes_no_circle(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "a.py").write_text("from package.b import thing\n")
    (package / "b.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import package.a\n"
    )
    assert circle_in(python_imports(package)) == []


def test_a_circle_of_browser_modules_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text('import {\n  one,\n} from "./parts/b.js";\n')
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/b.js").write_text('export { two } from "../a.js";\n')
    assert set(circle_in(script_imports(tmp_path))) == {"a.js", "parts/b.js"}
