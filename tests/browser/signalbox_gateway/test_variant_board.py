"""The board of variants: what is left is approved with one button, and nothing is sent by it."""

import pytest
from playwright.sync_api import Page, expect

from signalbox_core.pipeline.spec import json_schema
from signalbox_pipelines.ad_creative.contract import VariantDecisions
from support.drivers.console_api import ConsoleApi

SHOW = """async ([schema, variants]) => {
    const { VariantBoard } = await import("/console/js/approval/variants.js");
    const { variantAnswer } = await import("/console/js/forms/schema.js");
    const options = variants.map((variant) => ({ variant, headline: `Ad ${variant}`, pictures: [] }));
    const board = new VariantBoard("run-9", { options, evidence: null }, variantAnswer(schema));
    const send = Object.assign(document.createElement("button"), { type: "submit", textContent: "Send" });
    const form = document.createElement("form");
    form.append(board.element, board.tally, send);
    document.body.append(form);
    window.board = board;
}"""


@pytest.mark.usefixtures("gateway")
def test_the_variants_that_are_left_are_approved_together(modules: Page) -> None:
    modules.evaluate(SHOW, [json_schema(VariantDecisions), ["a", "b", "c"]])
    second = modules.get_by_role("article").nth(1)
    second.get_by_role("radio", name="Reject").check()
    second.get_by_label("Why?").fill("Too loud")
    rest = modules.get_by_role("button", name="Approve the rest")
    rest.click()

    expect(modules.get_by_role("status")).to_have_text("3 of 3 decided: 2 approve, 1 reject")
    expect(modules.get_by_role("button", name="Send")).to_be_focused()
    expect(rest).to_be_disabled()
    assert modules.evaluate("board.read().decisions.map(({ action }) => action)") == [
        "approve",
        "reject",
        "approve",
    ]


def test_a_single_variant_has_no_rest(modules: Page, gateway: ConsoleApi) -> None:
    modules.evaluate(SHOW, [json_schema(VariantDecisions), ["a"]])
    expect(modules.get_by_role("button", name="Approve the rest")).to_have_count(0)
