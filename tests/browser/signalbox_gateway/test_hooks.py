"""The hooks of the npm package with the real React and Vue, in Chromium: a run, its approval, a decision."""

import io
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from support.customer.fake_client import APPROVAL, FAKE, RUN
from support.drivers.browser import WITHIN_MS

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools"))
import npm_package  # noqa: E402  - the path to it is added above

ORIGIN = "http://hooks.test"
LOCK = ROOT / "tests" / "data" / "npm"
# React is published as CommonJS, so each file is wrapped into a module.
WRAPPED = {
    "react": ("react/cjs/react.production.js", ()),
    "scheduler": ("scheduler/cjs/scheduler.production.js", ()),
    "react-dom": ("react-dom/cjs/react-dom.production.js", ("react",)),
    "react-dom/client": (
        "react-dom/cjs/react-dom-client.production.js", ("react", "scheduler", "react-dom"),
    ),
}  # fmt: skip
NAMES = ("createElement", "useCallback", "useMemo", "useSyncExternalStore")
BODY = """<!doctype html><html lang="en"><title>hooks</title>
<script type="importmap">{"imports": {
  "react": "/wrapped/react", "vue": "/vendor/vue/dist/vue.esm-browser.prod.js"
}}</script><main></main>"""
REACT_PAGE = """async () => {
  const { createElement: h } = await import("react");
  const { default: { createRoot } } = await import("/wrapped/react-dom/client");
  const { useApprovals, useRun } = await import("/client/hooks/react.js");
  const ids = ["run-1"];
  function Page() {
    const { run, connection } = useRun(fake, "run-1");
    const { approvals, decide } = useApprovals(fake, ids);
    return h("section", {}, h("p", { role: "status" }, `${run?.status} ${connection}`),
      approvals.map((one) => h("button", {
        key: one.approval_id, onClick: () => decide(one, { verdict: "grant" }) }, one.title)));
  }
  const root = createRoot(document.querySelector("main"));
  root.render(h(Page));
  window.unmount = () => root.unmount();
}"""
VUE_PAGE = """async () => {
  const { createApp, h } = await import("vue");
  const { useApprovals, useRun } = await import("/client/hooks/vue.js");
  const app = createApp({
    setup() {
      const { run, connection } = useRun(fake, () => "run-1");
      const { approvals, decide } = useApprovals(fake, ["run-1"]);
      return () => h("section", [h("p", { role: "status" }, `${run.value?.status} ${connection.value}`),
        ...approvals.value.map((one) =>
          h("button", { onClick: () => decide(one, { verdict: "grant" }) }, one.title))]);
    },
  });
  app.mount("main");
  window.unmount = () => app.unmount();
}"""


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """React and Vue as npm installs them from the lock; without npm or its registry the tests are skipped."""
    folder = tmp_path_factory.mktemp("npm")
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(LOCK / name, folder)
    command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-timeout=20000"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=90)
    except subprocess.TimeoutExpired:
        pytest.skip("npm does not install React and Vue within 90 s")
    if done.returncode != 0:
        pytest.skip(f"npm cannot install React and Vue: {done.stderr[-300:]}")
    return folder / "node_modules"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    with tarfile.open(fileobj=io.BytesIO(npm_package.pack())) as archive:
        archive.extractall(folder, filter="data")
    return folder / "package"


@pytest.fixture
def page(browser: Browser, package: Path, libraries: Path) -> Iterator[Page]:
    def give(route: Route) -> None:
        area, _, path = route.request.url.removeprefix(f"{ORIGIN}/").partition("/")
        if area == "client":
            route.fulfill(path=package / path)
        elif area == "vendor":
            route.fulfill(path=libraries / path)
        elif area == "wrapped":
            route.fulfill(body=wrapped(libraries, path), content_type="text/javascript")
        else:
            route.fulfill(body=BODY, content_type="text/html")

    with browser.new_context() as context:
        page = context.new_page()
        page.set_default_timeout(WITHIN_MS)
        page.route(f"{ORIGIN}/**", give)
        page.goto(ORIGIN)
        page.evaluate(FAKE, [RUN, APPROVAL])
        yield page


def wrapped(libraries: Path, name: str) -> str:
    file, needs = WRAPPED[name]
    imports = "".join(f'import need{n} from "/wrapped/{need}";\n' for n, need in enumerate(needs))
    table = ", ".join(f'"{need}": need{n}' for n, need in enumerate(needs))
    exports = f"export const {{ {', '.join(NAMES)} }} = module.exports;\n" if name == "react" else ""
    return (
        f"{imports}const module = {{ exports: {{}} }};\n"
        f"((exports, module, require, process) => {{\n{(libraries / file).read_text()}\n}})"
        f"(module.exports, module, (name) => ({{ {table} }})[name], {{ env: {{}} }});\n"
        f"export default module.exports;\n{exports}"
    )


@pytest.mark.parametrize("mount", [pytest.param(REACT_PAGE, id="react"), pytest.param(VUE_PAGE, id="vue")])
def test_hooks_follow_a_run_decide_its_approval_and_end_the_watch(page: Page, mount: str) -> None:
    page.evaluate(mount)
    expect(page.get_by_role("status")).to_have_text("running live")
    page.get_by_role("button", name="Which discount?").click()
    page.wait_for_function("state.sent.length === 1")
    page.evaluate("push", {"status": "decided", "decided_by": "Lan", "decision_id": "x"})
    expect(page.get_by_role("button")).to_have_count(0)
    page.evaluate("() => { state.run.status = 'completed'; push({}); }")
    expect(page.get_by_role("status")).to_have_text("completed live")

    (sent,) = page.evaluate("state.sent")
    assert (sent["answer"], sent["digest"]) == ({"verdict": "grant"}, "d-1")
    page.evaluate("unmount()")
    page.wait_for_function("state.watches.length === 0")
