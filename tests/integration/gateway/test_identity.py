"""Authentication and authorization: API keys, roles, sessions, tickets."""

import dataclasses
from pathlib import Path

import httpx2
import pytest
from msgspec.structs import replace
from starlette.types import ASGIApp

from signalbox_gateway.app import Gateway, Parts
from signalbox_gateway.auth.sessions import COOKIE
from support.drivers.api_calls import started
from support.servers.gateway import ORIGIN, client_of, secret_of, write_keys

OPERATOR, APPROVER, VIEWER = "operator", "approver", "viewer"
REQUIRED = [
    ("POST", "/v1/runs", OPERATOR),
    ("POST", "/v1/runs/r/cancel", OPERATOR),
    ("POST", "/v1/runs/r/pause", OPERATOR),
    ("POST", "/v1/runs/r/resume", OPERATOR),
    ("POST", "/v1/runs/r/approvals/a/decision", APPROVER),
    ("GET", "/v1/runs", VIEWER),
    ("GET", "/v1/runs/r", VIEWER),
    ("GET", "/v1/runs/r/result", VIEWER),
    ("GET", "/v1/runs/r/artifacts/a", VIEWER),
    ("GET", "/v1/pipelines", VIEWER),
    ("GET", "/v1/approvals", VIEWER),
    ("GET", "/v1/runs/r/approvals/a", VIEWER),
    ("POST", "/v1/stream-tickets", VIEWER),
    ("GET", "/v1/runs/r/stream", VIEWER),
    ("GET", "/v1/stream?run=r", VIEWER),
]
GRANTED = {
    "viewer": {VIEWER},
    "operator": {VIEWER, OPERATOR},
    "approver": {VIEWER, APPROVER},
    "admin": {VIEWER, OPERATOR, APPROVER},
    "nobody": set(),
}


@pytest.mark.parametrize(("method", "path", "role"), REQUIRED)
async def test_every_operation_requires_its_role(app: object, method: str, path: str, role: str) -> None:
    for caller_role, granted in GRANTED.items():
        async with client_of(app, caller_role) as caller:
            answer = await caller.request(method, path)
        assert (answer.status_code == 403) == (role not in granted), (caller_role, answer.text)


@pytest.mark.parametrize(("method", "path", "role"), REQUIRED)
async def test_without_credentials_everything_is_refused(
    app: object, method: str, path: str, role: str
) -> None:
    async with client_of(app, None) as caller:
        answer = await caller.request(method, path)

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "header",
    ["Bearer nope", "Bearer ", "Basic abc", "nonsense", "Bearer sbx_test_admin extra", "Bearer \xe9"],
)
async def test_an_invalid_authorization_header_is_refused(app: object, header: str) -> None:
    async with client_of(app, None) as caller:
        answer = await caller.get("/v1/runs", headers={"authorization": header.encode("latin-1")})

    assert answer.status_code == 401
    assert "sbx_test" not in answer.text


async def signed_in(caller: httpx2.AsyncClient, role: str = "admin") -> dict[str, str]:
    answer = await caller.post("/v1/sessions", json={"api_key": secret_of(role)}, headers={"origin": ORIGIN})
    assert answer.status_code == 201, answer.text
    return {"cookie": f"{COOKIE}={answer.cookies[COOKIE]}"}


async def test_signing_in_sets_a_cookie_that_scripts_cannot_read(app: ASGIApp) -> None:
    async with client_of(app, None) as caller:
        answer = await caller.post("/v1/sessions", json={"api_key": secret_of("viewer")})

    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-")
    assert all(part in cookie for part in ("HttpOnly", "Secure", "Path=/", "SameSite=strict"))
    assert "Domain" not in cookie
    assert {**answer.json(), "expires_at": ""} == {
        "name": "vy",
        "tenant": "acme",
        "roles": ["viewer"],
        "expires_at": "",
        "temporal_ui_url": "https://temporal.test/namespaces",
        "trace_url": "https://traces.test/{trace_id}",
        "temporal_run_url": None,
        "subject": {"subject": "key:viewer", "kind": "human", "name": "vy", "groups": []},
    }


async def test_a_session_reads_and_changes_from_our_own_pages_only(app: ASGIApp) -> None:
    async with client_of(app, None) as caller:
        session = await signed_in(caller)
        caller.cookies.clear()
        read = await caller.get("/v1/runs", headers=session)
        own = await caller.post("/v1/runs/none/cancel", headers={**session, "sec-fetch-site": "same-origin"})
        own_by_origin = await caller.post("/v1/runs/none/cancel", headers={**session, "origin": ORIGIN})
        refused = [
            await caller.post("/v1/runs/none/cancel", headers={**session, **extra})
            for extra in (
                {},
                {"origin": "https://evil.test"},
                {"sec-fetch-site": "cross-site"},
                {"sec-fetch-site": "same-site", "origin": ORIGIN},
            )
        ]

    assert read.status_code == 200
    assert (own.status_code, own_by_origin.status_code) == (404, 404)
    assert [answer.json()["code"] for answer in refused] == ["other_origin"] * 4


async def test_signing_out_ends_the_session(app: ASGIApp) -> None:
    async with client_of(app, None) as caller:
        session = await signed_in(caller)
        caller.cookies.clear()
        out = await caller.delete("/v1/sessions", headers={**session, "origin": ORIGIN})
        after = await caller.get("/v1/sessions", headers=session)
        twice = await caller.delete("/v1/sessions")

    assert (out.status_code, after.status_code, twice.status_code) == (204, 401, 204)


async def test_a_session_is_kept_hashed(app: ASGIApp, parts: Parts) -> None:
    async with client_of(app, None) as caller:
        token = (await signed_in(caller))["cookie"].partition("=")[2]

    names = [name.decode() async for name in parts.redis.scan_iter("signalbox:session:*")]
    assert names
    assert not any(token in name for name in names)
    assert all([0 < await parts.redis.ttl(name) <= 12 * 3600 for name in names])


async def test_another_site_cannot_sign_a_browser_in(app: ASGIApp) -> None:
    async with client_of(app, None) as caller:
        answer = await caller.post(
            "/v1/sessions", json={"api_key": secret_of("viewer")}, headers={"origin": "https://evil.test"}
        )

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_a_revoked_key_ends_its_sessions_and_tickets_at_once(
    app: ASGIApp, caller: httpx2.AsyncClient, parts: Parts, tmp_path: Path
) -> None:
    run_id = await started(caller)
    async with client_of(app, None) as browser:
        session = await signed_in(browser)
        browser.cookies.clear()
        ticket = (await caller.post("/v1/stream-tickets", json={"runs": [run_id]})).json()["ticket"]
        write_keys(tmp_path / "keys.json", without="admin")
        parts.keys.reload()
        by_session = await browser.get("/v1/runs", headers=session)
        by_ticket = await browser.head(f"/v1/runs/{run_id}/stream", params={"ticket": ticket})

    assert (by_session.status_code, by_ticket.status_code) == (401, 401)


async def test_a_ticket_opens_the_streams_of_its_runs_only_and_again(
    app: ASGIApp, caller: httpx2.AsyncClient
) -> None:
    run_id, other = await started(caller), await started(caller)
    issued = await caller.post("/v1/stream-tickets", json={"runs": [run_id]})
    ticket = issued.json()["ticket"]

    async with client_of(app, None) as browser:
        opened = [
            await browser.head(f"/v1/runs/{run_id}/stream", params={"ticket": ticket}) for _ in range(2)
        ]
        elsewhere = await browser.head(f"/v1/runs/{other}/stream", params={"ticket": ticket})
        read = await browser.get(f"/v1/runs/{run_id}", params={"ticket": ticket})
        forged = await browser.head(f"/v1/runs/{run_id}/stream", params={"ticket": "forged"})

    assert issued.status_code == 201
    assert [answer.status_code for answer in opened] == [200, 200]
    assert (elsewhere.status_code, read.status_code, forged.status_code) == (404, 401, 401)


async def test_a_ticket_for_a_foreign_run_is_refused_by_its_place(
    app: ASGIApp, caller: httpx2.AsyncClient
) -> None:
    run_id = await started(caller)

    async with client_of(app, "stranger") as stranger:
        own = await started(stranger)
        answer = await stranger.post("/v1/stream-tickets", json={"runs": [own, run_id]})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "runs[1]")


UI = "https://temporal.test/namespaces/default"


@pytest.mark.parametrize(("role", "is_linked"), [("operator", True), ("approver", False), ("viewer", False)])
async def test_who_operates_runs_gets_the_address_of_a_run_in_temporals_ui(
    app: ASGIApp, role: str, *, is_linked: bool
) -> None:
    async with client_of(app, role) as caller:
        identity = (await caller.get("/v1/sessions")).json()
    assert (identity["temporal_run_url"] is not None) is is_linked


@pytest.mark.parametrize("address", ["https://ui.test", "https://ui.test/", "https://ui.test/namespaces"])
async def test_the_address_of_the_ui_may_be_that_of_its_namespaces(parts: Parts, address: str) -> None:
    settings = replace(parts.settings, temporal_ui_url=address)
    app = Gateway(dataclasses.replace(parts, settings=settings)).app()
    async with client_of(app) as caller:
        found = (await caller.get("/v1/sessions")).json()["temporal_run_url"]
    assert found.startswith("https://ui.test/namespaces/default/workflows?query=")


async def test_the_caller_learns_who_it_is(caller: httpx2.AsyncClient) -> None:
    assert (await caller.get("/v1/sessions")).json() == {
        "name": "lan",
        "tenant": "acme",
        "roles": ["admin"],
        "expires_at": None,
        "temporal_ui_url": "https://temporal.test/namespaces",
        "trace_url": "https://traces.test/{trace_id}",
        "temporal_run_url": f"{UI}/workflows?query=WorkflowId%3D%22acme%3A{{run_id}}%22",
        "subject": {"subject": "key:admin", "kind": "human", "name": "lan", "groups": []},
    }
