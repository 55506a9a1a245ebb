"""An invoice import as a person runs it in the console: the form, the captcha, the months as they fill up,
the totals, the files."""

import base64
from collections.abc import Iterator
from typing import Final

import httpx2
import pytest
from playwright.sync_api import Page, expect

from signalbox_devstack.emulators.portal.companies import companies
from signalbox_devstack.emulators.portal.solver import solve
from support.drivers.browser import Site, WatchedPage, browser_path
from support.drivers.console import (
    RUN_MS,
    asked,
    choose_pipeline,
    expect_status,
    faint_texts,
    nameless_controls,
    open_tab,
    sideways_overflow,
)
from support.servers.stack import running_stack

MST: Final = companies(1)[0]
PACE: Final = {f"SIGNALBOX_WORKER_PORTAL_{name}": "20" for name in ("QUERY_SPACING_MS", "EXPORT_SPACING_MS")}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The console, a portal that asks for quiet once."""
    browser_path()
    with running_stack(
        tmp_path_factory.mktemp("stack"), "--only", "gateway,receiver,worker,portal", environ=PACE
    ) as stack:
        endpoints = stack.endpoints
        busy = [{"kind": "rate_limit", "on": ["xml"], "after": 20, "times": 1, "retry_after_s": 5}]
        address = f"{str(endpoints.portal).removesuffix('/api')}/_sim/faults/{MST}"
        httpx2.put(address, json=busy, trust_env=False).raise_for_status()
        yield Site(
            origin=str(endpoints.gateway).rstrip("/"),
            api_key=endpoints.api_keys["admin"],
            product_page="",
            kill_gateway=lambda: stack.kill("gateway"),
        )


def read_picture(page: Page) -> str:
    """The text of the captcha, as a person would read it."""
    source = page.locator(".picture-question img").get_attribute("src") or ""
    return solve(base64.b64decode(source.removeprefix("data:image/svg+xml;base64,")).decode())


@pytest.mark.timeout(240)
def test_a_month_is_imported(signed_in: Page, watched: WatchedPage) -> None:
    page = signed_in
    choose_pipeline(page, "invoice_import")
    page.get_by_label("Tax code").fill(MST)
    page.get_by_label("Secret").fill(f"portal-{MST}")
    page.get_by_label("From", exact=True).fill("2026-08-01")
    page.get_by_label("To", exact=True).fill("2026-08-10")
    page.get_by_role("button", name="Start the run").click()

    panel = asked(page)
    expect(panel.get_by_role("img")).to_be_visible()
    picture = page.locator(".picture-question img").element_handle()
    page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=picture)
    expect(panel.locator("[data-until]")).to_contain_text("left")
    assert (faint_texts(page), nameless_controls(page)) == ([], [])
    watched.shot("import-captcha-light")
    page.emulate_media(color_scheme="dark")
    watched.shot("import-captcha-dark")
    panel.get_by_label("Characters in the picture").fill(read_picture(page))
    panel.get_by_role("button", name="Send decision").click()

    expect(page.get_by_role("region", name="Table of months")).to_contain_text("Purchases", timeout=RUN_MS)
    expect(page.locator(".line-message").filter(has_text="the portal is busy")).to_be_visible(timeout=RUN_MS)
    watched.shot("import-busy-dark")
    page.emulate_media(color_scheme="light")
    watched.shot("import-busy-light")
    expect_status(page, "Completed")
    expect(page.get_by_role("region", name="Purchases by tax rate")).to_contain_text("Not taxable (KCT)")
    expect(page.get_by_role("region", name="Table of months").get_by_role("row")).to_have_count(5)
    open_tab(page, "Files")
    expect(page.get_by_role("link", name="Download Every invoice")).to_be_visible()
    open_tab(page, "Overview")
    assert (faint_texts(page), nameless_controls(page)) == ([], [])
    watched.shot("import-done-light")
    page.emulate_media(color_scheme="dark")
    watched.shot("import-done-dark")
    page.set_viewport_size({"width": 360, "height": 740})
    assert sideways_overflow(page) <= 0
    watched.shot("import-done-360")
