"""The views of the inbox: what waits for me, all that is pending, and what was decided last."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from signalbox_client import Signalbox
from support.drivers.browser import Site, WatchedPage
from support.drivers.console import RUN_MS, asked, faults_of, sign_in


def person(site: Site, role: str) -> Signalbox:
    return Signalbox(site.origin, site.api_keys[role])


@pytest.mark.timeout(300)
def test_a_claim_is_named_and_a_decision_moves_the_question_to_decided(
    signed_in: Page, watched: WatchedPage, site: Site, run_id: str, client: Signalbox
) -> None:
    page = signed_in
    page.goto(f"{site.origin}/#/inbox?view=mine")
    row = page.locator(f".question[href='#/inbox/{run_id}/variants?view=mine']")
    expect(row).to_be_visible(timeout=RUN_MS)
    expect(page).to_have_url(re.compile(r"#/inbox/.*\?view=mine$"))
    picture = row.locator("img.question-picture")
    expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("(image) => image.naturalWidth") > 0

    with person(site, "approver") as lan:
        name = lan.identity().name
        lan.claim(run_id, "variants")
        expect(row.locator(".question-who")).to_have_text(f"Waiting for {name}", timeout=RUN_MS)
        assert faults_of(page, watched, "inbox-mine") == []
        page.goto(f"{site.origin}/#/")
        state = page.locator(".run-line", has_text=run_id).locator(".run-state")
        expect(state).to_contain_text(re.compile(f"Waiting for {name}, .* left"), timeout=RUN_MS)

        page.goto(f"{site.origin}/#/inbox?view=decided")
        decided = page.locator(f".question[href='#/inbox/{run_id}/variants?view=decided']")
        expect(page.get_by_role("link", name="Decided")).to_have_attribute("aria-current", "true")
        expect(decided).to_have_count(0)
        approval = lan.approval(run_id, "variants")
        answer = {"decisions": [{"variant": "variant-1", "action": "approve"}]}
        lan.decide(run_id, "variants", answer, shown=approval)

    expect(decided.locator(".question-who")).to_have_text(f"Decided by {name}", timeout=RUN_MS)
    decided.click()
    expect(page.locator(".approval details[open]")).to_contain_text("1 approved")
    expect(page).to_have_url(f"{site.origin}/#/inbox/{run_id}/variants?view=decided")
    page.reload()
    expect(page.locator(".approval details[open]")).to_contain_text("1 approved")
    expect(decided).to_have_attribute("aria-current", "true")
    assert faults_of(page, watched, "inbox-decided") == []

    page.get_by_role("navigation", name="Views").get_by_role("link", name="All").click()
    expect(page.locator(f".question[href*='{run_id}']")).to_have_count(0)
    page.go_back()
    expect(decided).to_be_visible()


@pytest.mark.timeout(180)
def test_who_may_not_decide_has_nothing_of_their_own_and_sees_all(
    browser: Browser, site: Site, run_id: str
) -> None:
    with browser.new_context(viewport={"width": 1360, "height": 900}) as context:
        context.set_default_timeout(20_000)
        watched = WatchedPage(context)
        page = watched.page
        sign_in(page, site, site.api_keys["viewer"])
        page.goto(f"{site.origin}/#/inbox?view=mine")
        expect(page.locator(".empty")).to_contain_text("You need the role approver to decide.")
        page.get_by_role("navigation", name="Views").get_by_role("link", name="All").click()
        asked(page)
        expect(page).to_have_url(f"{site.origin}/#/inbox/{run_id}/variants")
        assert watched.unexpected() == []
