"""What a person sees of an invoice import: the captcha as a picture that can do nothing, the months, the
totals, what failed."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Page, expect

from signalbox_core.pipeline.spec import json_schema
from signalbox_pipelines.invoice_import.auth.questions import CaptchaAnswer, CaptchaEvidence
from signalbox_pipelines.invoice_import.results import (
    DirectionTotal,
    ImportResult,
    ImportTable,
    ItemFailure,
    Mismatch,
    MonthLine,
    RateTotal,
)
from support.drivers.console import faint_texts, sideways_overflow

DOT = (
    "data:image/svg+xml;base64,"
    "PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIHdpZHRoPSIyMDAiIGhlaWdodD0iNDAiLz4="
)
MONTHS = (
    MonthLine(
        month="2026-07",
        direction="purchase",
        family="ordinary",
        rows=412,
        details=412,
        xml=400,
        no_original=12,
    ),
    MonthLine(month="2026-07", direction="sold", family="cash_register", note="no cash registers"),
    MonthLine(
        month="2026-08",
        direction="purchase",
        family="ordinary",
        rows=412,
        details=150,
        xml=103,
        failed=2,
        mismatches=1,
    ),
    MonthLine(month="2026-08", direction="sold", family="ordinary"),
)
RESULT = ImportResult(
    **{
        "tax_code": "9901000019",
        "first_day": date(2026, 7, 1),
        "last_day": date(2026, 8, 31),
        "status": "partial",
    },
    **{
        "rows": 824,
        "missing": 0,
        "details": 562,
        "xml": 503,
        "no_original": 12,
        "failed": 2,
        "mismatches": 1,
        "sign_ins": 2,
    },
    months=MONTHS,
    totals=(
        DirectionTotal(
            **{"direction": "purchase", "currency": "VND", "counted": 790, "excluded": 34},
            **{
                "net": Decimal("8374758965"),
                "tax": Decimal("526184818"),
                "gross": Decimal("12345678901234567890"),
            },
        ),
    ),
    rates=(
        RateTotal(
            direction="purchase",
            rate="8%",
            currency="VND",
            invoices=401,
            net=Decimal("1784355609"),
            tax=Decimal("142748452"),
        ),
        RateTotal(
            direction="purchase", rate="KCT", currency="VND", invoices=99, net=Decimal(-5), tax=Decimal(0)
        ),
    ),
    first_failed=(
        ItemFailure(
            **{
                "key": "9950000149-1-C26TSM-7",
                "month": "2026-08",
                "direction": "purchase",
                "family": "ordinary",
                "part": "xml",
            },
            **{"code": "bad_original", "message": "the export is a damaged ZIP (BadZipFile)"},
        ),
    ),
    first_mismatches=(
        Mismatch(
            **{
                "key": "9950000149-1-C26TSM-8",
                "month": "2026-08",
                "direction": "purchase",
                "family": "ordinary",
            },
            **{"field": "gross", "listed": "1100000", "original": "1101000"},
        ),
    ),
)


@pytest.fixture
def page(modules: Page) -> Iterator[Page]:
    """The console's styles, and nothing on the page."""
    sheets = ("tokens", "base", "layout", "controls", "run", "approval", "import")
    modules.evaluate(
        """async (sheets) => {
            document.body.className = "";
            document.body.replaceChildren();
            for (const id of ["toasts", "announcer", "alarm"])
                document.body.append(Object.assign(document.createElement("div"), { id }));
            document.head.replaceChildren();
            for (const name of sheets) {
                const href = `/console/css/${name}.css`;
                const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href });
                await new Promise((loaded) => { link.onload = loaded; document.head.append(link); });
            }
        }""",
        sheets,
    )
    yield modules
    modules.set_viewport_size({"width": 1280, "height": 720})


def ask(page: Page, **changed: Any) -> None:
    evidence = CaptchaEvidence(
        **{
            "tax_code": "9901000019",
            "picture": DOT,
            "alt": "Six letters and digits",
            "tries_left": 3,
            "why": "The session ended.",
        },
        expires_at=datetime.now(UTC) + timedelta(seconds=200),
    )
    approval = {
        **{
            "approval_id": "captcha",
            "name": "captcha",
            "title": "Type the characters",
            "status": "pending",
            "digest": "d",
            "options": None,
        },
        **{
            "answer_schema": json_schema(CaptchaAnswer),
            "evidence": {**msgspec.to_builtins(evidence), **changed},
            "deadline_at": None,
        },
    }
    page.evaluate(
        """async (approval) => {
            const { ApprovalPanels } = await import("/console/js/approval/approval.js");
            const panels = new ApprovalPanels("run-1", { decided: () => {} });
            document.body.append(panels.element);
            panels.update({ approvals: [approval] });
        }""",
        approval,
    )


def show_result(page: Page) -> None:
    page.evaluate(
        """async (result) => {
            const { resultView } = await import("/console/js/run/result.js");
            const { ImportMonths } = await import("/console/js/run/import-view.js");
            const months = new ImportMonths("run-1");
            months.update({ artifacts: [], result });
            document.body.append(resultView("run-1", result), months.element);
        }""",
        msgspec.to_builtins(RESULT),
    )


def test_the_captcha_is_a_picture_with_its_reason_and_its_time(page: Page) -> None:
    ask(page)
    expect(page.get_by_role("img", name="Six letters and digits")).to_have_attribute("src", DOT)
    expect(page.get_by_text("The session ended.")).to_be_visible()
    expect(page.get_by_text("3 tries left")).to_be_visible()
    expect(page.locator("[data-until]")).to_contain_text("left")
    page.get_by_label("Characters in the picture").fill("ab")
    page.get_by_role("button", name="Send decision").click()
    expect(page.get_by_text("Enter at least 4 characters.").first).to_be_visible()


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param("https://evil.example/x.svg", id="another host"),
        pytest.param("javascript:alert(1)", id="a script"),
        pytest.param("data:text/html;base64,PHNjcmlwdD4=", id="a page"),
        pytest.param('data:image/svg+xml;utf8,<svg onload="alert(1)">', id="not base64"),
    ],
)
def test_anything_else_is_shown_as_text_and_never_loaded(page: Page, picture: str) -> None:
    ask(page, picture=picture)
    expect(page.get_by_text(picture)).to_be_visible()
    expect(page.locator("img")).to_have_count(0)


def test_a_script_in_the_picture_does_nothing(page: Page) -> None:
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" onload="top.hit=1"><script>top.hit=1</script></svg>'
    bad = base64.b64encode(svg).decode()
    ask(page, picture=f"data:image/svg+xml;base64,{bad}")
    page.wait_for_function("document.querySelector('.picture-question img').complete")
    assert page.evaluate("window.hit === undefined")


def test_months_totals_and_reasons_are_readable_tables(page: Page) -> None:
    show_result(page)
    months = page.get_by_role("region", name="Table of months").get_by_role("row")
    expect(months.nth(1)).to_contain_text("July 2026")
    expect(months.nth(1)).to_contain_text("400")
    expect(months.nth(2)).to_contain_text("no cash registers")
    expect(months.nth(3)).to_contain_text("150 / 412")
    expect(months.nth(4)).to_contain_text("not listed yet")
    totals = page.get_by_role("region", name="Purchases by tax rate").get_by_role("row")
    expect(totals.nth(1)).to_contain_text("1\u202f784\u202f355\u202f609")
    expect(totals.nth(2)).to_contain_text("\u22125")
    expect(totals.nth(3)).to_contain_text("8\u202f374\u202f758\u202f965")
    expect(page.get_by_text("12\u202f345\u202f678\u202f901\u202f234\u202f567\u202f890 VND")).to_be_visible()
    expect(page.get_by_text("the export is a damaged ZIP")).to_be_visible()
    expect(page.get_by_text("1 more are in failed.csv.")).to_be_visible()
    expect(page.get_by_role("region", name="Differences between list and original")).to_contain_text(
        "1\u202f101\u202f000"
    )


def test_the_months_are_reloaded_after_the_run_rewrites_them(page: Page) -> None:
    served: list[str] = []
    tables = [ImportTable(tax_code="9901000019", months=MONTHS[:count]) for count in (1, 3)]

    def give(route: object) -> None:
        body = msgspec.json.encode(tables[len(served)]).decode()
        served.append(body)
        route.fulfill(body=body, content_type="application/json")  # type: ignore[attr-defined]

    page.route("http://console.test/v1/runs/run-1/artifacts/table.json", give)
    update = """async (key) => {
        const { ImportMonths } = await import("/console/js/run/import-view.js");
        if (!window.months) document.body.append((window.months = new ImportMonths("run-1")).element);
        window.months.update({ result: null, artifacts: [{ name: "table.json", key, size_bytes: 1 }] });
    }"""
    rows = page.get_by_role("region", name="Table of months").get_by_role("row")
    page.evaluate(update, "one")
    expect(rows).to_have_count(2)
    page.evaluate(update, "one")
    page.evaluate(update, "two")
    expect(rows).to_have_count(4)
    assert [len(json.loads(body)["months"]) for body in served] == [1, 3]
    page.unroute("http://console.test/v1/runs/run-1/artifacts/table.json")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_legible_and_fits_a_small_telephone(page: Page, theme: str) -> None:
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": 360, "height": 740})
    page.evaluate("document.body.className = 'run-main'")
    ask(page)
    show_result(page)
    assert faint_texts(page) == []
    assert sideways_overflow(page) <= 0
