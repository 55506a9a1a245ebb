"""The console's files: no inline code, no third-party resources, no markup built from strings."""

import gzip
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from starlette.applications import Starlette

from signalbox_gateway.web import CLIENT, HEADERS, STATIC, console_routes
from support.servers.gateway import client_of

MODULES = sorted([*STATIC.rglob("*.js"), *CLIENT.rglob("*.js")])
SHEETS = sorted(STATIC.rglob("*.css"))
MARKUP_FROM_STRINGS = re.compile(
    r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|eval|new Function)\b"
)
# What the page itself provides to the hooks.
PEERS = {"react.js": ("react",), "vue.js": ("vue",)}
IMPORT = re.compile(r'^import .* from "([^"]+)";$', re.MULTILINE)


class Page(HTMLParser):
    """The page's tags with their attributes, and the text inside scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inline = ""
        self._inside = ""
        self.feed((STATIC / "index.html").read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_data(self, data: str) -> None:
        if self._inside in ("script", "style"):
            self.inline += data.strip()


def test_the_page_has_no_inline_code_and_no_inline_style() -> None:
    page = Page()
    assert page.inline == ""
    for tag, attributes in page.tags:
        assert "style" not in attributes, tag
        assert not [name for name in attributes if name.startswith("on")], tag


def test_the_page_names_only_files_that_are_there() -> None:
    links = [
        attributes.get("src") or attributes.get("href")
        for tag, attributes in Page().tags
        if tag in ("script", "link")
    ]
    assert links
    for link in links:
        assert link is not None
        assert (STATIC / link.removeprefix("console/")).is_file(), link


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(STATIC.parent)))
def test_a_module_makes_no_markup_from_strings(module: Path) -> None:
    assert MARKUP_FROM_STRINGS.findall(module.read_text()) == []


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(STATIC.parent)))
def test_a_module_imports_only_files_that_are_there(module: Path) -> None:
    for place in IMPORT.findall(module.read_text()):
        if place in PEERS.get(module.name, ()):
            continue
        assert place.startswith("."), place
        assert (module.parent / place).is_file(), place


@pytest.mark.parametrize("file", [*MODULES, *SHEETS], ids=lambda file: str(file.relative_to(STATIC.parent)))
def test_no_file_is_longer_than_a_person_reads(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= 300


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_a_style_sheet_loads_nothing_from_elsewhere(sheet: Path) -> None:
    text = sheet.read_text()
    assert "@import" not in text
    for address in re.findall(r"url\(([^)]*)\)", text):
        assert address.startswith('"../fonts/'), address
        assert (sheet.parent / address.strip('"')).is_file(), address


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_a_style_sheet_is_one_cascade_layer(sheet: Path) -> None:
    text = re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.DOTALL)
    order = re.compile(r"@layer [a-z, ]+;")
    assert sheet.stem in order.search((STATIC / "css" / "tokens.css").read_text())[0]  # type: ignore[index]
    body = order.sub("", text).strip()
    assert body.startswith(f"@layer {sheet.stem} {{")
    assert body.endswith("}")
    depth = 0
    for place, character in enumerate(body):
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth > 0 or place < body.index("{") or place == len(body) - 1, "rules outside the layer"


def test_a_class_is_styled_in_one_sheet() -> None:
    sheets: dict[str, set[str]] = {}
    for sheet in SHEETS:
        text = re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.DOTALL)
        for selectors in re.findall(r"([^{};]+)\{", text):
            for leading in re.findall(r"(?:^|,)\s*\.([\w-]+)", selectors):
                sheets.setdefault(leading, set()).add(sheet.name)
    assert {name: found for name, found in sheets.items() if len(found) > 1} == {}


def test_the_modules_import_each_other_without_a_circle() -> None:
    imports = {
        module: [(module.parent / place).resolve() for place in IMPORT.findall(module.read_text())]
        for module in (path.resolve() for path in STATIC.rglob("*.js"))
    }
    finished: set[Path] = set()

    def visit(module: Path, above: tuple[Path, ...]) -> None:
        assert module not in above, [path.name for path in (*above, module)]
        if module not in finished:
            for imported in imports.get(module, ()):
                visit(imported, (*above, module))
            finished.add(module)

    for module in imports:
        visit(module, ())


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/", "text/html"),
        ("/console/js/main.js", "text/javascript"),
        ("/console/css/base.css", "text/css"),
        ("/client/signalbox.js", "text/javascript"),
        ("/client/elements/index.js", "text/javascript"),
    ],
)
async def test_every_file_is_served_with_the_security_headers(path: str, media_type: str) -> None:
    async with client_of(Starlette(routes=console_routes()), role=None) as client:
        answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(media_type)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value


def test_the_browser_client_is_smaller_than_6_kilobytes() -> None:
    packed = "".join(_packed(path.read_text()) for path in sorted(CLIENT.glob("*.js")))
    assert len(gzip.compress(packed.encode(), 9)) <= 6 * 1024


def _packed(script: str) -> str:
    """About what a packer leaves: no imports, exports, comments or indentation, and short names."""
    code = re.sub(r"/\*.*?\*/|^\s*//.*?$|^import .*?$|^export ", "", script, flags=re.DOTALL | re.MULTILINE)
    declared = set(re.findall(r"(#[a-z]\w*|(?<=\bconst )\w+|(?<=\blet )\w+|(?<=\bclass )\w+)", code))
    names = {name: f"{'#' * (name[0] == '#')}{number:x}" for number, name in enumerate(sorted(declared))}
    short = re.sub(r"#\w+|(?<![.\w])\w+(?!\w*:)", lambda match: names.get(match[0], match[0]), code)
    return re.sub(r"\s*([][{}()=;,:?<>|&+!*-])\s*", r"\1", re.sub(r"^\s+", "", short, flags=re.MULTILINE))
