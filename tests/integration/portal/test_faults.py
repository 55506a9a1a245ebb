"""Every injectable fault, from the view of a caller."""

from collections.abc import Mapping
from itertools import count

import httpx2
import pytest

from signalbox_devstack.emulators.portal.companies import companies
from signalbox_devstack.emulators.portal.errors import WAF
from support.servers.portal import JULY, MST, Portal, PortalVisitor, running_portal, visiting

COMPANIES = (companies(30)[number] for number in count(3))
WHERE = "/query/invoices/purchase"


async def met(
    portal: Portal, fault: Mapping[str, object], visitor: PortalVisitor, mst: str
) -> httpx2.Response:
    portal.put_faults({"times": 1, **fault}, mst=mst)
    return await visitor.get(WHERE, search=JULY, size=5)


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        pytest.param({"kind": "rate_limit"}, 429, id="429"),
        pytest.param({"kind": "slow_504", "delay_s": 0.1}, 504, id="504"),
        pytest.param({"kind": "fast_500"}, 500, id="500"),
        pytest.param({"kind": "waf"}, 403, id="403"),
        pytest.param({"kind": "expire"}, 401, id="401"),
    ],
)
async def test_a_fault_replaces_the_response_until_it_is_used_up(
    portal: Portal, fault: Mapping[str, object], status: int
) -> None:
    mst = next(COMPANIES)
    async with visiting(portal, mst) as visitor:
        answer = await met(portal, fault, visitor, mst)
        assert answer.status_code == status
        assert "retry-after" not in answer.headers
        if status == 401:
            assert (
                await visitor.get(WHERE, search=JULY)
            ).status_code == 401  # the session is over, not the call
            await visitor.authenticate(mst)
        assert (await visitor.get(WHERE, search=JULY)).status_code == 200
        assert portal.stats(mst)["faults"] == {fault["kind"]: 1}


async def test_a_rate_limit_can_have_a_retry_after(portal: Portal) -> None:
    mst = next(COMPANIES)
    async with visiting(portal, mst) as visitor:
        assert (await met(portal, {"kind": "rate_limit", "retry_after_s": 14}, visitor, mst)).headers[
            "retry-after"
        ] == "14"


async def test_the_firewall_has_a_body_of_its_own(portal: Portal) -> None:
    mst = next(COMPANIES)
    async with visiting(portal, mst) as visitor:
        assert (await met(portal, {"kind": "waf"}, visitor, mst)).json() == {"status": 403, "message": WAF}


async def test_a_swallowed_call_gets_no_response(portal: Portal) -> None:
    mst = next(COMPANIES)
    async with visiting(portal, mst) as visitor:
        portal.put_faults({"kind": "swallow", "times": 1}, mst=mst)
        with pytest.raises(httpx2.ReadTimeout):
            await visitor.give_up_after(0.3, WHERE, search=JULY)


async def test_a_long_body_is_truncated_and_a_short_one_is_not(portal: Portal) -> None:
    mst = next(COMPANIES)
    async with visiting(portal, mst) as visitor:
        portal.put_faults({"kind": "cut", "over_bytes": 30_000}, mst=mst)
        with pytest.raises(httpx2.RemoteProtocolError):
            await visitor.get(WHERE, search=JULY, size=50)
        assert (await visitor.get(WHERE, search=JULY, size=5)).status_code == 200


async def test_drift_is_json_without_the_expected_members(portal: Portal) -> None:
    mst = next(COMPANIES)
    async with visiting(portal, mst) as visitor:
        answer = await met(portal, {"kind": "drift"}, visitor, mst)
        assert answer.status_code == 200
        assert "datas" not in answer.json()


async def test_mismatched_rows_belong_to_another_taxpayer(portal: Portal) -> None:
    mst = next(COMPANIES)
    async with visiting(portal, mst) as visitor:
        rows = (await met(portal, {"kind": "mismatch"}, visitor, mst)).json()["datas"]
        assert rows
        assert all(mst not in (row["nbmst"], row["nmmst"]) for row in rows)


async def test_a_cursor_can_repeat_in_the_middle_or_at_the_end(portal: Portal) -> None:
    mst = next(COMPANIES)
    async with visiting(portal, mst) as visitor:
        first = (await visitor.get(WHERE, search=JULY, size=5)).json()["state"]
        portal.put_faults({"kind": "state_repeats"}, mst=mst)
        assert (await visitor.get(WHERE, search=JULY, size=5, state=first)).json()["state"] == first
        portal.put_faults({"kind": "last_state_repeats"}, mst=mst)
        second = (await visitor.get(WHERE, search=JULY, size=5, state=first)).json()["state"]
        assert second not in (None, first)
        rest = (await visitor.get(WHERE, search=JULY, size=50, state=second)).json()
        assert rest["state"] == second


async def test_an_invalid_fault_is_rejected_with_its_name() -> None:
    with running_portal("--invoices", "0") as portal:
        address = f"http://{portal.endpoint}/_sim/faults/{MST}"
        answer = httpx2.put(address, json=[{"kind": "earthquake"}], trust_env=False)
        assert answer.status_code == 400
        assert "earthquake" in answer.text
