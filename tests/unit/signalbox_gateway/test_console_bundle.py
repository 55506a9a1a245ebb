"""The console's bundle: one script and one style sheet, small, with a digest in their paths."""

import gzip
import re
from pathlib import Path

import pytest
from starlette.applications import Starlette

from signalbox_gateway.web import CLIENT, STATIC, console_routes
from signalbox_gateway.web.bundle import build
from support.servers.gateway import client_of

# What a first visit loads, compressed: page, script, style sheet, typeface.
MAX_BYTES = 75_000


def console(folder: Path, **modules: str) -> Path:
    """A console of a few modules; `main` imports the others."""
    (folder / "js").mkdir()
    (folder / "css").mkdir()
    (folder / "index.html").write_text(
        '<head>\n  <link rel="stylesheet" href="console/css/base.css">\n'
        '  <script type="module" src="console/js/main.js"></script>\n</head>\n'
    )
    (folder / "css" / "base.css").write_text("/* A comment. */\n@layer base {\n  p { margin: 0; }\n}\n")
    for name, text in modules.items():
        (folder / "js" / f"{name}.js").write_text(text)
    return folder


def test_modules_are_combined_after_what_they_import(tmp_path: Path) -> None:
    bundle = build(
        console(
            tmp_path,
            main='// Starts.\nimport {\n  one as first,\n} from "./a.js";\nfirst();\n',
            a='import { two } from "./b.js";\n/** A. */\nexport function one() {\n  return two;\n}\n',
            b="export const two = 2;\n",
        )
    )
    assert bundle.script.decode() == (
        "const module0 = (() => {\nconst two = 2;\nreturn { two };\n})();\n"
        "const module1 = (() => {\nconst { two } = module0;\n"
        "function one() {\nreturn two;\n}\nreturn { one };\n})();\n"
        "const module2 = (() => {\nconst { one: first, } = module1;\nfirst();\nreturn {  };\n})();\n"
    )
    assert bundle.style == b"@layer base {\np { margin: 0; }\n}\n"


def test_the_page_names_the_bundle_alone(tmp_path: Path) -> None:
    bundle = build(console(tmp_path, main="start();\n"))
    assert re.findall(r'(?:src|href)="console/([^"]+)"', bundle.page) == [
        bundle.script_path,
        bundle.style_path,
    ]
    changed = tmp_path / "changed"
    changed.mkdir()
    other = build(console(changed, main="stop();\n"))
    assert other.script_path != bundle.script_path
    assert other.style_path == bundle.style_path


def test_a_name_that_its_module_does_not_export_is_refused(tmp_path: Path) -> None:
    main, other = 'import { one, two } from "./a.js";\none(two);\n', "export const one = 1;\n"
    with pytest.raises(ValueError, match=r"a\.js exports no 'two'"):
        build(console(tmp_path, main=main, a=other))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('import * as all from "./a.js";\n', id="everything"),
        pytest.param("export default 1;\n", id="a default"),
        pytest.param("export let one = 1;\n", id="a variable"),
        pytest.param("export { one };\n", id="a list"),
    ],
)
def test_another_form_of_import_or_export_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match="use named imports and export declarations"):
        build(console(tmp_path, main=text))


def test_a_dynamic_import_is_a_script_of_its_own_with_what_is_not_loaded_yet(tmp_path: Path) -> None:
    bundle = build(
        console(
            tmp_path,
            main='import { one } from "./one.js";\nconst open = () => import("./late.js");\nopen(one);\n',
            one="export const one = 1;\n",
            late=(
                'import { one } from "./one.js";\nimport { own } from "./own.js";\n'
                "export const late = one + own;\n"
            ),
            own="export const own = 2;\n",
        )
    )
    ((path, content),) = bundle.later.items()
    assert re.fullmatch(r"js/bundle/late\.[0-9a-f]{16}\.js", path)
    assert content.decode() == (
        "export const load = ({ module0 }) => {\n"
        "const module2 = (() => {\nconst own = 2;\nreturn { own };\n})();\n"
        "const module3 = (() => {\nconst { one } = module0;\nconst { own } = module2;\n"
        "const late = one + own;\nreturn { late };\n})();\nreturn module3;\n};\n"
    )
    name = path.rpartition("/")[2]
    assert f'import("./{name}").then((chunk) => chunk.load({{ module0 }}))' in bundle.script.decode()


def test_a_first_visit_is_small() -> None:
    bundle = build(STATIC)
    files = [
        bundle.page.encode(),
        bundle.script,
        bundle.style,
        (STATIC / "js" / "theme-early.js").read_bytes(),
    ]
    compressed = sum(len(gzip.compress(content)) for content in files)
    assert compressed + (STATIC / "fonts" / "inter-latin.woff2").stat().st_size <= MAX_BYTES


@pytest.mark.parametrize("module", sorted([*STATIC.rglob("*.js"), CLIENT / "signalbox.js"]), ids=str)
def test_no_template_spans_lines(module: Path) -> None:
    """Indentation is removed from the bundle; inside a text it would matter."""
    for line in module.read_text().splitlines():
        if not re.match(r"\s*(//|/?\*)", line):
            assert line.count("`") % 2 == 0, line


async def test_bundled_files_never_expire_and_the_page_is_revalidated() -> None:
    bundle = build(STATIC)
    async with client_of(Starlette(routes=console_routes()), role=None) as client:
        page = await client.get("/")
        assert page.headers["cache-control"] == "no-cache"
        assert (await client.get("/")).text == page.text
        assert f"console/{bundle.script_path}" in page.text
        assert f"console/{bundle.style_path}" in page.text
        for path in (bundle.script_path, bundle.style_path, *bundle.later):
            answer = await client.get(f"/console/{path}")
            assert answer.status_code == 200
            assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
            assert answer.headers["content-encoding"] == "gzip"
            assert (await client.get(f"/console/{path}")).content == answer.content
