"""The page of a decision link shows all that the digest covers, and sends nothing if it shows otherwise."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import httpx2
import msgspec
import pytest
from playwright.async_api import Browser, Page, Route, async_playwright, expect
from starlette.applications import Starlette

from signalbox_core.process.followed_file import FollowedFile
from signalbox_gateway.app import Gateway, Parts
from signalbox_gateway.auth.decision_links import DecisionLink, LinkKeys
from support.drivers.api_calls import asked, ended, started
from support.drivers.axe import violations_of
from support.drivers.browser import ARGUMENTS, browser_path
from support.fakes.link_keys import write_link_keys
from support.servers.gateway import PATIENCE
from support.servers.streams import http_server

POLICY = {"quorum": [{"needed": 1, "group": "partners"}], "veto": ["legal"]}
RULE = "1 of partners must agree; an objection of legal ends the question."
ABOUT = "The slogan of the spring campaign"
COVERED = {"title", "answer_schema", "options", "evidence", "about", "policy", "proposal"}


async def no_drain() -> None:
    """The pages of these tests hold no stream open."""


@pytest.fixture
def keys(tmp_path: Path) -> FollowedFile[LinkKeys]:
    return write_link_keys(tmp_path / "link-keys")


@pytest.fixture
async def origin(parts: Parts, keys: FollowedFile[LinkKeys]) -> AsyncIterator[str]:
    app: Starlette = Gateway(replace(parts, link_keys=keys), deadline=PATIENCE).app()
    async with http_server(app, no_drain) as (_, origin):
        yield origin


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=browser_path(), args=list(ARGUMENTS))
        yield browser
        await browser.close()


@pytest.fixture
async def link(caller: httpx2.AsyncClient, worker: None) -> DecisionLink:
    """The link of a question with all members, whose recipient is one of the partners."""
    run_id = await started(caller, ask=True, number=7, about=ABOUT, proposal="spring", policy=POLICY)
    await asked(caller, run_id)
    approval = (await caller.get(f"/v1/runs/{run_id}/approvals/word")).json()
    return DecisionLink(
        tenant="acme",
        run_id=run_id,
        approval_id="word",
        digest=approval["digest"],
        to="lan@acme.test",
        groups=("partners",),
        expires_at=datetime.now(UTC) + timedelta(days=1),
    )


async def test_a_link_gives_all_that_the_digest_covers(
    origin: str, caller: httpx2.AsyncClient, keys: FollowedFile[LinkKeys], link: DecisionLink
) -> None:
    async with httpx2.AsyncClient(base_url=origin, trust_env=False) as reader:
        shown = await reader.post("/v1/links/question", json={"token": keys.value.sign(link)})
    approval = (await caller.get(f"/v1/runs/{link.run_id}/approvals/word")).json()

    members = {*COVERED, "digest", "asked_policy"}
    assert {name: shown.json()[name] for name in members} == {name: approval[name] for name in members}
    assert (shown.json()["about"], shown.json()["proposal"]) == (ABOUT, {"word": "spring"})


async def open_page(
    browser: Browser, address: str, *, width: int = 1280, scheme: Literal["dark", "light"] = "light"
) -> Page:
    context = await browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = await context.new_page()
    page.set_default_timeout(30_000)
    await page.goto(address)
    await expect(page.get_by_role("heading", name="Which word?")).to_be_visible(timeout=30_000)
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
async def test_the_page_shows_the_whole_question(
    origin: str,
    browser: Browser,
    keys: FollowedFile[LinkKeys],
    link: DecisionLink,
    width: int,
    scheme: Literal["dark", "light"],
) -> None:
    page = await open_page(browser, f"{origin}/decide#{keys.value.sign(link)}", width=width, scheme=scheme)
    for text in (ABOUT, RULE, "Proposal", "spring", "Evidence"):
        await expect(page.get_by_text(text, exact=True)).to_be_visible()
    await expect(page.get_by_label("Word")).to_have_value("spring")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await violations_of(page) == []


async def test_a_proposal_is_edited_and_recorded_as_modified(
    origin: str,
    browser: Browser,
    caller: httpx2.AsyncClient,
    keys: FollowedFile[LinkKeys],
    link: DecisionLink,
) -> None:
    page = await open_page(browser, f"{origin}/decide#{keys.value.sign(link)}")
    await page.get_by_label("Word").fill("summer")
    await page.get_by_role("button", name="Send decision").click()
    await expect(page.get_by_role("heading", name="Thank you")).to_be_visible(timeout=30_000)

    await ended(caller, link.run_id)
    approval = (await caller.get(f"/v1/runs/{link.run_id}/approvals/word")).json()
    assert (approval["outcome"], approval["modified"]) == ("modified", ["/word"])


@pytest.mark.parametrize("member", ["about", "proposal", "options", "policy"])
async def test_nothing_is_sent_when_another_question_is_shown(
    origin: str, browser: Browser, keys: FollowedFile[LinkKeys], link: DecisionLink, member: str
) -> None:
    sent: list[str] = []

    async def change(route: Route) -> None:
        """Change the question on its way, as a faulty proxy or cache would."""
        response = await route.fetch()
        question = msgspec.json.decode(await response.body())
        changed = {"policy": {"role": "approver", "needed": 1}, "proposal": {"word": "autumn"}}
        question[member] = changed.get(member, "something else")
        await route.fulfill(response=response, body=msgspec.json.encode(question))

    page = await browser.new_page()
    page.on("request", lambda request: sent.append(request.url))
    await page.route("**/v1/links/question", change)
    await page.goto(f"{origin}/decide#{keys.value.sign(link)}")
    await page.get_by_label("Word").fill("spring", timeout=30_000)
    await page.get_by_role("button", name="Send decision").click()

    await expect(page.get_by_text("so nothing was sent")).to_be_visible(timeout=30_000)
    assert f"{origin}/v1/links/decision" not in sent


async def test_the_default_policy_is_not_explained(
    origin: str, browser: Browser, caller: httpx2.AsyncClient, keys: FollowedFile[LinkKeys], worker: None
) -> None:
    run_id = await started(caller, ask=True)
    await asked(caller, run_id)
    approval = (await caller.get(f"/v1/runs/{run_id}/approvals/word")).json()
    link = DecisionLink(
        tenant="acme",
        run_id=run_id,
        approval_id="word",
        digest=approval["digest"],
        to="lan@acme.test",
        expires_at=datetime.now(UTC) + timedelta(days=1),
    )
    page = await open_page(browser, f"{origin}/decide#{keys.value.sign(link)}")

    await expect(page.get_by_text("must agree")).to_have_count(0)
    await expect(page.get_by_text("Proposal", exact=True)).to_have_count(0)
    await expect(page.get_by_label("Word")).to_have_value("")
