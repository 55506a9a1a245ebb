"""The client against the portal simulator: every call, and every fault with its class."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import count

import pytest

from signalbox_core.errors import InvalidInput, RateLimited, SignalboxError
from signalbox_core.settings import Secret
from signalbox_devstack.emulators.portal.companies import companies, password_of
from signalbox_devstack.emulators.portal.solver import solve
from signalbox_pipelines.invoice_import.fetch.reconciliation import differences
from signalbox_pipelines.invoice_import.months import Days
from signalbox_pipelines.invoice_import.portal.client import PortalClient
from signalbox_pipelines.invoice_import.portal.faults import (
    NoOriginal,
    ParameterRejected,
    PortalBadRequest,
    PortalBlocked,
    PortalBusy,
    SessionExpired,
    TruncatedResponse,
    UnexpectedResponse,
)
from signalbox_pipelines.invoice_import.portal.login import LoginRefused, PortalSession
from signalbox_pipelines.invoice_import.portal.originals import extract_xml, read_original
from signalbox_pipelines.invoice_import.portal.queries import ListQuery, is_last_page, queries_for
from signalbox_pipelines.invoice_import.portal.rows import InvoiceRow, check_taxpayer, read_detail
from signalbox_pipelines.invoice_import.portal.settings import PortalSettings
from signalbox_pipelines.invoice_import.results import Direction
from support.servers.backends import free_port
from support.servers.portal import Portal

JULY = Days(date(2026, 7, 1), date(2026, 7, 31))
CODES = iter(companies(60)[number] for number in count(3))


@pytest.fixture
async def client(portal: Portal) -> AsyncIterator[PortalClient]:
    opened = PortalClient(PortalSettings(url=portal.url, query_timeout_s=5, export_timeout_s=10))
    yield opened
    await opened.close()


async def sign_in(
    client: PortalClient, mst: str, *, password: str | None = None, text: str | None = None
) -> PortalSession:
    captcha = await client.captcha()
    return await client.authenticate(
        mst, Secret(password or password_of(mst)), captcha, text or solve(captcha.svg).lower()
    )


async def all_rows(
    client: PortalClient, session: PortalSession, direction: Direction, *, size: int = 15
) -> list[InvoiceRow]:
    found: list[InvoiceRow] = []
    for query in queries_for(direction, JULY):
        states: list[str] = []
        while True:
            page = await client.page(session, query, size=size, state=states[-1] if states else None)
            found += page.rows
            if is_last_page(page, size, states):
                break
            states.append(page.state or "")
    return found


async def test_a_session_expires_with_its_token(client: PortalClient) -> None:
    session = await sign_in(client, next(CODES))

    assert timedelta(hours=23) < session.expires_at - datetime.now(UTC) < timedelta(hours=25)
    assert session.token.reveal() not in repr(session)


async def test_cookies_are_not_shared_between_taxpayers(client: PortalClient) -> None:
    one, other = next(CODES), next(CODES)
    first, second = await sign_in(client, one), await sign_in(client, other)

    assert first.token.reveal() in first.cookies.reveal()
    assert first.token.reveal() not in second.cookies.reveal()
    assert list(client._pool().cookies.jar) == []


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        pytest.param({"text": "AAAAAA"}, "wrong_captcha", id="captcha"),
        pytest.param({"password": "no"}, "wrong_password", id="password"),
    ],
)
async def test_a_rejected_sign_in_has_its_reason(
    client: PortalClient, given: Mapping[str, str], kind: str
) -> None:
    with pytest.raises(LoginRefused) as refused:
        await sign_in(client, next(CODES), **given)

    assert (refused.value.kind, refused.value.stable_code) == (kind, kind)


async def test_a_locked_account_is_reported(client: PortalClient) -> None:
    mst = next(CODES)
    for _ in range(5):
        with pytest.raises(LoginRefused):
            await sign_in(client, mst, password="no")

    with pytest.raises(LoginRefused) as refused:
        await sign_in(client, mst)

    assert refused.value.kind == "account_locked"


@pytest.mark.parametrize("direction", ["purchase", "sold"])
async def test_lists_details_and_originals_match_the_data_of_the_portal(
    client: PortalClient, portal: Portal, direction: Direction
) -> None:
    mst = next(CODES)
    session = await sign_in(client, mst)
    truth = {
        row.key: row
        for row in portal.truth(mst, "2026-07-01", "2026-07-31").rows
        if row.direction == direction
    }

    rows = await all_rows(client, session, direction)

    check_taxpayer(rows, mst, direction)
    assert sorted(row.key for row in rows) == sorted(truth)
    assert {row.key: (row.issued_on, row.status, row.gross) for row in rows} == {
        key: (row.day, row.state, row.total) for key, row in truth.items()
    }
    for row in rows[:3]:
        assert read_detail(await client.detail(session, row, direction), row.family).key == row.key
    kept = next(row for row in rows if truth[row.key].has_original)
    original = read_original(extract_xml(await client.original(session, kept, direction)))
    wrong = [item.field for item in differences(kept, original)]
    assert bool(wrong) == bool(truth[kept.key].differs)


async def test_a_missing_original_is_reported(client: PortalClient, portal: Portal) -> None:
    mst = next(CODES)
    session = await sign_in(client, mst)
    missing = {row.key for row in portal.truth(mst).rows if not row.has_original}
    row = next(
        row
        for row in await all_rows(client, session, "sold") + await all_rows(client, session, "purchase")
        if row.key in missing
    )

    with pytest.raises(NoOriginal):
        await client.original(session, row, "sold")


def a_query(days: Days = JULY) -> ListQuery:
    return queries_for("purchase", days)[0]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        pytest.param({"kind": "rate_limit", "retry_after_s": 9}, RateLimited, id="429"),
        pytest.param({"kind": "expire"}, SessionExpired, id="401"),
        pytest.param({"kind": "waf"}, PortalBlocked, id="403"),
        pytest.param({"kind": "fast_500"}, ParameterRejected, id="500"),
        pytest.param({"kind": "slow_504", "delay_s": 0.1}, PortalBusy, id="504"),
        pytest.param({"kind": "swallow"}, PortalBusy, id="no answer"),
        pytest.param({"kind": "cut", "over_bytes": 2_000}, TruncatedResponse, id="cut"),
        pytest.param({"kind": "drift"}, UnexpectedResponse, id="drift"),
    ],
)
async def test_each_simulated_fault_raises_its_class(
    client: PortalClient, portal: Portal, fault: Mapping[str, object], kind: type[Exception]
) -> None:
    mst = next(CODES)
    session = await sign_in(client, mst)
    portal.put_faults({"times": 1, **fault}, mst=mst)

    with pytest.raises(SignalboxError) as met:
        await client.page(session, a_query(), size=15, state=None)

    assert type(met.value) is kind


async def test_rows_of_another_taxpayer_are_rejected(client: PortalClient, portal: Portal) -> None:
    mst = next(CODES)
    session = await sign_in(client, mst)
    portal.put_faults({"kind": "mismatch", "times": 1}, mst=mst)
    page = await client.page(session, a_query(), size=15, state=None)

    with pytest.raises(SignalboxError) as met:
        check_taxpayer(page.rows, mst, "purchase")

    assert met.value.stable_code == "tenant_mismatch"


async def test_a_range_above_a_month_is_rejected_with_the_portals_message(client: PortalClient) -> None:
    session = await sign_in(client, next(CODES))

    with pytest.raises(PortalBadRequest, match="1 tháng"):
        await client.page(session, a_query(Days(date(2026, 7, 1), date(2026, 8, 1))), size=15, state=None)


async def test_a_page_size_that_is_too_large_is_rejected_at_once(client: PortalClient) -> None:
    session = await sign_in(client, next(CODES))

    with pytest.raises(ParameterRejected):
        await client.page(session, a_query(), size=200, state=None)


async def test_an_unreachable_portal_is_busy_and_a_missing_url_names_the_setting() -> None:
    away, unnamed = (
        PortalClient(PortalSettings(url=f"http://127.0.0.1:{free_port()}/api")),
        PortalClient(PortalSettings()),
    )

    with pytest.raises(PortalBusy):
        await away.captcha()
    with pytest.raises(InvalidInput, match="SIGNALBOX_WORKER_PORTAL_URL"):
        await unnamed.captcha()
    await away.close()
