"""Bearer tokens of OpenID issuers, against a real issuer over a socket: every invalid token is refused."""

import base64
import hmac
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.applications import Starlette

from signalbox_core.http.cached_document import fetch_document, open_key_client
from signalbox_gateway.app import Gateway, Parts
from signalbox_gateway.auth.oidc import MEDIA_TYPES, Tokens
from signalbox_gateway.auth.sessions import COOKIE
from support.drivers.api_calls import started
from support.servers.gateway import ORIGIN, client_of
from support.servers.issuer import Issuer, changed, running_issuer, write_issuers

Ask = Callable[[str], httpx2.AsyncClient]


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with running_issuer() as issuer:
        yield issuer


@pytest.fixture
async def tokens(issuer: Issuer, tmp_path: Path) -> AsyncIterator[Tokens]:
    async with open_key_client(None, "CA_FILE") as web:
        path = write_issuers(tmp_path / "issuers.json", issuer.trusted())
        yield Tokens(path, partial(fetch_document, web, media_types=MEDIA_TYPES))


@pytest.fixture
def app(parts: Parts, tokens: Tokens) -> Starlette:
    return Gateway(replace(parts, tokens=tokens)).app()


@pytest.fixture
def bearing(app: Starlette) -> Ask:
    """A caller with this token."""

    def bearing(token: str) -> httpx2.AsyncClient:
        caller = client_of(app, None)
        caller.headers["authorization"] = f"Bearer {token}"
        return caller

    return bearing


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
async def test_a_token_identifies_its_subject(bearing: Ask, issuer: Issuer, alg: str) -> None:
    async with bearing(issuer.token(alg=alg, roles=["operator", "approver", "astronaut"])) as caller:
        told = (await caller.get("/v1/sessions")).json()

    assert (told["name"], told["tenant"], told["roles"]) == ("lan", "acme", ["approver", "operator"])
    assert told["expires_at"] is not None


async def test_roles_and_tenants_hold_for_tokens_as_for_keys(bearing: Ask, issuer: Issuer) -> None:
    async with bearing(issuer.token(roles=["operator"])) as operator, bearing(issuer.token()) as viewer:
        run_id = await started(operator)
        assert (await viewer.get(f"/v1/runs/{run_id}")).status_code == 200
        assert (await viewer.post(f"/v1/runs/{run_id}/cancel")).status_code == 403
    async with bearing(issuer.token(tenant="other", roles=["admin"])) as stranger:
        assert (await stranger.get(f"/v1/runs/{run_id}")).status_code == 404
    async with bearing(issuer.token(roles=None)) as nobody:
        assert (await nobody.get("/v1/runs")).status_code == 403


def unsigned(issuer: Issuer) -> str:
    good = jwt.decode(issuer.token(), options={"verify_signature": False})
    return jwt.encode(good, None, "none", {"kid": "x"})


def signed_with_the_public_key(issuer: Issuer) -> str:
    """Algorithm confusion: HMAC with the public key as the secret."""
    token = issuer.token(alg="RS256")
    jwks = httpx2.get(f"{issuer.origin}/keys", trust_env=False, timeout=60).json()["keys"]
    kid = jwt.get_unverified_header(token)["kid"]
    public = jwt.PyJWK(next(key for key in jwks if key["kid"] == kid)).key.public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    signed = changed(token, head={"alg": "HS256"}).rpartition(".")[0]
    signature = base64.urlsafe_b64encode(hmac.digest(public, signed.encode(), "sha256")).decode().rstrip("=")
    return f"{signed}.{signature}"


REFUSED: dict[str, Callable[[Issuer], str]] = {
    "expired": lambda issuer: issuer.token(exp=int(time.time()) - 60),
    "not yet valid": lambda issuer: issuer.token(nbf=int(time.time()) + 600),
    "without expiry": lambda issuer: issuer.token(exp=None),
    "with an expiry of another type": lambda issuer: issuer.token(exp=[1]),
    "with an expiry as text": lambda issuer: issuer.token(exp=str(int(time.time()) + 600)),
    "with a beginning of another type": lambda issuer: issuer.token(nbf={}),
    "for another audience": lambda issuer: issuer.token(aud="billing"),
    "without audience": lambda issuer: issuer.token(aud=None),
    "of another issuer": lambda issuer: issuer.token(iss="https://evil.test"),
    "of an issuer with another spelling": lambda issuer: issuer.token(iss=f"{issuer.origin}/"),
    "without subject": lambda issuer: issuer.token(sub=None),
    "without tenant": lambda issuer: issuer.token(tenant=None),
    "of a tenant that is no name": lambda issuer: issuer.token(tenant="a' OR '1'='1"),
    "of two tenants": lambda issuer: issuer.token(tenant=["acme", "other"]),
    "with an unknown key": lambda issuer: issuer.token(headers={"kid": "nobody"}),
    "with the key of another algorithm": lambda issuer: changed(
        issuer.token(alg="ES256"), head={"alg": "RS256"}
    ),
    "of another kind": lambda issuer: issuer.token(headers={"typ": "logout+jwt"}),
    "with critical extensions": lambda issuer: issuer.token(headers={"crit": ["exotic"], "exotic": True}),
    "with changed claims": lambda issuer: changed(issuer.token(), roles=["admin"]),
    "with a changed signature": lambda issuer: issuer.token()[:-8] + "AAAAAAAA",
    "without signature": lambda issuer: issuer.token().rpartition(".")[0] + ".",
    "that says it is unsigned": unsigned,
    "signed with the public key": signed_with_the_public_key,
    "too long": lambda issuer: issuer.token(padding="x" * 9_000),
    "that is garbage": lambda _issuer: "a.b.c",
    "that is empty": lambda _issuer: "..",
}


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED.keys())
async def test_an_invalid_token_is_refused_without_a_reason(
    bearing: Ask, issuer: Issuer, make: Callable[[Issuer], str]
) -> None:
    async with bearing(make(issuer)) as caller:
        answer = await caller.get("/v1/runs")

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.json()["detail"] in {
        "the token has expired; get a new one",
        "the token is invalid; get one from a configured issuer, for this audience",
    }


async def test_new_keys_are_fetched_and_unknown_key_ids_do_not_load_the_issuer(
    bearing: Ask, issuer: Issuer
) -> None:
    async with bearing(issuer.token()) as caller:
        assert (await caller.get("/v1/runs")).status_code == 200
    before = issuer.fetches()["keys"]
    for number in range(20):
        async with bearing(issuer.token(headers={"kid": f"made-up-{number}"})) as attacker:
            assert (await attacker.get("/v1/runs")).status_code == 401
    assert issuer.fetches()["keys"] == before  # asked again every 30 s at most


async def test_an_issuer_that_was_never_reached_is_a_503_and_a_known_one_may_be_unavailable(
    parts: Parts, issuer: Issuer, tmp_path: Path
) -> None:
    path = tmp_path / "issuers.json"
    async with open_key_client(None, "CA_FILE") as web:
        cold = Tokens(
            write_issuers(path, issuer.trusted()), partial(fetch_document, web, media_types=MEDIA_TYPES)
        )
        token = issuer.token()
        issuer.go(down=True)
        async with client_of(Gateway(replace(parts, tokens=cold)).app(), None) as caller:
            away = await caller.get("/v1/runs", headers={"authorization": f"Bearer {token}"})
        issuer.go(down=False)
        warm = Tokens(path, partial(fetch_document, web, media_types=MEDIA_TYPES))
        async with client_of(Gateway(replace(parts, tokens=warm)).app(), None) as caller:
            caller.headers["authorization"] = f"Bearer {token}"
            assert (await caller.get("/v1/runs")).status_code == 200
            issuer.go(down=True)
            known = await caller.get("/v1/runs")
    issuer.go(down=False)

    assert (away.status_code, away.json()["code"]) == (503, "issuer_unavailable")
    assert known.status_code == 200


async def test_the_issuers_file_decides_which_claims_count(
    bearing: Ask, issuer: Issuer, tokens: Tokens, tmp_path: Path
) -> None:
    mapped = {
        "tenant_claim": None,
        "tenant": "acme",
        "roles_claim": "realm_access.roles",
        "roles": {"sb-ops": ["operator"]},
    }
    write_issuers(tmp_path / "issuers.json", issuer.trusted(**mapped, name_claim="email"))
    tokens.reload()
    claims = {
        "tenant": "other",
        "roles": ["admin"],
        "realm_access": {"roles": ["sb-ops", "admin"]},
        "email": "lan@acme.test",
    }
    async with bearing(issuer.token(**claims)) as caller:
        told = (await caller.get("/v1/sessions")).json()
    assert (told["name"], told["tenant"], told["roles"]) == ("lan@acme.test", "acme", ["operator"])

    write_issuers(tmp_path / "issuers.json", issuer.trusted(tenants=["acme"], revoked=["mallory"]))
    tokens.reload()
    trusted: list[tuple[dict[str, str], int]] = [
        ({}, 200),
        ({"tenant": "other"}, 401),
        ({"sub": "mallory"}, 401),
    ]
    for given, status in trusted:
        async with bearing(issuer.token(**given)) as caller:
            assert (await caller.get("/v1/runs")).status_code == status


async def test_a_session_and_a_ticket_of_a_token_end_with_it_and_with_the_trust_in_it(
    app: Starlette, bearing: Ask, issuer: Issuer, tokens: Tokens, tmp_path: Path
) -> None:
    token = issuer.token(roles=["operator"])
    async with bearing(token) as caller, client_of(app, None) as browser:
        run_id = await started(caller)
        signed_in = await browser.post("/v1/sessions", json={"token": token}, headers={"origin": ORIGIN})
        browser.cookies.clear()
        session = {"cookie": f"{COOKIE}={signed_in.cookies[COOKIE]}"}
        ticket = (await caller.post("/v1/stream-tickets", json={"runs": [run_id]})).json()

        assert signed_in.json()["expires_at"] == (await caller.get("/v1/sessions")).json()["expires_at"]
        assert (await browser.get("/v1/runs", headers=session)).status_code == 200
        assert (
            await browser.head(f"/v1/runs/{run_id}/stream", params={"ticket": ticket["ticket"]})
        ).status_code == 200
        write_issuers(tmp_path / "issuers.json", issuer.trusted(revoked=["lan"]))
        tokens.reload()
        assert (await browser.get("/v1/runs", headers=session)).status_code == 401
        assert (
            await browser.head(f"/v1/runs/{run_id}/stream", params={"ticket": ticket["ticket"]})
        ).status_code == 401


async def test_signing_in_takes_exactly_one_credential(app: Starlette, issuer: Issuer) -> None:
    async with client_of(app, None) as browser:
        for body in ({}, {"api_key": "sbx_test_viewer", "token": issuer.token()}):
            assert (await browser.post("/v1/sessions", json=body)).status_code == 422
