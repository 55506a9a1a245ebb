"""Scoped tokens: every endpoint × own, other and foreign run, used up, expired, revoked. Nothing leaks."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette

from signalbox_gateway.app import Gateway, Parts
from signalbox_gateway.auth.authenticator import ApiKeys
from support.assertions.eventually import eventually
from support.drivers.api_calls import asked, ended, started
from support.drivers.route_targets import Target, targets_of
from support.fakes.api_keys import write_api_keys
from support.fakes.echo_pipeline import WORD_DIGEST
from support.servers.gateway import ORIGIN, PATIENCE

KEYS: Mapping[str, Mapping[str, object]] = {
    "backend": {
        "tenant": "acme", "roles": ["operator", "approver"], "kind": "service", "groups": ["shop", "legal"],
    },
    "lan": {"tenant": "acme", "roles": ["operator", "approver"]},
    "viewer": {"tenant": "acme", "roles": ["viewer"], "kind": "service"},
    "bot": {"tenant": "acme", "roles": ["admin"], "kind": "agent"},
    "stranger": {"tenant": "other", "roles": ["admin"], "kind": "service"},
}  # fmt: skip
MARKER = "leak-7c20aa"
USER = {"id": "c-17", "name": "Minh"}
Bearing = Callable[[str], httpx2.AsyncClient]


def secret(user: str) -> str:
    return f"sbx_scoped_{user}"


def write_keys(path: Path, keys: Mapping[str, Mapping[str, object]] = KEYS) -> Path:
    return write_api_keys(path, secret, keys)


@pytest.fixture
def keys(tmp_path: Path) -> ApiKeys:
    return ApiKeys(write_keys(tmp_path / "scoped.json"))


@pytest.fixture
def app(parts: Parts, keys: ApiKeys, worker: None) -> Starlette:
    return Gateway(replace(parts, keys=keys), deadline=PATIENCE).app()


@pytest.fixture
def bearing(app: Starlette) -> Bearing:
    def bearing(credential: str) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app),
            base_url=ORIGIN,
            headers={"authorization": f"Bearer {credential}"},
        )

    return bearing


@pytest.fixture
async def backend(bearing: Bearing) -> AsyncIterator[httpx2.AsyncClient]:
    async with bearing(secret("backend")) as backend:
        yield backend


async def minted(minter: httpx2.AsyncClient, *allow: Mapping[str, object], **more: object) -> str:
    answer = await minter.post("/v1/tokens", json={"allow": allow, **more})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


def deciding(run_id: str | None = None) -> Mapping[str, object]:
    return {"decide": {"approval_id": "word", **({"run_id": run_id} if run_id is not None else {})}}


async def start(caller: httpx2.AsyncClient, key: str = "k", **more: object) -> httpx2.Response:
    body = {"pipeline": "echo", "input": {"text": MARKER, "ask": True, "artifact": "a.png"}, **more}
    return await caller.post("/v1/runs", json=body, headers={"idempotency-key": key})


async def decide(caller: httpx2.AsyncClient, run_id: str, word: str = "yes") -> httpx2.Response:
    digest = (await caller.get(f"/v1/runs/{run_id}/approvals/word")).json().get("digest", "unknown")
    return await caller.post(
        f"/v1/runs/{run_id}/approvals/word/decision", json={"digest": digest, "answer": {"word": word}}
    )


async def send(caller: httpx2.AsyncClient, target: Target, run_id: str) -> httpx2.Response:
    bodies: Mapping[str, object] = {
        "start_run": {"pipeline": "echo", "input": {"text": MARKER}},
        "issue_ticket": {"runs": [run_id]},
        "mint_token": {"allow": [{"watch": run_id}]},
        "decide": {"digest": WORD_DIGEST, "answer": {"word": "yes"}},
        "sign_in": {"api_key": caller.headers["authorization"].removeprefix("Bearer ")},
    }
    body = bodies.get(target.name, {}) if target.method == "POST" else None
    return await caller.request(target.method, target.path, json=body)


WATCHING = {"get_run", "get_result", "get_artifact", "get_approval", "issue_ticket"}
STREAMING = {"/v1/runs/{run_id}/stream", "/v1/stream"}
PERMITTED: Mapping[str, set[str]] = {
    "start": {"start_run"},
    "watch": WATCHING | STREAMING,
    "decide": {"get_approval", "decide"},
    "decide what it starts": set(),
}
"""The endpoints that a token may use for the run that it names, if it names one."""


async def test_a_token_can_do_what_it_permits_and_nothing_else(
    app: Starlette, backend: httpx2.AsyncClient, bearing: Bearing
) -> None:
    async with bearing(secret("stranger")) as stranger:
        own, other, foreign = [
            await started(owner, text=MARKER, ask=True, artifact="a.png")
            for owner in (backend, backend, stranger)
        ]
        for owner, run_id in ((backend, own), (backend, other), (stranger, foreign)):
            await asked(owner, run_id)
    allows = {
        "start": {"start": "echo"},
        "watch": {"watch": own},
        "decide": deciding(own),
        "decide what it starts": deciding(),
    }
    wrong, checked = [], 0
    for kind, allow in allows.items():
        async with bearing(await minted(backend, allow, times=1000)) as holder:
            for run_id in (own, other, foreign):
                for target in targets_of(app, run_id):
                    if target.role is None and target.name != "sign_in":
                        continue
                    names_run = target.names_run or target.name in ("issue_ticket", *STREAMING)
                    may = target.name in PERMITTED[kind] and (run_id == own or not names_run)
                    answer = await send(holder, target, run_id)
                    checked += 1
                    told = answer.text.replace(f"no run {run_id}", "")
                    refused = answer.status_code in refusals(target)
                    if refused == may or (not may and (MARKER in told or "set-cookie" in answer.headers)):
                        wrong.append(
                            (kind, target.name, run_id == own, answer.status_code, answer.text[:200])
                        )
    assert wrong == []
    assert checked >= 4 * 3 * 30
    for run_id in (other,):
        snapshot = (await backend.get(f"/v1/runs/{run_id}")).json()
        assert (snapshot["status"], snapshot["approvals"][0]["status"]) == ("running", "pending")


def refusals(target: Target) -> set[int]:
    if target.name in STREAMING:
        return {403, 404}
    return {"issue_ticket": {403, 422}, "sign_in": {401}}.get(target.name, {403})


async def test_a_page_starts_watches_and_decides_its_own_run(
    backend: httpx2.AsyncClient, bearing: Bearing
) -> None:
    token = await minted(backend, {"start": "echo"}, deciding(), on_behalf_of=USER)
    async with bearing(token) as page:
        run_id = (await start(page)).json()["run_id"]
        snapshot = await asked(page, run_id)
        ticket = (await page.post("/v1/stream-tickets", json={"runs": [run_id]})).json()["ticket"]
        decision = await decide(page, run_id)
        await ended(page, run_id)
        result = (await page.get(f"/v1/runs/{run_id}/result")).json()
    async with bearing("") as listener:
        del listener.headers["authorization"]
        stream = await listener.head(f"/v1/runs/{run_id}/stream", params={"ticket": ticket})
        read = await listener.get(f"/v1/runs/{run_id}", params={"ticket": ticket})

    user = {"subject": "key:backend#c-17", "kind": "human", "name": "Minh", "groups": []}
    assert (snapshot["started_by"], snapshot["starter"]) == ("Minh", user)
    assert decision.json()["decided_by"] == "Minh"
    decided = (await backend.get(f"/v1/runs/{run_id}/approvals/word")).json()
    assert decided["decider"] == user
    assert result == {"text": "yes"}
    assert (stream.status_code, read.status_code) == (200, 401)


async def test_a_used_up_token_starts_no_more_runs_and_repeats_the_same_one(
    backend: httpx2.AsyncClient, bearing: Bearing
) -> None:
    async with bearing(await minted(backend, {"start": "echo"}, times=2)) as page:
        first, again, second = [await start(page, key) for key in ("a", "a", "b")]
        third = await start(page, "c")
        repeated = await start(page, "b")
        invalid = await page.post("/v1/runs", json={"pipeline": "echo", "input": {}})

    assert (first.status_code, again.status_code, second.status_code) == (201, 200, 201)
    assert first.json()["run_id"] == again.json()["run_id"] != second.json()["run_id"]
    assert (third.status_code, third.json()["code"]) == (403, "token_used_up")
    assert repeated.status_code == 200
    assert invalid.status_code == 422


async def test_a_token_decides_as_many_approvals_as_it_permits_and_corrects_a_refused_answer(
    backend: httpx2.AsyncClient, bearing: Bearing
) -> None:
    starter = await minted(backend, {"start": "echo"}, deciding(), times=2)
    async with bearing(starter) as page:
        runs = [(await start(page, key)).json()["run_id"] for key in ("a", "b")]
        for run_id in runs:
            await asked(page, run_id)
        refused = await decide(page, runs[0], "taboo")
        decided = [await decide(page, run_id) for run_id in runs]
    only_one = await minted(backend, deciding(), {"start": "echo"})
    async with bearing(only_one) as page:
        run_id = (await start(page)).json()["run_id"]
        await asked(page, run_id)
        foreign = await decide(page, runs[0])
        own = await decide(page, run_id)

    assert (refused.status_code, [each.status_code for each in decided]) == (422, [200, 200])
    assert (foreign.status_code, foreign.json()["code"]) == (403, "not_permitted_by_token")
    assert own.status_code == 200


async def test_two_tokens_with_the_same_idempotency_key_get_different_runs(
    backend: httpx2.AsyncClient, bearing: Bearing
) -> None:
    runs = []
    for _ in range(2):
        async with bearing(await minted(backend, {"start": "echo"})) as page:
            runs.append((await start(page)).json()["run_id"])
            chosen = await start(page, "x", run_id=runs[0])
            urgent = await start(page, "x", priority=1)
    runs.append((await start(backend)).json()["run_id"])

    assert len(set(runs)) == 3
    assert [each.json()["code"] for each in (chosen, urgent)] == ["not_permitted_by_token"] * 2


async def test_concurrent_starts_do_not_exceed_the_number_that_is_permitted(
    backend: httpx2.AsyncClient, bearing: Bearing
) -> None:
    async with bearing(await minted(backend, {"start": "echo"}, times=3)) as page:
        answers = await asyncio.gather(*(start(page, f"key-{number}") for number in range(12)))

    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [403] * 9


async def test_an_expired_token_is_refused(backend: httpx2.AsyncClient, bearing: Bearing) -> None:
    run_id = await started(backend)
    token = await minted(backend, {"watch": run_id}, expires_in=1)
    async with bearing(token) as page:

        async def is_expired() -> bool:
            return (await page.get(f"/v1/runs/{run_id}")).status_code == 401

        await eventually(is_expired)
        answer = await page.get(f"/v1/runs/{run_id}")

    assert answer.json()["detail"] == "the token has expired or was revoked; get a new one"


async def test_a_revoked_token_and_its_tickets_are_refused_at_once(
    app: Starlette, backend: httpx2.AsyncClient, bearing: Bearing
) -> None:
    run_id = await started(backend, text=MARKER)
    await ended(backend, run_id)
    body = {"allow": [{"watch": run_id}]}
    revoked, kept = [(await backend.post("/v1/tokens", json=body)).json() for _ in range(2)]
    async with bearing(revoked["token"]) as holder:
        ticket = (await holder.post("/v1/stream-tickets", json={"runs": [run_id]})).json()["ticket"]
        answer = await backend.delete(f"/v1/tokens/{revoked['id']}")
        assert (answer.status_code, answer.content) == (204, b"")
        assert (await holder.get(f"/v1/runs/{run_id}")).status_code == 401
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=ORIGIN) as anyone:
        assert (await anyone.head(f"/v1/runs/{run_id}/stream?ticket={ticket}")).status_code == 401
    async with bearing(kept["token"]) as holder:
        assert (await holder.get(f"/v1/runs/{run_id}")).status_code == 200
    assert (await backend.delete(f"/v1/tokens/{revoked['id']}")).status_code == 404


async def test_a_token_is_revoked_by_its_minter_or_an_admin_of_the_tenant(
    app: Starlette, backend: httpx2.AsyncClient, bearing: Bearing
) -> None:
    run_id = await started(backend, text=MARKER)
    minted_token = (await backend.post("/v1/tokens", json={"allow": [{"watch": run_id}]})).json()
    address = f"/v1/tokens/{minted_token['id']}"
    for user in ("lan", "viewer", "stranger"):
        async with bearing(secret(user)) as other:
            assert (await other.delete(address)).status_code == 404
    async with bearing(minted_token["token"]) as holder:
        assert (await holder.delete(address)).status_code == 403
        assert (await holder.get(f"/v1/runs/{run_id}")).status_code == 200
    async with bearing(secret("bot")) as admin:
        assert (await admin.delete(address)).status_code == 204


async def test_a_token_never_outlives_its_minters_key(parts: Parts, tmp_path: Path, worker: None) -> None:
    ends = datetime.now(UTC) + timedelta(hours=1)
    file = write_keys(tmp_path / "short.json", {"short": {**KEYS["backend"], "expires_at": ends.isoformat()}})
    app = Gateway(replace(parts, keys=ApiKeys(file))).app()
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(
        transport=transport, base_url=ORIGIN, headers={"authorization": f"Bearer {secret('short')}"}
    ) as minter:
        answer = await minter.post("/v1/tokens", json={"allow": [{"start": "echo"}], "expires_in": 86_400})

    assert datetime.fromisoformat(answer.json()["expires_at"]) == ends


LOST: Mapping[str, Mapping[str, Mapping[str, object]]] = {
    "revoked": {key: given for key, given in KEYS.items() if key != "backend"},
    "expired": {**KEYS, "backend": {**KEYS["backend"], "expires_at": "2020-01-01T00:00:00Z"}},
    "moved to another tenant": {**KEYS, "backend": {**KEYS["backend"], "tenant": "other"}},
    "no longer a backend": {**KEYS, "backend": {**KEYS["backend"], "kind": "human"}},
}


@pytest.mark.parametrize("changed", LOST.values(), ids=LOST.keys())
async def test_a_minters_lost_key_ends_its_tokens_and_their_tickets_at_once(
    changed: Mapping[str, Mapping[str, object]],
    backend: httpx2.AsyncClient,
    bearing: Bearing,
    keys: ApiKeys,
    tmp_path: Path,
) -> None:
    run_id = await started(backend)
    token = await minted(backend, {"watch": run_id}, on_behalf_of=USER)
    async with bearing(token) as page:
        ticket = (await page.post("/v1/stream-tickets", json={"runs": [run_id]})).json()["ticket"]
        write_keys(tmp_path / "scoped.json", changed)
        keys.reload()
        read = await page.get(f"/v1/runs/{run_id}")
        del page.headers["authorization"]
        stream = await page.head(f"/v1/runs/{run_id}/stream", params={"ticket": ticket})

    assert (read.status_code, stream.status_code) == (401, 401)


async def test_a_role_that_the_minter_loses_is_lost_by_its_tokens(
    backend: httpx2.AsyncClient, bearing: Bearing, keys: ApiKeys, tmp_path: Path
) -> None:
    run_id = await started(backend, ask=True)
    await asked(backend, run_id)
    async with bearing(await minted(backend, deciding(run_id), {"watch": run_id})) as page:
        write_keys(tmp_path / "scoped.json", {**KEYS, "backend": {**KEYS["backend"], "roles": ["operator"]}})
        keys.reload()
        decision, read = await decide(page, run_id), await page.get(f"/v1/runs/{run_id}")

    assert (decision.status_code, read.status_code) == (403, 200)


@pytest.mark.parametrize(
    ("minter", "allow", "more", "status"),
    [
        pytest.param("viewer", {"start": "echo"}, {}, 403, id="a viewer for starts"),
        pytest.param("viewer", deciding(), {}, 403, id="a viewer for decisions"),
        pytest.param("bot", deciding(), {}, 403, id="an agent for decisions"),
        pytest.param("lan", deciding(), {"on_behalf_of": USER}, 403, id="a person for another person"),
        pytest.param("bot", {"start": "echo"}, {"on_behalf_of": USER}, 403, id="an agent for a person"),
        pytest.param("backend", deciding(), {"on_behalf_of": {**USER, "groups": ["board"]}}, 403, id="group"),
        pytest.param("backend", deciding(), {"on_behalf_of": {"id": "a#b"}}, 422, id="an id that is two"),
        pytest.param("backend", {"watch": "no-such-run"}, {}, 422, id="an unknown run"),
        pytest.param("backend", deciding("no-such-run"), {}, 422, id="an approval of an unknown run"),
        pytest.param("backend", {"start": "none"}, {}, 422, id="an unknown pipeline"),
        pytest.param("backend", {}, {}, 422, id="nothing"),
        pytest.param("backend", {"start": "echo", "watch": "r"}, {}, 422, id="two in one"),
        pytest.param("backend", {"start": "echo"}, {"times": 0}, 422, id="no times"),
        pytest.param("backend", {"start": "echo"}, {"expires_in": 86_401}, 422, id="more than a day"),
    ],
)
async def test_nobody_mints_more_than_they_may_do(
    bearing: Bearing, minter: str, allow: Mapping[str, object], more: Mapping[str, object], status: int
) -> None:
    async with bearing(secret(minter)) as caller:
        answer = await caller.post("/v1/tokens", json={"allow": [allow], **more})

    assert answer.status_code == status, answer.text


async def test_a_token_for_a_foreign_run_is_not_minted(backend: httpx2.AsyncClient, bearing: Bearing) -> None:
    run_id = await started(backend)
    async with bearing(secret("stranger")) as stranger:
        answer = await stranger.post("/v1/tokens", json={"allow": [{"watch": run_id}]})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "allow[0].watch")


async def test_end_users_have_the_groups_that_the_minter_gives_and_has(
    backend: httpx2.AsyncClient, bearing: Bearing, keys: ApiKeys, tmp_path: Path
) -> None:
    user = {**USER, "groups": ["shop", "legal"]}
    token = await minted(backend, {"start": "echo"}, on_behalf_of=user, times=2)
    async with bearing(token) as page:
        run_id = (await start(page)).json()["run_id"]
        starter = (await page.get(f"/v1/runs/{run_id}")).json()["starter"]
        write_keys(tmp_path / "scoped.json", {**KEYS, "backend": {**KEYS["backend"], "groups": ["shop"]}})
        keys.reload()
        later = (await start(page, "later")).json()["run_id"]
        reduced = (await page.get(f"/v1/runs/{later}")).json()["starter"]

    assert (starter["groups"], reduced["groups"]) == (["shop", "legal"], ["shop"])
