"""invoice_import: captchas, sign-in responses, and the files of the report."""

import base64
import io
from random import Random

import msgspec
import pytest
from PIL import Image

from signalbox_core.errors import InvalidInput, SignalboxError
from signalbox_core.process.cpu_pool import small_pool
from signalbox_core.testing.objects import FakeObjectStore
from signalbox_devstack.emulators.portal.captcha import picture
from signalbox_devstack.emulators.portal.solver import solve
from signalbox_pipelines.invoice_import.auth.questions import CaptchaAnswer, check_captcha
from signalbox_pipelines.invoice_import.contract import ImportInput
from signalbox_pipelines.invoice_import.messages import (
    ImportAccount,
    ImportPart,
    ImportReportRequest,
    PartFiles,
    PartRecord,
)
from signalbox_pipelines.invoice_import.portal.captcha import data_uri, load_solver, redraw
from signalbox_pipelines.invoice_import.portal.faults import PortalResponse, UnexpectedResponse
from signalbox_pipelines.invoice_import.portal.login import parse_login, parse_session
from signalbox_pipelines.invoice_import.report.months_chart import draw_months_chart
from signalbox_pipelines.invoice_import.report.reporter import ImportReporter
from signalbox_pipelines.invoice_import.results import MonthLine
from support.fakes.invoices import AT, a_row


def test_a_redrawn_captcha_is_equally_readable_and_smaller() -> None:
    drawn = picture("HK7M2Z", Random(7))
    again = redraw(drawn)

    assert solve(again) == "HK7M2Z"
    assert len(again) < len(drawn)


@pytest.mark.parametrize(
    "extra",
    [
        "<script>alert(1)</script>",
        '<image href="https://example.com/x"/>',
        '<path d="M0 0" onload="alert(1)" fill="#111"/>',
        '<path d="M0 0" style="background:url(https://example.com)" fill="url(#x)"/>',
        '<path d="M0 0&quot;/><script>" fill="#111"/>',
        "<foreignObject><body/></foreignObject>",
    ],
)
def test_redrawing_keeps_nothing_but_outlines(extra: str) -> None:
    again = redraw(picture("HK7M2Z", Random(7)).replace("</svg>", f"{extra}</svg>"))

    for word in ("script", "onload", "http://e", "https", "style", "url", "foreign", "&", "image"):
        assert word not in again


@pytest.mark.parametrize("svg", ["", "<svg/>", "<html>", '<path fill="#111"/>'])
def test_a_captcha_without_outlines_is_an_unexpected_response(svg: str) -> None:
    with pytest.raises(UnexpectedResponse):
        redraw(svg)


def test_a_captcha_is_encoded_as_a_data_uri() -> None:
    address = data_uri("<svg/>")

    assert base64.b64decode(address.removeprefix("data:image/svg+xml;base64,")) == b"<svg/>"


async def test_a_person_reads_the_captcha_unless_a_solver_is_configured() -> None:
    assert await load_solver(None).solve("<svg/>") is None
    assert (
        await load_solver("signalbox_devstack.emulators.portal.solver:solve").solve(
            picture("HK7M2Z", Random(7))
        )
        == "HK7M2Z"
    )
    with pytest.raises(InvalidInput, match="CAPTCHA_SOLVER"):
        load_solver("no.such.module:solve")


@pytest.mark.parametrize("text", ["ABC12", "ABC1234", "ABC 12", "ÀBC123", "ABC-12"])
def test_an_obvious_typing_error_is_rejected(text: str) -> None:
    check_captcha(CaptchaAnswer(text=" abc123 "))
    with pytest.raises(InvalidInput):
        check_captcha(CaptchaAnswer(text=text))


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        pytest.param(401, '{"message":"Mã captcha không đúng."}', "wrong_captcha", id="captcha"),
        pytest.param(200, '{"message":"Mã captcha không đúng."}', "wrong_captcha", id="captcha, older"),
        pytest.param(
            200,
            '{"token":null,"error_description":"Tên đăng nhập hoặc mật khẩu không đúng"}',
            "wrong_password",
            id="password",
        ),
        pytest.param(
            401, '{"message":"Tài khoản đã bị khóa do nhập sai mật khẩu"}', "account_locked", id="locked"
        ),
        pytest.param(403, '{"message":"hành vi không hợp lệ"}', "portal_blocked", id="firewall"),
        pytest.param(200, "{}", "contract_drift", id="neither"),
        pytest.param(503, "", "portal_busy", id="busy"),
    ],
)
def test_a_sign_in_response_without_a_token_maps_to_its_code(status: int, body: str, code: str) -> None:
    with pytest.raises(SignalboxError) as refused:
        parse_login(PortalResponse(status=status, headers={}, body=body.encode(), took_s=2), AT)

    assert refused.value.stable_code == code


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c", "a.e30.c"])
def test_a_token_without_an_expiry_is_an_unexpected_response(token: str) -> None:
    with pytest.raises(UnexpectedResponse):
        parse_session(token, "")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        pytest.param({"tax_code": "9901000018"}, "tax_code", id="check digit"),
        pytest.param({"last_day": "2026-06-30"}, "first_day", id="days"),
        pytest.param({"directions": ["sold", "sold"]}, "directions", id="twice"),
    ],
)
def test_an_invalid_import_input_is_rejected(given: dict[str, object], field: str) -> None:
    whole = {
        "tax_code": "9901000019",
        "secret_ref": "gdt",
        "first_day": "2026-07-01",
        "last_day": "2026-07-31",
        **given,
    }
    with pytest.raises(InvalidInput) as refused:
        msgspec.convert(whole, ImportInput)

    assert refused.value.field == field


def line(month: str, **given: object) -> MonthLine:
    return MonthLine(month=month, direction="purchase", family="ordinary", **{"rows": 40, **given})


def test_the_months_chart_is_a_png_for_any_data() -> None:
    for lines in (
        [],
        [line("2026-07", rows=0)],
        [line("2026-07", mismatches=3, no_original=2, failed=1), line("2026-08", rows=10_000)],
    ):
        with Image.open(io.BytesIO(draw_months_chart(lines))) as image:
            assert image.format == "PNG"


async def test_names_in_csv_files_are_escaped_against_formulas() -> None:
    objects = FakeObjectStore()
    account = ImportAccount(tenant="acme", run_id="r", tax_code="9901000019", secret_ref="gdt")
    part = ImportPart(first=AT.date(), last=AT.date(), direction="purchase")
    rows = [
        a_row(seller_name='=HYPERLINK("http://x")', number=1),
        a_row(seller_name="@SUM(1)", number=2),
        a_row(number=3, net=-5),
    ]
    await objects.put_new(
        f"{account.folder}/{part.name}/index.json", msgspec.json.encode(rows), "application/json"
    )
    record = PartRecord(no_original=(2,))
    await objects.put_new(
        f"{account.folder}/{part.name}/record-00000.json", msgspec.json.encode(record), "application/json"
    )
    request = ImportReportRequest(
        account=account,
        first_day=part.first,
        last_day=part.last,
        originals=True,
        details=False,
        parts=(PartFiles(part=part, records=1),),
        lines=(line("2026-08", rows=3, xml=2, no_original=1),),
        sign_ins=1,
    )

    report = await ImportReporter(objects, small_pool(), request).write()

    cells = objects.bodies[f"{account.folder}/invoices.csv"].decode()
    assert cells.startswith("\ufeffdirection,")
    assert "'=HYPERLINK" in cells
    assert "'@SUM" in cells
    assert ",-5," in cells
    assert cells.splitlines()[3].endswith(",none")
    assert (report.result.status, report.result.xml, report.result.no_original) == ("complete", 2, 1)
