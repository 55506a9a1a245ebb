"""Endpoints × roles × own and other tenant × missing, invalid and expired credentials: nothing leaks.

The endpoints are read from the app, so a new one is covered at once; the app serves what its document lists.
"""

import hashlib
import json
import time
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from signalbox_core.crypto.api_keys import Role
from signalbox_gateway.api.endpoint import Dispatcher
from signalbox_gateway.app import Gateway, Parts
from signalbox_gateway.auth.authenticator import ApiKeys
from signalbox_gateway.auth.principal import CONTAINS
from signalbox_gateway.auth.sessions import COOKIE
from support.drivers.api_calls import asked, ended, started
from support.drivers.route_targets import SCHEDULE, STREAMS, Target, targets_of
from support.fakes.echo_pipeline import WORD_DIGEST
from support.servers.gateway import ORIGIN

MARKER = "leak-5b1d9e"
OPEN_TO_ALL = {
    *("sign_in", "sign_out", "is_alive", "is_ready", "get_metrics", "get_openapi", "get_docs"),
    *("open_link", "decide_by_link", "receive_callback", "receive_webhook"),
}
CHANGES = {"cancel_run", "decide", "delete_schedule"}
"""The operations that end a run or a schedule."""
BODIES = {
    "decide": {"digest": WORD_DIGEST, "answer": {"word": "yes"}},
    "object": {"digest": WORD_DIGEST, "reason": "misleading"},
    "delegate_approval": {"to": "key:lan"},
    "report_presence": {"state": "viewing"},
    "backfill_schedule": {"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"},
}
CREDENTIALS = {
    "none": {},
    "garbage": {"authorization": "Bearer sbx_garbage"},
    "no scheme": {"authorization": "sbx_matrix_acme_admin"},
    "expired": {"authorization": "Bearer sbx_matrix_expired"},
    "garbage token": {"authorization": "Bearer a.b.c"},
    "garbage session": {"cookie": f"{COOKIE}=garbage", "origin": ORIGIN},
}


def write_matrix_keys(path: Path) -> Path:
    holders = [(tenant, role) for tenant in ("acme", "other") for role in (*Role, None)]
    keys = [
        record(f"{tenant}_{role or 'nobody'}", tenant, [role] if role else []) for tenant, role in holders
    ]
    keys.append(record("expired", "acme", ["admin"], expires_at="2020-01-01T00:00:00Z"))
    path.write_text(json.dumps({"keys": keys}))
    return path


def record(name: str, tenant: str, roles: list[str], **more: str) -> dict[str, object]:
    digest = hashlib.sha256(f"sbx_matrix_{name}".encode()).hexdigest()
    return {"id": f"matrix-{name}", "sha256": digest, "tenant": tenant, "roles": roles, "name": name, **more}


@pytest.fixture
def app(parts: Parts, tmp_path: Path) -> Starlette:
    return Gateway(replace(parts, keys=ApiKeys(write_matrix_keys(tmp_path / "matrix.json")))).app()


async def call(app: Starlette, target: Target, headers: dict[str, str]) -> httpx2.Response:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=ORIGIN) as caller:
        return await caller.request(
            target.method,
            target.path,
            headers=headers,
            json=BODIES.get(target.name, {}) if target.method in ("POST", "PATCH") else None,
        )


def bearing(holder: str) -> dict[str, str]:
    return {"authorization": f"Bearer sbx_matrix_{holder}"}


@pytest.fixture
async def run_id(app: Starlette, worker: None) -> str:
    """A run of acme that shows the marker wherever a run shows anything."""
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(
        transport=transport, base_url=ORIGIN, headers=bearing("acme_admin")
    ) as owner:
        run_id = await started(owner, text=MARKER, ask=True, artifact="a.png")
        await asked(owner, run_id)
        assert MARKER in (await owner.get(f"/v1/runs/{run_id}/approvals/word")).text
        schedule = {"pipeline": "echo", "input": {"text": MARKER}, "cron": ["@yearly"], "note": MARKER}
        created = await owner.post("/v1/schedules", json={"schedule_id": SCHEDULE, **schedule})
        assert created.status_code in (200, 201), created.text
    return run_id


async def test_without_valid_credentials_everything_but_the_public_pages_is_refused(
    app: Starlette, run_id: str
) -> None:
    wrong = []
    for target in targets_of(app, run_id):
        for kind, headers in CREDENTIALS.items():
            if target.role is None:
                assert target.name in OPEN_TO_ALL, (
                    f"{target.name} requires no authentication: add it to OPEN_TO_ALL if that is intended"
                )
                continue
            answer = await call(app, target, headers)
            if answer.status_code != 401 or MARKER in answer.text:
                wrong.append((target.name, kind, answer.status_code))
    assert wrong == []


async def test_every_role_may_do_what_it_grants_and_nothing_else(app: Starlette, run_id: str) -> None:
    wrong = []
    targets = sorted(targets_of(app, run_id), key=lambda target: target.name in CHANGES)
    for target in targets:
        for role in (*Role, None):
            may = target.role is None or (role is not None and target.role in CONTAINS[role])
            for tenant in ("other", "acme"):
                if may and target.is_stream:
                    continue  # it would not end; only the refusals matter here
                answer = await call(app, target, bearing(f"{tenant}_{role or 'nobody'}"))
                if target.role is not None and (answer.status_code == 403) == may:
                    wrong.append((target.name, tenant, role, answer.status_code))
                is_foreign = tenant == "other" and (target.names_run or target.names_schedule)
                if is_foreign and may and answer.status_code != 404:
                    wrong.append((target.name, tenant, role, answer.status_code))
                told = answer.text.replace(f"no run {run_id}", "")
                if (tenant == "other" or not may) and (MARKER in told or run_id in told):
                    wrong.append((target.name, tenant, role, answer.text[:200]))
    assert wrong == []


async def test_a_run_of_another_tenant_looks_like_one_that_does_not_exist(
    app: Starlette, run_id: str
) -> None:
    unknown = f"echo-{time.time_ns()}"
    for target in targets_of(app, run_id):
        if target.names_run and not target.is_stream:
            foreign = await call(app, target, bearing("other_admin"))
            absent = await call(app, replace_run(target, run_id, unknown), bearing("other_admin"))
            assert (foreign.status_code, foreign.text.replace(run_id, "RUN")) == (
                absent.status_code,
                absent.text.replace(unknown, "RUN"),
            )


async def test_two_tenants_with_the_same_run_id_get_their_own(app: Starlette, run_id: str) -> None:
    """Every endpoint, for a run id that both tenants use: the stranger reads, decides and cancels its own."""
    transport = httpx2.ASGITransport(app=app)
    async with (
        httpx2.AsyncClient(transport=transport, base_url=ORIGIN, headers=bearing("acme_admin")) as owner,
        httpx2.AsyncClient(transport=transport, base_url=ORIGIN, headers=bearing("other_admin")) as stranger,
    ):
        assert await started(stranger, run_id=run_id, text="theirs", ask=True, artifact="a.png") == run_id
        await asked(stranger, run_id)
        before = (await owner.get(f"/v1/runs/{run_id}")).json()

        answers = {
            target: await call(app, target, bearing("other_admin"))
            for target in sorted(targets_of(app, run_id), key=lambda target: target.name in CHANGES)
            if not target.is_stream and target.role not in (None, Role.DEPLOYMENT_OPERATOR)
        }

        assert {target.name: MARKER in answer.text for target, answer in answers.items()} == dict.fromkeys(
            (target.name for target in answers), False
        )
        assert [
            target.name
            for target, answer in answers.items()
            if target.names_run
            and answer.status_code == 404
            and answer.json()["code"]
            not in ("not_found", "unknown_artifact", "no_ledger", "unknown_schedule")
        ] == []
        await ended(stranger, run_id)
        assert (await owner.get(f"/v1/runs/{run_id}")).json() == before
        decision = await owner.post(
            f"/v1/runs/{run_id}/approvals/word/decision",
            json={"digest": before["approvals"][0]["digest"], "answer": {"word": "ours"}},
        )
        assert decision.status_code == 200
        await ended(owner, run_id)
        assert (await owner.get(f"/v1/runs/{run_id}/result")).json() == {"text": "ours"}


def replace_run(target: Target, run_id: str, other: str) -> Target:
    return Target(
        target.name,
        target.method,
        target.path.replace(run_id, other),
        target.role,
        target.is_stream,
        target.names_run,
    )


async def test_the_app_serves_what_its_document_lists(app: Starlette) -> None:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=ORIGIN) as caller:
        document = (await caller.get("/openapi.json")).json()
    documented = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    served = {
        (endpoint.method, endpoint.path.replace(":path", ""))
        for route in app.routes
        if isinstance(route, Route) and isinstance(route.app, Dispatcher)
        for endpoint in route.app.endpoints
    }
    assert documented == served | {("GET", path) for path in STREAMS}
