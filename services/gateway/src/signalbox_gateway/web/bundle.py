"""One script and one style sheet, made of the console's files when the gateway starts.

A module that is imported dynamically becomes a script of its own, which is loaded when it is needed.

A first visit needs six requests instead of a hundred, and a loaded page never asks for a module of another
version. The modules use a subset of the language: named imports and exports of declarations, no circles.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

# One statement a line, or names over several lines; tests check that modules are written so.
_IMPORT: Final = re.compile(r'^import (?:\{(?P<names>[^}]*)\} from )?"(?P<path>\.[^"]+)";\n', re.MULTILINE)
_DYNAMIC: Final = re.compile(r'\bimport\("(?P<path>\.[^"]+)"\)')
_EXPORT: Final = re.compile(r"^export (?P<kind>(?:async )?function|class|const) (?P<name>\w+)", re.MULTILINE)
_OTHER: Final = re.compile(r"^(?:import|export)\b.*$", re.MULTILINE)
_SHEET: Final = re.compile(
    r'^ *<link rel="stylesheet" href="console/css/(?P<name>[a-z]+\.css)">\n', re.MULTILINE
)
# Comments on lines of their own, and indentation; no text of a module spans lines.
_COMMENT: Final = re.compile(r"^[ ]*(?:/\*.*?\*/|//[^\n]*)\n", re.MULTILINE | re.DOTALL)
_INDENT: Final = re.compile(r"^[ ]+", re.MULTILINE)
_MAIN: Final = "console/js/main.js"


class Bundle(Struct, frozen=True, kw_only=True):
    """The page and the two files that it loads. Their paths, below `/console/`, contain a digest.

    `later`: scripts that are loaded on demand, by path.
    """

    page: str
    script_path: str
    script: bytes
    style_path: str
    style: bytes
    later: Mapping[str, bytes]


def build(static: Path) -> Bundle:
    """Combine the modules that `js/main.js` reaches, and the style sheets of `index.html`.

    Raises:
        ValueError: a module has an import or an export of another form.
    """
    page = (static / "index.html").read_text()
    sheets = _SHEET.findall(page)
    script, later = _scripts(static / "js" / "main.js")
    style = _compact("".join((static / "css" / name).read_text() for name in sheets)).encode()
    # As deep as the modules and the sheets, because both refer to other files by relative paths.
    script_path = f"js/bundle/console.{_digest(script)}.js"
    style_path = f"css/console.{_digest(style)}.css"
    link = f'  <link rel="stylesheet" href="console/{style_path}">\n'
    bundled = _SHEET.sub("", page.replace(_MAIN, f"console/{script_path}")).replace(
        "</head>", f"{link}</head>"
    )
    return Bundle(
        page=bundled,
        script_path=script_path,
        script=script,
        style_path=style_path,
        style=style,
        later=later,
    )


def _compact(text: str) -> str:
    return _INDENT.sub("", _COMMENT.sub("", text))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _scripts(main: Path) -> tuple[bytes, Mapping[str, bytes]]:
    """Every module as a function that returns its exports, after the modules that it imports.

    Returns:
        The script that is loaded at once, and those that it imports dynamically, by their paths.
    """
    seen: set[Path] = set()
    names = {path: f"module{number}" for number, path in enumerate(_ordered(main.resolve(), seen))}
    exports: dict[Path, Sequence[str]] = {}
    script = "".join(_module(path, names, exports) for path in names)
    later: dict[str, bytes] = {}

    def load(match: re.Match[str]) -> str:
        path, content, needed = _chunk((main.parent / match["path"]).resolve(), names, exports)
        later[f"js/bundle/{path}"] = content
        return f'import("./{path}").then((chunk) => chunk.load({needed}))'

    return _DYNAMIC.sub(load, script).encode(), later


def _chunk(
    root: Path, loaded: Mapping[Path, str], exports: Mapping[Path, Sequence[str]]
) -> tuple[str, bytes, str]:
    """The modules that `root` needs beyond those that are loaded.

    Args:
        exports: those of the loaded modules.

    Returns:
        Its file name, its content, and the loaded modules that it must be given.
    """
    own = list(_ordered(root, set(loaded)))
    names = {**loaded, **{path: f"module{len(loaded) + number}" for number, path in enumerate(own)}}
    known = dict(exports)
    body = "".join(_module(path, names, known) for path in own)
    given = sorted({name for name in loaded.values() if f" = {name};\n" in body})
    needed = f"{{ {', '.join(given)} }}"
    content = f"export const load = ({needed}) => {{\n{body}return {names[root]};\n}};\n".encode()
    return f"{root.stem}.{_digest(content)}.js", content, needed


def _ordered(path: Path, seen: set[Path]) -> Iterator[Path]:
    seen.add(path)
    for match in _IMPORT.finditer(path.read_text()):
        imported = (path.parent / match["path"]).resolve()
        if imported not in seen:
            yield from _ordered(imported, seen)
    yield path


def _module(path: Path, names: Mapping[Path, str], exports: dict[Path, Sequence[str]]) -> str:
    """Write one module, and add its exports to those of the modules before it, which it may import."""
    text = path.read_text()
    exported = exports[path] = [match["name"] for match in _EXPORT.finditer(text)]

    def binding(match: re.Match[str]) -> str:
        source = (path.parent / match["path"]).resolve()
        imported = " ".join((match["names"] or "").split())
        for name in re.findall(r"(\w+)(?: as \w+)?", imported):
            if name not in exports[source]:
                raise ValueError(f"{path}: {source.name} exports no {name!r}")
        return f"const {{ {imported.replace(' as ', ': ')} }} = {names[source]};\n"

    body = _EXPORT.sub(r"\g<kind> \g<name>", _IMPORT.sub(binding, text))
    other = _OTHER.search(body)
    if other:
        raise ValueError(f"{path}: {other[0]!r}; use named imports and export declarations")
    return f"const {names[path]} = (() => {{\n{_compact(body)}return {{ {', '.join(exported)} }};\n}})();\n"
