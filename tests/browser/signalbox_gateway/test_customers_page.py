"""The elements in a customer's page on another origin, as docs/browser.md shows it: it starts, watches and
decides with a scoped token that permits nothing else."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Page, expect

from support.assertions.wait_until import wait_until
from support.customer.site import CustomerSite, customer_site
from support.drivers.browser import WatchedPage
from support.servers.backends import free_port
from support.servers.installed_pipelines import install_pipelines
from support.servers.stack import RunningStack, running_stack

TESTS = Path(__file__).parents[2]
ADMIN = Path(sys.executable).with_name("signalbox-admin")
DOC = (TESTS.parent / "docs" / "browser.md").read_text()
PAGE = re.search(r"<!-- file: customer.html -->\n```html\n(.*?)```", DOC, re.DOTALL)
TOKEN = {
    "allow": [{"start": "discount"}, {"decide": {"approval_id": "discount"}}],
    "times": 2,
    "on_behalf_of": {"id": "c-17", "name": "Minh"},
}
OTHER_CALLS = """async ({ gateway, token, other }) => {
  const call = async (method, path, body) => (await fetch(gateway + path, {
    method, credentials: "omit", body: body && JSON.stringify(body),
    headers: { authorization: `Bearer ${token}`, ...(body ? { "content-type": "application/json" } : {}) },
  })).status;
  return {
    list: await call("GET", "/v1/runs"), inbox: await call("GET", "/v1/approvals"),
    foreign: await call("GET", `/v1/runs/${other}`), pipelines: await call("GET", "/v1/pipelines"),
    cancel: await call("POST", `/v1/runs/${other}/cancel`, {}),
    pipeline: await call("POST", "/v1/runs", { pipeline: "ai_task", input: {} }),
    mint: await call("POST", "/v1/tokens", { allow: [{ start: "discount" }] }),
    session: await call("POST", "/v1/sessions", { api_key: token }),
  };
}"""


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[RunningStack]:
    """The stack with the customer's pipeline installed, which accepts calls from the customer's pages."""
    installed = tmp_path_factory.mktemp("installed")
    environ = {
        "PYTHONPATH": install_pipelines(installed, "discount", "support.customer.contract:SPEC"),
        "SIGNALBOX_GATEWAY_CORS_ORIGINS": f"http://127.0.0.1:{port}",
    }
    parts = ("--only", "gateway,receiver,worker")
    with running_stack(tmp_path_factory.mktemp("customer"), *parts, environ=environ) as stack:
        yield stack


@pytest.fixture(scope="module")
def customer(stack: RunningStack, port: int) -> Iterator[CustomerSite]:
    assert PAGE is not None
    gateway = str(stack.endpoints.gateway).rstrip("/")
    with customer_site(port, gateway, new_service_key(stack), TOKEN) as site:
        site.pages["/"] = PAGE[1].replace("https://signalbox.example.com", gateway)
        yield site


def new_service_key(stack: RunningStack) -> str:
    """An API key of kind service, created as docs/security.md shows it."""
    (file,) = stack.folder.rglob("api_keys.json")
    command = [str(ADMIN), "keys", "new", "--kind", "service", "--file", str(file)]
    done = subprocess.run(
        [*command, "--tenant", "demo", "--roles", "operator,approver", "--name", "shop"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found = re.search(r"sbx_[\w-]+", done.stdout)
    assert found is not None, done.stdout
    wait_until_accepted(stack, found[0])
    return found[0]


def wait_until_accepted(stack: RunningStack, key: str) -> None:
    """Wait until the gateway has reloaded the file, which it checks once a second."""
    url = f"{str(stack.endpoints.gateway).rstrip('/')}/v1/pipelines"
    with httpx2.Client(headers={"authorization": f"Bearer {key}"}, trust_env=False, timeout=60) as client:
        wait_until(lambda: client.get(url).status_code != 401, within_s=30)


def started_run(page: Page) -> str:
    page.get_by_role("button", name="Ask for a discount").click()
    page.wait_for_function("document.querySelector('signalbox-run').getAttribute('run-id')")
    return str(page.evaluate("document.querySelector('signalbox-run').getAttribute('run-id')"))


def test_a_customers_page_starts_watches_and_decides_with_a_scoped_token(
    watched: WatchedPage, customer: CustomerSite, stack: RunningStack
) -> None:
    page = watched.page
    page.goto(customer.origin)
    run_id = started_run(page)

    expect(page.get_by_role("heading", name="Which discount?")).to_be_visible(timeout=30_000)
    expect(page.locator("signalbox-run").get_by_role("status")).to_have_text("Running")
    page.get_by_label("Verdict").select_option("grant")
    page.get_by_label("Percent").fill("15")
    page.get_by_label("phone", exact=False).check()
    page.get_by_label("Note").fill("Good customer")
    watched.shot("customer-page")
    page.keyboard.press("Control+Enter")
    expect(page.locator("signalbox-approval").get_by_role("alert").first).to_have_text("Decision accepted.")
    expect(page.locator("signalbox-run").get_by_role("status")).to_have_text("Completed", timeout=30_000)

    headers = {"authorization": f"Bearer {stack.endpoints.api_keys['admin']}"}
    gateway = str(stack.endpoints.gateway).rstrip("/")
    run = page.request.get(f"{gateway}/v1/runs/{run_id}", headers=headers).json()
    (approval,) = run["approvals"]
    assert run["started_by"] == approval["decided_by"] == "Minh"
    assert re.fullmatch(r"key:\w+#c-17", approval["decider"]["subject"])
    assert approval["answer"] == {
        "verdict": "grant", "percent": 15, "notify": False, "channels": ["phone"], "note": "Good customer",
    }  # fmt: skip


def test_the_pages_token_is_refused_for_everything_else(
    watched: WatchedPage, customer: CustomerSite, stack: RunningStack
) -> None:
    watched.expected = ("403",)
    page, gateway = watched.page, str(stack.endpoints.gateway).rstrip("/")
    key = {"authorization": f"Bearer {stack.endpoints.api_keys['admin']}"}
    body = {"pipeline": "discount", "input": {"customer": "somebody else"}}
    other = page.request.post(f"{gateway}/v1/runs", headers=key, data=body).json()["run_id"]
    page.goto(customer.origin)
    own = started_run(page)
    assert own != other

    statuses = page.evaluate(OTHER_CALLS, {"gateway": gateway, "token": customer.minted, "other": other})

    assert set(statuses.values()) == {403}, statuses
