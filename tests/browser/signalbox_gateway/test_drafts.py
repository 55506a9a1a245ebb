"""What a person enters is kept: over a reload, a decision by someone else, and the end of the question."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from signalbox_client import Signalbox
from support.drivers.browser import Site, WatchedPage
from support.drivers.console import asked, cards, expect_status, faults_of, start_run

REASON = "name the region"
SHOW = """async (approvals) => {
    for (const id of ["toasts", "announcer", "alarm"]) {
        if (document.getElementById(id)) continue;
        document.body.append(Object.assign(document.createElement("div"), { id }));
    }
    const { ApprovalPanels } = await import("/console/js/approval/approval.js");
    if (!window.draftPanels) {
        window.draftPanels = new ApprovalPanels("run-9", { decided: () => {} });
        document.body.append(window.draftPanels.element);
    }
    window.draftPanels.update({ approvals });
}"""


def question(approval_id: str = "captcha-1", **changes: object) -> Mapping[str, object]:
    return {
        "approval_id": approval_id,
        "name": "captcha",
        "title": "What does the picture say?",
        "status": "pending",
        "digest": f"digest-{approval_id}",
        "answer_schema": {
            "type": "object",
            "required": ["text"],
            "properties": {
                "text": {"type": "string", "title": "Text"},
                "password": {"type": "string", "format": "password", "title": "Password"},
            },
        },
        "options": None,
        "evidence": None,
        "requested_at": "2026-03-01T09:30:00Z",
        "deadline_at": None,
        "step": "ask",
        "decided_by": None,
        "decided_at": None,
        "decision_id": None,
        "answer": None,
        "note": None,
        **changes,
    }


@pytest.fixture
def panels(modules: Page) -> Page:
    modules.evaluate(
        "() => { window.draftPanels?.close(); document.body.replaceChildren(); delete window.draftPanels;"
        " localStorage.clear(); }"
    )
    return modules


def show(page: Page, *approvals: Mapping[str, object]) -> None:
    page.evaluate(SHOW, list(approvals))


def saved(page: Page) -> str:
    page.wait_for_function(
        "() => Object.keys(localStorage).some((key) => key.startsWith('signalbox.draft/'))"
    )
    return str(page.evaluate("JSON.stringify({ ...localStorage })"))


def forget_panels(page: Page) -> None:
    """What a reload does to the page: only localStorage remains."""
    page.evaluate(
        "() => { window.draftPanels.close(); document.body.replaceChildren(); delete window.draftPanels; }"
    )


def test_a_reload_keeps_the_draft_and_never_a_secret(panels: Page) -> None:
    show(panels, question())
    panels.get_by_label("Text").fill("abc")
    panels.get_by_label("Password").fill("hunter2")
    assert "hunter2" not in saved(panels)
    forget_panels(panels)

    show(panels, question())
    expect(panels.get_by_label("Text")).to_have_value("abc")
    expect(panels.get_by_label("Password")).to_have_value("")
    expect(panels.get_by_text("Your draft was restored. It has not been sent.")).to_be_visible()


def test_a_draft_is_not_shown_under_another_digest(panels: Page) -> None:
    show(panels, question())
    panels.get_by_label("Text").fill("abc")
    saved(panels)
    forget_panels(panels)
    show(panels, question(digest="changed"))
    expect(panels.get_by_label("Text")).to_have_value("")


def test_an_expired_question_keeps_text_and_focus_while_the_next_one_appears(panels: Page) -> None:
    show(panels, question())
    field = panels.get_by_label("Text")
    field.press_sequentially("half a wo")
    show(panels, question(status="expired"), question("captcha-2"))

    old = panels.locator("[data-approval='captcha-1']")
    expect(old.get_by_role("alert")).to_contain_text("This question expired without a decision.")
    expect(old.get_by_label("Text")).to_be_focused()
    expect(old.get_by_label("Text")).to_have_value("half a wo")
    expect(old.get_by_role("button", name="Send decision")).to_be_hidden()
    expect(panels.locator("[data-approval='captcha-2']").get_by_label("Text")).to_have_value("")

    old.get_by_role("button", name="Discard my draft").click()
    expect(old.get_by_label("Text")).to_have_count(0)
    expect(old).to_contain_text("Expired")
    panels.wait_for_function("() => !Object.keys(localStorage).some((key) => key.includes('captcha-1'))")


def test_a_changed_question_is_asked_anew_above_the_kept_draft(panels: Page) -> None:
    show(panels, question())
    panels.get_by_label("Text").fill("abc")
    show(panels, question(digest="changed"))
    fields = panels.get_by_label("Text")
    expect(fields).to_have_count(2)
    expect(fields.first).to_have_value("")
    expect(fields.nth(1)).to_have_value("abc")
    expect(panels.get_by_role("alert")).to_contain_text("This question has changed since you began.")


def test_an_untouched_question_closes_without_a_banner(panels: Page) -> None:
    show(panels, question())
    show(panels, question(status="expired"))
    expect(panels.get_by_role("alert")).to_have_count(0)
    expect(panels.locator("[data-approval='captcha-1'] summary")).to_contain_text("Expired")


def test_the_deadline_is_announced_beside_the_button(panels: Page) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=40)
    show(panels, question(deadline_at=soon.isoformat()))
    bar = panels.locator(".send-bar")
    expect(bar.get_by_role("status")).to_have_text("Less than a minute left to decide.")
    expect(bar.locator("time")).to_contain_text("s left")
    forget_panels(panels)
    past = datetime.now(UTC) - timedelta(seconds=1)
    show(panels, question(deadline_at=past.isoformat()))
    expect(bar.get_by_role("status")).to_have_text("The deadline has passed; this decision may be refused.")


def test_the_second_approver_keeps_every_choice_and_reads_who_decided(
    signed_in: Page, site: Site, watched: WatchedPage
) -> None:
    page = signed_in
    start_run(page, site.product_page, variants=1)
    card = cards(asked(page)).first
    card.get_by_role("radio", name="Reject").check()
    card.get_by_label("Why?").fill(REASON)
    saved(page)
    page.reload()
    card = cards(asked(page)).first
    expect(card.get_by_role("radio", name="Reject")).to_be_checked()
    expect(card.get_by_label("Why?")).to_have_value(REASON)

    run_id = page.locator(".crumbs code").inner_text()
    with Signalbox(site.origin, site.api_key) as other:
        approval = other.approval(run_id, "variants")
        variant = card.get_attribute("data-variant")
        other.decide(
            run_id,
            "variants",
            {"decisions": [{"variant": variant, "action": "approve"}]},
            digest=approval.digest,
        )

    panel = page.locator(".approval.superseded")
    expect(panel.get_by_role("alert")).to_contain_text("decided this at")
    expect(panel.get_by_role("alert")).to_contain_text("1 approved")
    expect(panel.get_by_role("radio", name="Reject")).to_be_checked()
    expect(panel.get_by_label("Why?")).to_have_value(REASON)
    expect_status(page, "Completed")
    assert faults_of(page, watched, "superseded") == []
    page.reload()
    expect(page.locator(".approval.superseded").get_by_label("Why?")).to_have_value(REASON)
    page.get_by_role("button", name="Discard my draft").click()
    expect(page.locator(".approval.superseded")).to_have_count(0)
    page.reload()
    expect(page.locator(".approval summary")).to_contain_text("1 approved")


def test_signing_out_removes_the_drafts(signed_in: Page, site: Site) -> None:
    page = signed_in
    page.evaluate(
        "localStorage.setItem('signalbox.draft/a/b/c', JSON.stringify({ saved_at: Date.now(), draft: {} }))"
    )
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("API key")).to_be_focused()
    assert (
        page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('signalbox.draft/'))") == []
    )
