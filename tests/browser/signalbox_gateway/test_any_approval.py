"""Approvals of pipelines without a view of their own: a form from the schema of the answer."""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

import pytest
from msgspec import Meta, Struct
from playwright.sync_api import Page, Request, Route, expect

from signalbox_core.pipeline.spec import json_schema

DECISION = "http://console.test/v1/runs/run-1/approvals/budget/decision"


class Budget(Struct, frozen=True, kw_only=True):
    verdict: Annotated[Literal["grant", "refuse"], Meta(title="Verdict")]
    amount: Annotated[int, Meta(title="Amount", ge=0, le=500)] = 100
    note: Annotated[str, Meta(title="Note")] | None = None


APPROVAL: Mapping[str, object] = {
    **{
        "approval_id": "budget",
        "name": "budget",
        "title": "How much may it cost?",
        "status": "pending",
        "digest": "sha-1",
    },
    **{
        "answer_schema": json_schema(Budget),
        "options": None,
        "evidence": {"supplier": "<i>Hạt Vàng</i>", "colour": "#1f4a3a"},
    },
    **{"requested_at": "2026-03-01T09:30:00Z", "deadline_at": None, "step": "ask"},
}


class Gateway:
    """Replaces the gateway: records requests and returns what the test sets."""

    def __init__(self) -> None:
        self.sent: list[Mapping[str, object]] = []
        self.status, self.answer = 200, dict[str, object]()

    def __call__(self, route: Route, request: Request) -> None:
        self.sent.append(json.loads(request.post_data or "{}"))
        route.fulfill(status=self.status, body=json.dumps(self.answer), content_type="application/json")


@pytest.fixture
def gateway(modules: Page) -> Iterator[Gateway]:
    gateway = Gateway()
    modules.route(DECISION, gateway)
    modules.evaluate(
        """async (approval) => {
            localStorage.clear();
            document.body.replaceChildren();
            for (const id of ["toasts", "announcer", "alarm"])
                document.body.append(Object.assign(document.createElement("div"), { id }));
            const { ApprovalPanels } = await import("/console/js/approval/approval.js");
            window.told = 0;
            window.panels = new ApprovalPanels("run-1", { decided: () => { window.told += 1; } });
            document.body.append(window.panels.element);
            window.panels.update({ approvals: [approval] });
        }""",
        APPROVAL,
    )
    yield gateway
    modules.unroute(DECISION)


def test_the_answer_is_sent_with_the_digest_of_what_was_shown(modules: Page, gateway: Gateway) -> None:
    expect(modules.get_by_text("<i>Hạt Vàng</i>")).to_be_visible()
    modules.get_by_role("radio", name="Grant").check()
    modules.get_by_label("Amount").fill("250")
    modules.get_by_role("button", name="Send decision").click()
    modules.wait_for_function("window.told === 1")
    (sent,) = gateway.sent
    assert sent["answer"] == {"verdict": "grant", "amount": 250}
    assert sent["digest"] == "sha-1"
    assert sent["decision_id"]


def test_a_resend_after_a_lost_response_is_the_same_decision(modules: Page, gateway: Gateway) -> None:
    modules.get_by_role("radio", name="Grant").check()
    gateway.status, gateway.answer = (
        503,
        {"detail": "Temporal does not answer; try again", "code": "unavailable"},
    )
    modules.get_by_role("button", name="Send decision").click()
    expect(modules.get_by_text("Temporal does not answer; try again")).to_be_visible()
    gateway.status, gateway.answer = 200, {}
    modules.get_by_role("button", name="Send decision").click()
    modules.wait_for_function("window.told === 1")
    assert gateway.sent[0]["decision_id"] == gateway.sent[1]["decision_id"]


def test_an_invalid_answer_is_explained_at_its_field_and_stays_open(modules: Page, gateway: Gateway) -> None:
    modules.get_by_role("radio", name="Grant").check()
    gateway.status = 422
    gateway.answer = {
        "code": "invalid_answer",
        "detail": "no",
        "errors": [{"field": "answer.amount", "detail": "must be at most 200 today"}],
    }
    modules.get_by_role("button", name="Send decision").click()
    expect(modules.get_by_label("Amount")).to_be_focused()
    expect(modules.locator(".field", has=modules.get_by_label("Amount"))).to_contain_text(
        "Must be at most 200 today"
    )


def test_a_decision_by_another_person_is_named(modules: Page, gateway: Gateway) -> None:
    modules.get_by_role("radio", name="Refuse").check()
    gateway.status = 409
    gateway.answer = {"code": "already_decided", "detail": "Lan decided this at 09:14; nothing to do"}
    modules.get_by_role("button", name="Send decision").click()
    expect(modules.get_by_role("alert").first).to_be_attached()
    expect(modules.get_by_text("Lan decided this at 09:14; nothing to do")).to_be_visible()
    modules.wait_for_function("window.told === 1")


def test_a_decision_without_a_worker_is_shown_as_recorded(modules: Page, gateway: Gateway) -> None:
    modules.get_by_role("radio", name="Grant").check()
    gateway.status = 202
    modules.get_by_role("button", name="Send decision").click()
    expect(
        modules.get_by_text("Decision recorded. The run continues as soon as a worker is available.").first
    ).to_be_visible()


def test_a_choice_of_few_values_is_made_with_buttons_by_keyboard(modules: Page, gateway: Gateway) -> None:
    group = modules.get_by_role("radiogroup", name="Verdict")
    expect(group.get_by_role("radio")).to_have_count(2)
    modules.get_by_role("button", name="Send decision").click()
    expect(group).to_contain_text("Choose one.")
    expect(group.get_by_role("radio", name="Grant")).to_be_focused()

    assert modules.evaluate("window.panels.open.body.onKey('2')") is True
    expect(group.get_by_role("radio", name="Refuse")).to_be_focused()
    expect(group).not_to_contain_text("Choose one.")
    modules.keyboard.press("ArrowUp")
    expect(group.get_by_role("radio", name="Grant")).to_be_checked()
    assert modules.evaluate("['3', 'x', 'r'].map((key) => window.panels.open.body.onKey(key))") == [
        False,
        False,
        True,
    ]
    modules.keyboard.press("Control+Enter")
    modules.wait_for_function("window.told === 1")
    assert gateway.sent[0]["answer"] == {"verdict": "refuse", "amount": 100}


def test_a_chosen_button_is_part_of_the_draft(modules: Page, gateway: Gateway) -> None:
    modules.get_by_role("radio", name="Refuse").check()
    shown = modules.evaluate(
        """async (approval) => {
            window.panels.close();
            const { ApprovalPanels } = await import("/console/js/approval/approval.js");
            window.panels.element.remove();
            window.panels = new ApprovalPanels("run-1", { decided: () => {} });
            document.body.append(window.panels.element);
            window.panels.update({ approvals: [approval] });
            return document.body.innerText;
        }""",
        APPROVAL,
    )
    assert "Your draft was restored" in shown
    expect(modules.get_by_role("radio", name="Refuse")).to_be_checked()
    assert gateway.sent == []


def test_several_choices_and_many_values_stay_lists(modules: Page, gateway: Gateway) -> None:
    found = modules.evaluate(
        """async () => {
            const { soleChoice } = await import("/console/js/forms/choice-buttons.js");
            const values = (count) => ({ enum: Array.from({ length: count }, (_, index) => `v${index}`) });
            const of = (properties, required = Object.keys(properties)) => {
                const schema = { type: "object", properties, required };
                return soleChoice(schema, schema);
            };
            return [
                of({ one: values(6) }), of({ one: values(7) }), of({ one: values(1) }),
                of({ one: values(3) }, []),
                of({ one: values(3), two: values(3) }), of({ one: values(3), text: { type: "string" } }),
                of({ one: { anyOf: [values(3), { type: "null" }] } }),
            ];
        }"""
    )
    assert found == ["one", None, None, None, None, "one", None]
    assert gateway.sent == []


def test_events_leave_what_was_typed_alone(modules: Page, gateway: Gateway) -> None:
    modules.get_by_label("Note").fill("half a sen")
    modules.evaluate("approval => window.panels.update({ approvals: [{ ...approval }] })", APPROVAL)
    expect(modules.get_by_label("Note")).to_be_focused()
    expect(modules.get_by_label("Note")).to_have_value("half a sen")
    assert gateway.sent == []
