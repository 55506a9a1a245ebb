"""The npm package of the browser client: equal bytes each time, its exports exist, and Node resolves them."""

import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

from playwright._impl._driver import compute_driver_executable

from signalbox_gateway.web import CLIENT

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools"))
import npm_package  # noqa: E402  - the path to it is added above

IMPORTS = """
import { Signalbox } from "@signalbox/client";
import * as react from "@signalbox/client/react";
import * as vue from "@signalbox/client/vue";
const client = new Signalbox({ origin: "https://signalbox.example.com", token: "sbt_x" });
console.log(JSON.stringify([typeof client.watch, Object.keys(react), Object.keys(vue)]));
"""
# Names only: the browser tests run the hooks with the real libraries.
REACT = "export const useCallback = 0, useMemo = 0, useSyncExternalStore = 0;"
VUE = "export const computed = 0, onScopeDispose = 0, shallowRef = 0, toValue = 0, watch = 0;"


def test_the_same_sources_give_the_same_bytes() -> None:
    packed = npm_package.pack()

    assert packed == npm_package.pack()
    assert packed[:10] == bytes.fromhex("1f8b08000000000002ff"), "no version of Python leaves its mark"


def test_the_package_holds_the_served_files_and_every_export() -> None:
    with tarfile.open(fileobj=io.BytesIO(npm_package.pack())) as archive:
        names = {name.removeprefix("package/") for name in archive.getnames()}
    served = {path.relative_to(CLIENT).as_posix() for path in CLIENT.rglob("*") if path.is_file()}
    exports = json.loads((CLIENT / "package.json").read_text())["exports"]

    assert names == served | {"LICENSE"}
    for places in exports.values():
        assert {place.removeprefix("./") for place in places.values()} <= names


def test_node_imports_the_packed_client_and_its_hooks(tmp_path: Path) -> None:
    modules = tmp_path / "node_modules"
    with tarfile.open(fileobj=io.BytesIO(npm_package.pack())) as archive:
        archive.extractall(tmp_path, filter="data")
    (modules / "@signalbox").mkdir(parents=True)
    (tmp_path / "package").rename(modules / "@signalbox" / "client")
    for name, text in {"react": REACT, "vue": VUE}.items():
        (modules / name).mkdir()
        (modules / name / "package.json").write_text('{"type": "module", "exports": "./index.js"}')
        (modules / name / "index.js").write_text(text)
    (tmp_path / "page.mjs").write_text(IMPORTS)

    node, _ = compute_driver_executable()
    done = subprocess.run(
        [str(node), "page.mjs"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 0, done.stderr
    hooks = ["useApprovals", "useRun", "useRuns"]
    assert json.loads(done.stdout) == ["function", hooks, hooks]
