"""Chromium behind nginx: the console under a path prefix, a bare EventSource over a gateway's restart."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from playwright.sync_api import TimeoutError as WaitTimeout

from support.drivers.browser import WITHIN_MS, Site
from support.servers.proxies import PREFIX, documented, proxy

STREAMS_DOC = (Path(__file__).parents[3] / "docs" / "streams.md").read_text()
TEXT = (
    "Signalbox runs long pipelines durably. People watch every run live. A person decides where a run asks."
)


@pytest.fixture(scope="module")
def origin(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with proxy("nginx", site.origin, tmp_path_factory.mktemp("nginx")) as origin:
        yield origin


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_context(ignore_https_errors=True) as context:
        context.set_default_timeout(WITHIN_MS)
        yield context.new_page()


def sign_in(page: Page, address: str, site: Site) -> None:
    page.goto(address)
    page.get_by_label("API key").fill(site.api_key)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Runs", exact=True).wait_for()


START = """async ({ prefix, body }) => {
  const { Signalbox } = await import(`${prefix}/client/signalbox.js`);
  return (await new Signalbox().start("%s", body)).run_id;
}"""


def test_the_console_works_under_a_path_prefix(page: Page, origin: str, site: Site) -> None:
    failed: list[str] = []
    page.on("response", lambda answer: failed.append(answer.url) if answer.status >= 400 else None)

    sign_in(page, f"{origin}{PREFIX}/", site)
    given = {"task": "summarise", "text": TEXT, "provider": "local-extractive"}
    run_id = page.evaluate(START % "ai_task", {"prefix": PREFIX, "body": given})
    page.goto(f"{origin}{PREFIX}/#/runs/{run_id}")
    expect(page.locator("#main")).to_contain_text("Completed", timeout=30_000, ignore_case=True)
    page.goto(f"{origin}{PREFIX}/#/autoscaler")
    page.get_by_role("heading", name="Autoscaler").wait_for()

    picture = page.evaluate(
        """async () => {
          const { artifactAddress } = await import("/signalbox/console/js/data/api.js");
          const { h } = await import("/signalbox/console/js/ui/dom.js");
          return h("img", { src: artifactAddress("run", "page 1") }).getAttribute("src");
        }"""
    )

    assert picture == f"{PREFIX}/v1/runs/run/artifacts/page%201"
    assert failed == []


def test_a_decision_link_works_under_a_path_prefix(page: Page, origin: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/v1/" in request.url else None)

    page.goto(f"{origin}{PREFIX}/decide#nonsense")

    expect(page.get_by_role("heading", name="This link is not valid")).to_be_visible()
    assert asked == [f"{origin}{PREFIX}/v1/links/question"]


def kill_until_closed(page: Page, site: Site) -> None:
    """Kill the gateway until the bare EventSource meets a 502; one restart may be quicker than its delay."""
    for _ in range(20):
        with suppress(ProcessLookupError):
            site.kill_gateway()
        with suppress(WaitTimeout):
            page.wait_for_function("window.bare.readyState === EventSource.CLOSED", timeout=1_000)
            return
    pytest.fail("the EventSource was never closed")


def test_an_event_source_gives_up_at_a_502_and_the_documented_one_reconnects(
    page: Page, origin: str, site: Site
) -> None:
    sign_in(page, f"{origin}/", site)
    # A page of somebody else, without the console's content security policy.
    page.route(
        f"{origin}/own.html", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html")
    )
    page.goto(f"{origin}/own.html")
    run_id = page.evaluate(START % "ad_creative", {"prefix": "", "body": {"url": site.product_page}})
    page.evaluate(
        f"""(address) => {{
          {documented("reconnect.js", STREAMS_DOC)}
          window.bare = new EventSource(address);
          window.frames_ = [];
          follow(address, (frame) => window.frames_.push([frame.type, frame.lastEventId ?? ""]));
        }}""",
        f"{origin}/v1/runs/{run_id}/stream",
    )
    page.wait_for_function("window.frames_.length > 0 && window.bare.readyState === EventSource.OPEN")

    kill_until_closed(page, site)
    page.evaluate("window.before = window.frames_.length")
    page.evaluate(
        """async (path) => {
          const cancel = async () => (await fetch(path, {
            method: "POST", headers: { "content-type": "application/json" }, body: "{}",
          })).ok;
          while (!await cancel()) await new Promise((resolve) => setTimeout(resolve, 200));
        }""",
        f"/v1/runs/{run_id}/cancel",
    )
    page.wait_for_function("window.frames_.some(([type]) => type === 'end')", timeout=60_000)

    frames = page.evaluate("window.frames_")
    ids = [identity for kind, identity in frames if kind == "message" and identity]
    assert len(ids) == len(set(ids))
    assert "refused" not in [kind for kind, _ in frames]
