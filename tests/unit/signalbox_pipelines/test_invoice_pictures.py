"""invoice_import: the captcha as it is shown, logins as they are judged, and the files of the report."""

import base64
import io
from random import Random
from typing import Any

import msgspec
import pytest
from PIL import Image

from signalbox_core.errors import InvalidInput, SignalboxError
from signalbox_core.testing.objects import FakeObjectStore
from signalbox_devstack.emulators.portal.captcha import picture
from signalbox_devstack.emulators.portal.solver import solve
from signalbox_pipelines.invoice_import.auth.questions import CaptchaAnswer, check_captcha
from signalbox_pipelines.invoice_import.contract import ImportInput
from signalbox_pipelines.invoice_import.messages import Account, Part, PartFiles, PartRecord, ReportRequest
from signalbox_pipelines.invoice_import.portal.captcha import data_address, redrawn, solver_named
from signalbox_pipelines.invoice_import.portal.faults import Answer, Drift
from signalbox_pipelines.invoice_import.portal.login import judge_login, session_of
from signalbox_pipelines.invoice_import.report.months_chart import months_picture
from signalbox_pipelines.invoice_import.report.reporter import Reporter
from signalbox_pipelines.invoice_import.results import MonthLine
from support.fakes.invoices import AT, a_row


def test_a_redrawn_captcha_reads_the_same_and_is_smaller() -> None:
    drawn = picture("HK7M2Z", Random(7))
    again = redrawn(drawn)

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
def test_nothing_but_outlines_survives(extra: str) -> None:
    again = redrawn(picture("HK7M2Z", Random(7)).replace("</svg>", f"{extra}</svg>"))

    for word in ("script", "onload", "http://e", "https", "style", "url", "foreign", "&", "image"):
        assert word not in again


@pytest.mark.parametrize("svg", ["", "<svg/>", "<html>", '<path fill="#111"/>'])
def test_a_picture_without_outlines_is_drift(svg: str) -> None:
    with pytest.raises(Drift):
        redrawn(svg)


def test_a_picture_travels_as_an_image_address() -> None:
    address = data_address("<svg/>")

    assert base64.b64decode(address.removeprefix("data:image/svg+xml;base64,")) == b"<svg/>"


async def test_a_person_reads_unless_a_program_is_named() -> None:
    assert await solver_named(None).solve("<svg/>") is None
    assert (
        await solver_named("signalbox_devstack.emulators.portal.solver:solve").solve(
            picture("HK7M2Z", Random(7))
        )
        == "HK7M2Z"
    )
    with pytest.raises(InvalidInput, match="CAPTCHA_SOLVER"):
        solver_named("no.such.module:solve")


@pytest.mark.parametrize("text", ["ABC12", "ABC1234", "ABC 12", "ÀBC123", "ABC-12"])
def test_a_slip_of_the_fingers_is_told(text: str) -> None:
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
def test_an_answer_without_a_token_is_a_failure_with_a_name(status: int, body: str, code: str) -> None:
    with pytest.raises(SignalboxError) as refused:
        judge_login(Answer(status=status, headers={}, body=body.encode(), took_s=2), AT)

    assert refused.value.stable_code == code


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c", "a.e30.c"])
def test_a_token_without_an_end_is_drift(token: str) -> None:
    with pytest.raises(Drift):
        session_of(token, "")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        pytest.param({"tax_code": "9901000018"}, "tax_code", id="check digit"),
        pytest.param({"last_day": "2026-06-30"}, "first_day", id="days"),
        pytest.param({"directions": ["sold", "sold"]}, "directions", id="twice"),
    ],
)
def test_an_input_that_makes_no_sense_is_refused_before_anything_starts(
    given: dict[str, Any], field: str
) -> None:
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


def line(month: str, **given: Any) -> MonthLine:
    return MonthLine(month=month, direction="purchase", family="ordinary", **{"rows": 40, **given})


def test_the_months_are_a_picture_whatever_is_in_them() -> None:
    for lines in (
        [],
        [line("2026-07", rows=0)],
        [line("2026-07", mismatches=3, no_original=2, failed=1), line("2026-08", rows=10_000)],
    ):
        with Image.open(io.BytesIO(months_picture(lines))) as image:
            assert image.format == "PNG"


async def test_no_name_in_a_list_is_a_formula_of_a_spreadsheet() -> None:
    objects = FakeObjectStore()
    account = Account(tenant="acme", run_id="r", tax_code="9901000019", secret_ref="gdt")
    part = Part(first=AT.date(), last=AT.date(), direction="purchase")
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
    request = ReportRequest(
        account=account,
        first_day=part.first,
        last_day=part.last,
        originals=True,
        details=False,
        parts=(PartFiles(part=part, records=1),),
        lines=(line("2026-08", rows=3, xml=2, no_original=1),),
        sign_ins=1,
    )

    report = await Reporter(objects, request).write()

    cells = objects.bodies[f"{account.folder}/invoices.csv"].decode()
    assert cells.startswith("\ufeffdirection,")
    assert "'=HYPERLINK" in cells
    assert "'@SUM" in cells
    assert ",-5," in cells
    assert cells.splitlines()[3].endswith(",none")
    assert (report.result.status, report.result.xml, report.result.no_original) == ("complete", 2, 1)
