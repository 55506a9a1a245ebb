"""Decision links: reading never decides, one decision per link, and every other use is refused by name."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from msgspec.structs import replace as with_fields
from playwright.async_api import ConsoleMessage, Error, async_playwright, expect
from redis.asyncio import Redis
from starlette.applications import Starlette

from signalbox_core.process.followed_file import FollowedFile
from signalbox_gateway.app import Gateway, Parts
from signalbox_gateway.auth.decision_links import DecisionLink, LinkKeys
from support.drivers.api_calls import asked, ended, started
from support.drivers.browser import ARGUMENTS, browser_path
from support.fakes.link_keys import write_link_keys
from support.servers.gateway import PATIENCE, client_of
from support.servers.streams import http_server

PAGE = "/decide"
CURL = shutil.which("curl")
SCANNERS = (
    "Outlook-iOS/2.0",
    "Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; Trident/5.0; SafeLinks)",
    "BarracudaLinkProtect/1.0",
    "facebookexternalhit/1.1",
)


async def no_drain() -> None:
    """The pages and requests of these tests hold no stream open."""


@pytest.fixture
def keys(tmp_path: Path) -> FollowedFile[LinkKeys]:
    return write_link_keys(tmp_path / "link-keys")


@pytest.fixture
def app(parts: Parts, keys: FollowedFile[LinkKeys]) -> Starlette:
    return Gateway(replace(parts, link_keys=keys), deadline=PATIENCE).app()


@pytest.fixture
async def reader(app: Starlette) -> AsyncIterator[httpx2.AsyncClient]:
    """A client without credentials."""
    async with client_of(app, None) as client:
        yield client


@pytest.fixture
async def link(caller: httpx2.AsyncClient, worker: None) -> DecisionLink:
    """The link of a question that waits."""
    run_id = await started(caller, ask=True)
    await asked(caller, run_id)
    approval = (await caller.get(f"/v1/runs/{run_id}/approvals/word")).json()
    return DecisionLink(
        tenant="acme",
        run_id=run_id,
        approval_id="word",
        digest=approval["digest"],
        to="lan@acme.test",
        expires_at=datetime.now(UTC) + timedelta(days=1),
    )


async def decide(
    reader: httpx2.AsyncClient, token: str, word: str = "yes", note: str | None = None
) -> httpx2.Response:
    body = {"token": token, "answer": {"word": word}, "note": note}
    return await reader.post("/v1/links/decision", json=body)


async def test_two_hundred_reads_and_a_browser_change_nothing_and_one_post_decides(
    app: Starlette, caller: httpx2.AsyncClient, keys: FollowedFile[LinkKeys], link: DecisionLink
) -> None:
    token = keys.value.sign(link)
    async with (
        http_server(app, no_drain) as (_, origin),
        httpx2.AsyncClient(base_url=origin, trust_env=False, timeout=60) as scanner,
    ):
        # A scanner gets the address with its fragment, or puts it where it should not be.
        for number in range(100):
            place = (PAGE, f"{PAGE}?{token}", f"/v1/links/question?token={token}", "/v1/links/decision")[
                number // len(SCANNERS) % 4
            ]
            agent = {"user-agent": SCANNERS[number % len(SCANNERS)], "purpose": "prefetch"}
            for method in ("HEAD", "GET"):
                response = await scanner.request(method, place, headers=agent)
                assert response.status_code == (200 if place.startswith(PAGE) else 405)
        await look_with_curl(f"{origin}{PAGE}", token)
        await look_with_a_browser(f"{origin}{PAGE}#{token}")
        approval = (await caller.get(f"/v1/runs/{link.run_id}/approvals/word")).json()
        assert approval["status"] == "pending"

        first = await decide(scanner, token, note="by link")
        again = await decide(scanner, token)
        shown = await scanner.post("/v1/links/question", json={"token": token})
    assert first.status_code == 200, first.text
    assert (again.status_code, again.json()["code"]) == (409, "link_used")
    assert (shown.status_code, shown.json()["code"]) == (409, "link_used")
    await ended(caller, link.run_id)
    approval = (await caller.get(f"/v1/runs/{link.run_id}/approvals/word")).json()
    assert approval["decider"] == {
        "subject": "mailto:lan@acme.test",
        "kind": "human",
        "name": "lan@acme.test",
        "groups": [],
    }
    assert (approval["decided_by"], approval["note"]) == ("lan@acme.test", "by link")
    assert len(approval["decisions"]) == 1


async def look_with_curl(address: str, token: str) -> None:
    """HEAD and GET of the page with the program that people and scripts use, where it is installed."""
    if CURL is None:
        return
    options = (
        "--silent",
        "--show-error",
        "--noproxy",
        "*",
        "--max-time",
        "30",
        "--write-out",
        "\n%{http_code}",
    )
    for place in (f"{address}#{token}", f"{address}?{token}", f"{address}?{token}#{token}"):
        for method in (["--head"], []):
            process = await asyncio.create_subprocess_exec(
                CURL, *options, *method, place, stdout=asyncio.subprocess.PIPE
            )
            printed, _ = await process.communicate()
            content, _, status = printed.decode().rpartition("\n")
            assert (process.returncode, status) == (0, "200")
            assert ("<!doctype html>" in content) == (not method)


async def look_with_a_browser(address: str) -> None:
    """Open the page in a browser, narrow and wide, dark and light, without deciding."""
    faults: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        faults.append(message.text)

    def on_error(error: Error) -> None:
        faults.append(str(error))

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=browser_path(), args=list(ARGUMENTS))
        for width, scheme in ((390, "dark"), (1280, "light")):
            context = await browser.new_context(
                viewport={"width": width, "height": 800},
                color_scheme="dark" if scheme == "dark" else "light",
            )
            page = await context.new_page()
            page.on("console", on_console)
            page.on("pageerror", on_error)
            await page.goto(address)
            await expect(page.get_by_role("heading", name="Which word?")).to_be_visible(timeout=30_000)
            await expect(page.get_by_role("button", name="Send decision")).to_be_enabled(timeout=30_000)
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            await context.close()
        await browser.close()
    assert faults == []


async def test_a_person_decides_in_the_page(
    app: Starlette, caller: httpx2.AsyncClient, keys: FollowedFile[LinkKeys], link: DecisionLink
) -> None:
    token = keys.value.sign(link)
    async with http_server(app, no_drain) as (_, origin), async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=browser_path(), args=list(ARGUMENTS))
        page = await browser.new_page()
        page.set_default_timeout(30_000)
        await page.goto(f"{origin}{PAGE}#{token}")
        await page.get_by_label("Word").fill("taboo")
        await page.get_by_role("button", name="Send decision").click()
        # The pipeline refuses the answer: the page says why, and the link can still be used.
        await expect(page.get_by_text("is not among the words").first).to_be_visible(timeout=30_000)
        await page.get_by_label("Word").fill("yes")
        await page.get_by_role("button", name="Send decision").click()
        await expect(page.get_by_role("heading", name="Thank you")).to_be_visible(timeout=30_000)
        await page.reload()
        await expect(page.get_by_role("heading", name="This link was used")).to_be_visible(timeout=30_000)
        await browser.close()
    await ended(caller, link.run_id)
    assert (await caller.get(f"/v1/runs/{link.run_id}/result")).json() == {"text": "yes"}


async def test_of_concurrent_decisions_by_one_link_one_is_accepted(
    caller: httpx2.AsyncClient,
    reader: httpx2.AsyncClient,
    keys: FollowedFile[LinkKeys],
    link: DecisionLink,
) -> None:
    answers = await asyncio.gather(
        *(decide(reader, keys.value.sign(link), word) for word in ("a", "b", "c", "d"))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"link_used"}
    (accepted,) = [answer.json() for answer in answers if answer.status_code == 200]
    await ended(caller, link.run_id)
    assert (await caller.get(f"/v1/runs/{link.run_id}/result")).json() == {"text": accepted["answer"]["word"]}


async def test_a_link_decides_once_even_when_redis_has_lost_its_mark(
    caller: httpx2.AsyncClient,
    reader: httpx2.AsyncClient,
    parts: Parts,
    keys: FollowedFile[LinkKeys],
    link: DecisionLink,
) -> None:
    token = keys.value.sign(link)
    assert (await decide(reader, token, "first")).status_code == 200
    await forget(parts.redis, link)
    again = await decide(reader, token, "second")
    assert (again.status_code, again.json()["code"]) in {(409, "link_used"), (409, "decision_id_taken")}
    await ended(caller, link.run_id)
    assert (await caller.get(f"/v1/runs/{link.run_id}/result")).json() == {"text": "first"}


async def forget(redis: Redis, link: DecisionLink) -> None:
    assert await redis.delete(f"signalbox:link:{{{link.decision_id}}}") == 1


async def test_each_unusable_link_is_refused_by_name(
    caller: httpx2.AsyncClient,
    reader: httpx2.AsyncClient,
    keys: FollowedFile[LinkKeys],
    link: DecisionLink,
) -> None:
    mine = keys.value
    foreign = LinkKeys((b"f" * 32,))
    past = datetime.now(UTC) - timedelta(seconds=1)
    refused = {
        "changed": (mine.sign(link)[:-1] + "~", 403, "link_invalid"),
        "foreign key": (foreign.sign(link), 403, "link_invalid"),
        "expired": (mine.sign(with_fields(link, expires_at=past)), 409, "link_expired"),
        "stale": (mine.sign(with_fields(link, digest="0" * 64)), 409, "link_stale"),
        "other tenant": (mine.sign(with_fields(link, tenant="other")), 404, "unknown_approval"),
        "unknown question": (mine.sign(with_fields(link, approval_id="x")), 404, "unknown_approval"),
    }
    for what, (token, status, code) in refused.items():
        for response in (
            await reader.post("/v1/links/question", json={"token": token}),
            await decide(reader, token),
        ):
            assert (response.status_code, response.json()["code"]) == (status, code), what
    # Somebody else was faster.
    decision = await caller.post(
        f"/v1/runs/{link.run_id}/approvals/word/decision",
        json={"answer": {"word": "no"}, "digest": link.digest},
    )
    assert decision.status_code == 200
    await ended(caller, link.run_id)
    late = await decide(reader, mine.sign(link))
    assert (late.status_code, late.json()["code"]) == (409, "already_decided")


async def test_without_link_keys_no_link_is_valid(
    parts: Parts, keys: FollowedFile[LinkKeys], link: DecisionLink
) -> None:
    async with client_of(Gateway(parts).app(), None) as reader:
        response = await decide(reader, keys.value.sign(link))
    assert (response.status_code, response.json()["code"]) == (403, "link_invalid")


async def test_the_page_has_a_strict_policy_and_names_its_files(reader: httpx2.AsyncClient) -> None:
    page = await reader.get(PAGE)
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "<script>" not in page.text
    for file in ("console/js/link/page.js", "console/css/approval.css", "console/js/theme-early.js"):
        assert file in page.text
        assert (await reader.get(f"/{file}")).status_code == 200
