"""One browser and one stack a module; a page that fails its test when anything went wrong in it.

Not one a session: Playwright's event loop runs as long as its browser, and async tests of other folders need
one of their own.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route

from signalbox_client import Signalbox
from signalbox_core.events.snapshot import ENDED
from signalbox_gateway.web import CLIENT, STATIC
from support.drivers.browser import WITHIN_MS, Site, WatchedPage, browser_path, running_browser
from support.drivers.console import sign_in
from support.drivers.console_api import API, PREPARE, ConsoleApi
from support.servers.stack import running_stack


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    browser_path()  # without a browser there is no point in starting a stack
    with running_stack(
        tmp_path_factory.mktemp("stack"), "--only", "gateway,receiver,worker,demo_site"
    ) as stack:
        endpoints = stack.endpoints
        yield Site(
            origin=str(endpoints.gateway).rstrip("/"),
            api_key=endpoints.api_keys["admin"],
            api_keys=endpoints.api_keys,
            product_page=f"{endpoints.demo_site}/en/coffee",
            kill_gateway=lambda: stack.kill("gateway"),
            redis_url=str(endpoints.redis),
            gateway_pid=lambda: stack.endpoints.pids["gateway"],
            worker_pid=lambda: stack.endpoints.pids["worker"],
        )


@pytest.fixture(scope="module")
def client(site: Site) -> Iterator[Signalbox]:
    with Signalbox(site.origin, site.api_key) as client:
        yield client


@pytest.fixture
def run_id(client: Signalbox, site: Site) -> Iterator[str]:
    """A run that asks about one variant."""
    run_id = client.start("ad_creative", {"url": site.product_page, "variants": 1}).run_id
    next(update for update in client.watch(run_id) if update.snapshot.approvals)
    yield run_id
    if client.run(run_id).status not in ENDED:
        client.cancel(run_id, "test")


@pytest.fixture(scope="module")
def modules(browser: Browser) -> Iterator[Page]:
    """A page that has the files of console and client alone: for tests of modules, without a gateway."""

    def give(route: Route) -> None:
        path = route.request.url.removeprefix("http://console.test/")
        if path.startswith("console/"):
            route.fulfill(path=STATIC / path.removeprefix("console/"))
        elif path.startswith("client/"):
            route.fulfill(path=CLIENT / path.removeprefix("client/"))
        else:
            route.fulfill(body="<!doctype html><title>modules</title>", content_type="text/html")

    with browser.new_context() as context:
        page = context.new_page()
        page.set_default_timeout(WITHIN_MS)
        page.route("http://console.test/**", give)
        page.goto("http://console.test/")
        yield page


@pytest.fixture
def gateway(modules: Page) -> Iterator[ConsoleApi]:
    """The API of the page of modules; it has what a test gives it."""
    gateway = ConsoleApi()
    modules.route(f"{API}**", gateway)
    modules.evaluate(PREPARE)
    yield gateway
    modules.unroute(f"{API}**")
    modules.evaluate("localStorage.clear(); document.body.replaceChildren(); location.hash = '';")


@pytest.fixture
def watched(browser: Browser) -> Iterator[WatchedPage]:
    """A fresh browser profile; unexpected console output fails the test at the end."""
    with browser.new_context(viewport={"width": 1360, "height": 900}, color_scheme="light") as context:
        context.set_default_timeout(WITHIN_MS)
        watched = WatchedPage(context)
        yield watched
        assert watched.unexpected() == []


@pytest.fixture
def signed_in(watched: WatchedPage, site: Site) -> Page:
    sign_in(watched.page, site, site.api_key)
    return watched.page
