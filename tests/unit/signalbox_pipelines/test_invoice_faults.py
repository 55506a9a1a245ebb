"""invoice_import: what the portal's responses mean."""

from datetime import UTC, datetime

import pytest

from signalbox_core.errors import NotFound, RateLimited
from signalbox_pipelines.invoice_import.portal.faults import (
    NoOriginal,
    ParameterRejected,
    PortalBadRequest,
    PortalBlocked,
    PortalBusy,
    PortalResponse,
    SessionExpired,
    classify_response,
)

NOW = datetime(2026, 8, 1, 3, 0, tzinfo=UTC)
WAF = '{"status":403,"message":"Hệ thống phát hiện hành vi không hợp lệ. Yêu cầu đã bị chặn."}'


def answer(status: int, body: str = "", took_s: float = 0.1, **headers: str) -> PortalResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return PortalResponse(status=status, headers=named, body=body.encode(), took_s=took_s)


@pytest.mark.parametrize(
    ("given", "kind", "code"),
    [
        pytest.param(answer(401), SessionExpired, "session_over", id="401"),
        pytest.param(answer(403, '{"message":"Forbidden"}'), SessionExpired, "session_over", id="403"),
        pytest.param(answer(403, WAF), PortalBlocked, "portal_blocked", id="403 of the firewall"),
        pytest.param(
            answer(400, '{"message":"lớn hơn 1 tháng"}'), PortalBadRequest, "portal_bad_request", id="400"
        ),
        pytest.param(answer(404), NotFound, "portal_not_found", id="404"),
        pytest.param(
            answer(500, '{"message":"Không tồn tại hồ sơ gốc của hóa đơn."}'),
            NoOriginal,
            "no_original",
            id="no original",
        ),
        pytest.param(
            answer(500, '{"message":"Không tồn tại hồ sơ gốc"}', 4.0),
            NoOriginal,
            "no_original",
            id="no original, slowly",
        ),
        pytest.param(answer(429), RateLimited, "rate_limited", id="429"),
        pytest.param(answer(500, "x", 0.063), ParameterRejected, "portal_refused", id="fast 500"),
        pytest.param(answer(500, "x", 1.5), PortalBusy, "portal_busy", id="slow 500"),
        pytest.param(answer(502, "<html>"), PortalBusy, "portal_busy", id="502"),
        pytest.param(answer(504, "<html>", 30.0), PortalBusy, "portal_busy", id="504"),
    ],
)
def test_each_response_maps_to_its_fault(given: PortalResponse, kind: type[Exception], code: str) -> None:
    fault = classify_response(given, NOW)

    assert type(fault) is kind
    assert fault is not None
    assert fault.stable_code == code


def test_a_successful_response_is_not_a_fault() -> None:
    assert classify_response(answer(200, "{}"), NOW) is None


@pytest.mark.parametrize(
    ("header", "waits_s", "is_told"),
    [
        pytest.param({"retry_after": "7"}, 7.0, True, id="seconds"),
        pytest.param({"retry_after": "Sat, 01 Aug 2026 03:00:30 GMT"}, 30.0, True, id="date"),
        pytest.param({"retry_after": "soon"}, 15.0, False, id="unreadable"),
        pytest.param({}, 15.0, False, id="none"),
    ],
)
def test_the_wait_after_429_comes_from_retry_after_or_a_default(
    header: dict[str, str], waits_s: float, *, is_told: bool
) -> None:
    fault = classify_response(answer(429, **header), NOW)

    assert isinstance(fault, RateLimited)
    assert (fault.retry_after_s, fault.facts["is_told"]) == (waits_s, is_told)


def test_only_the_shortened_message_of_an_error_body_is_shown() -> None:
    fault = classify_response(
        answer(400, f'{{"message":"{"a" * 900}","details":"internal","path":"/secret"}}'), NOW
    )

    assert fault is not None
    assert "a" * 300 in fault.detail
    assert "a" * 301 not in fault.detail
    assert "secret" not in fault.detail
