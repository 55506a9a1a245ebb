"""The portal over HTTP: sign-in, lists, details, originals, and its error messages."""

import base64
import io
import zipfile
from typing import Any
from xml.etree import ElementTree

import httpx2
import msgspec
import pytest

from signalbox_devstack.emulators.portal.companies import companies, has_cash_register
from signalbox_devstack.emulators.portal.errors import (
    LOCKED,
    NO_ORIGINAL,
    WAF,
    WRONG_CAPTCHA,
    WRONG_PASSWORD,
)
from support.assertions.eventually import eventually
from support.servers.portal import JULY, MST, Portal, visiting

OTHERS = companies(30)


def named(row: "dict[str, Any]") -> "dict[str, Any]":
    return {name: row[name] for name in ("nbmst", "khhdon", "shdon", "khmshdon")}


async def test_the_right_captcha_and_password_return_a_token(portal: Portal) -> None:
    async with visiting(portal, None) as visitor:
        answer = await visitor.authenticate()
        claims = msgspec.json.decode(base64.urlsafe_b64decode(visitor.token.split(".")[1] + "=="))
        assert answer.status_code == 200
        assert (claims["sub"], claims["type"], claims["exp"] - claims["iat"]) == (MST, 2, 86_400)


async def test_a_captcha_can_be_used_once(portal: Portal) -> None:
    async with visiting(portal, None) as visitor:
        wrong = await visitor.authenticate(text="AAAAAA")
        assert (wrong.status_code, wrong.json()["message"]) == (401, WRONG_CAPTCHA)


async def test_after_five_wrong_passwords_the_account_is_locked(portal: Portal) -> None:
    async with visiting(portal, None) as visitor:
        said = [(await visitor.authenticate(OTHERS[20], password="no")).json()["message"] for _ in range(5)]
        assert set(said) == {WRONG_PASSWORD}
        assert (await visitor.authenticate(OTHERS[20])).json()["message"] == LOCKED


async def test_a_request_without_request_id_is_blocked_by_the_firewall(portal: Portal) -> None:
    answer = httpx2.get(f"{portal.url}/captcha", trust_env=False, timeout=60)
    assert (answer.status_code, answer.json()) == (403, {"status": 403, "message": WAF})


async def test_every_call_requires_a_session(portal: Portal) -> None:
    async with visiting(portal, None) as visitor:
        visitor.token = "a.b.c"
        answer = await visitor.get("/query/invoices/purchase", search=JULY)
        assert answer.status_code == 401
        assert set(answer.json()) == {"timestamp", "message", "details", "path", "requestId"}


@pytest.mark.parametrize("size", [15, 50])
async def test_the_lists_match_the_ground_truth(portal: Portal, size: int) -> None:
    true = {row.key for row in portal.truth(last="2026-07-31").rows}
    async with visiting(portal) as visitor:
        rows = [
            row
            for family in ("query", "sco-query")
            for way in ("purchase", "sold")
            for row in await visitor.rows(f"{family}/invoices/{way}", size=size)
        ]
    keys = [f"{row['nbmst']}-{row['khmshdon']}-{row['khhdon']}-{row['shdon']}" for row in rows]
    assert len(keys) == len(true)
    assert set(keys) == true
    assert all(MST in (str(row["nbmst"])[:10], str(row["nmmst"])[:10]) for row in rows)
    assert all(str(row["tdlap"]).endswith("T17:00:00Z") for row in rows)


async def test_a_company_without_cash_register_has_no_cash_register_list(portal: Portal) -> None:
    async with visiting(portal, next(mst for mst in OTHERS if not has_cash_register(mst))) as visitor:
        assert (await visitor.get("/sco-query/invoices/sold", search=JULY)).status_code == 404


async def test_a_detail_is_the_row_with_its_lines(portal: Portal) -> None:
    async with visiting(portal) as visitor:
        row = dict((await visitor.rows(search=f"{JULY};ttxly==5"))[0])
        detail = (await visitor.get("/query/invoices/detail", **named(row))).json()
    lines = detail.pop("hdhhdvu")
    assert detail == {name: value for name, value in row.items() if name != "hdhhdvu"}
    assert sum(line["thtien"] for line in lines) == row["tgtcthue"]


async def test_an_original_is_a_zip_whose_xml_matches_the_row(portal: Portal) -> None:
    true = {row.key: row for row in portal.truth(last="2026-07-31").rows}
    async with visiting(portal) as visitor:
        row = next(row for row in await visitor.rows() if row["hsgoc"])
        answer = await visitor.get("/query/invoices/export-xml", **named(dict(row)))
    assert answer.headers["content-type"] == "application/zip"
    assert 250_000 < len(answer.content) < 350_000
    with zipfile.ZipFile(io.BytesIO(answer.content)) as file:
        assert file.namelist() == [
            "invoice.xml",
            "invoice.html",
            "details.js",
            "viewinvoice-bg.jpg",
            "sign-check.jpg",
        ]
        tree = ElementTree.fromstring(file.read("invoice.xml"))
    told = true[f"{row['nbmst']}-{row['khmshdon']}-{row['khhdon']}-{row['shdon']}"]
    assert tree.findtext("DLHDon/NDHDon/NBan/MST") == row["nbmst"]
    assert tree.findtext("DLHDon/TTChung/NLap") == told.day.isoformat()
    assert int(tree.findtext("DLHDon/NDHDon/TToan/TgTTTBSo") or 0) == told.total + told.differs
    assert tree.find("DSCKS/NBan/{http://www.w3.org/2000/09/xmldsig#}Signature") is not None


async def test_a_missing_original_is_reported_with_the_portals_message(portal: Portal) -> None:
    async with visiting(portal) as visitor:
        rows = [
            row
            for month in ("07", "08")
            for row in await visitor.rows(search=JULY.replace("/07/", f"/{month}/"))
        ]
        bare = next(row for row in rows if row["hsgoc"] is None)
        answer = await visitor.get("/query/invoices/export-xml", **named(dict(bare)))
    assert (answer.status_code, answer.json()["message"]) == (500, NO_ORIGINAL)


async def test_an_invoice_of_another_company_is_not_found(portal: Portal) -> None:
    async with visiting(portal) as visitor, visiting(portal, OTHERS[1]) as other:
        sold = dict((await other.rows("query/invoices/sold"))[0])
        assert (await visitor.get("/query/invoices/detail", **named(sold))).status_code == 404


async def test_a_session_expires(portal: Portal) -> None:
    mst = OTHERS[21]
    portal.put_token_life(1, mst)
    async with visiting(portal, mst) as visitor:

        async def is_over() -> bool:
            return (await visitor.get("/query/invoices/sold", search=JULY)).status_code == 401

        await eventually(is_over)
        assert (await visitor.authenticate(mst)).status_code == 200


async def test_requests_are_counted(portal: Portal) -> None:
    mst = OTHERS[2]
    async with visiting(portal, mst) as visitor:
        await visitor.rows()
        await visitor.rows()
    stats = portal.stats(mst)
    assert stats["lanes"]["list"]["calls"] == 2 * stats["repeated"]
    assert stats["lanes"]["list"]["statuses"] == {"200": stats["lanes"]["list"]["calls"]}
    assert stats["lanes"]["all"]["most_in_flight"] == 1
