"""A real Chromium for tests, and a page that remembers everything that went wrong in it."""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
import pytest
from msgspec import Struct
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
# For an action and for an expectation. Playwright's own 5 s for an expectation are too short on a machine
# that runs other tests at the same time.
WITHIN_MS: Final = 30_000
SHOTS = Path(__file__).parents[3] / "test-results" / "browser"


def record(name: str, figures: object) -> None:
    """Keep figures that depend on the machine beside the screenshots, as `NAME.json`."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    (SHOTS / f"{name}.json").write_bytes(msgspec.json.encode(figures))


def browser_path() -> str:
    """The installed Chromium. Without one the test is skipped with the reason, and fails where CI is set."""
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        reason = (
            f"no Chromium on PATH (looked for {', '.join(NAMES)}); "
            "`python tools/browser.py` installs one where it may"
        )
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@contextmanager
def running_browser() -> Iterator[Browser]:
    path = browser_path()
    expect.set_options(timeout=WITHIN_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


def until(page: Page, condition: Callable[[], bool], *, within_s: float = 60.0) -> None:
    """Wait for what a handler of the page's requests or events records: they run while the page waits."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        page.wait_for_timeout(50)


class Site(Struct, frozen=True, kw_only=True):
    """Where the console is, the key to sign in with, a page that sells something, and a way to kill the
    gateway (it is restarted).

    `api_keys`: of every role, each of a person of its own.
    `redis_url`: what the gateway reads the autoscaler's decisions from. `gateway_pid`: the gateway's process;
    `worker_pid`: the worker's.
    """

    origin: str
    api_key: str
    product_page: str
    kill_gateway: Callable[[], object]
    api_keys: Mapping[str, str] = {}
    redis_url: str = ""
    gateway_pid: Callable[[], int] = lambda: 0
    worker_pid: Callable[[], int] = lambda: 0


class WatchedPage:
    """A page and its faults: console errors, uncaught exceptions, violations of the content security policy.

    A refused request (4xx) is written to the console by the browser itself; tests that provoke one list it as
    expected.
    """

    def __init__(self, context: BrowserContext) -> None:
        self.faults: list[str] = []
        self.expected: tuple[str, ...] = ()
        self.page: Page = context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.faults.append(f"uncaught: {error}"))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def unexpected(self) -> list[str]:
        return [fault for fault in self.faults if not any(known in fault for known in self.expected)]

    def shot(self, name: str) -> None:
        """The whole page as a picture for people to look at, under test-results/ (never committed)."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        before = self.page.viewport_size
        assert before is not None
        # A window as tall as the page: what sticks to an edge would else lie across the picture.
        height = max(before["height"], int(self.page.evaluate("document.documentElement.scrollHeight")))
        self.page.set_viewport_size({"width": before["width"], "height": height})
        self.page.screenshot(path=SHOTS / f"{name}.png")
        self.page.set_viewport_size(before)
