"""CORS: only configured origins, never `*`; cookies only for Temporal's UI at the codec endpoint."""

import base64
from dataclasses import replace
from pathlib import Path

import httpx2
import msgspec
import pytest
from starlette.applications import Starlette
from temporalio.api.common.v1 import Payload

from signalbox_core.temporal import connect
from signalbox_core.temporal.codec import SealedPayloads, bind_payloads_to
from signalbox_core.testing.objects import FakeObjectStore
from signalbox_gateway.app import Gateway, Parts
from support.fakes.payload_keys import new_ring
from support.servers.gateway import client_of

APP, UI, EVIL = "https://app.test", "https://temporal.test", "https://evil.test"
CODEC = "/v1/codec/decode"


async def preflight(caller: httpx2.AsyncClient, origin: str, path: str) -> httpx2.Response:
    asks = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,last-event-id,traceparent,tracestate",
    }
    return await caller.options(path, headers=asks)


@pytest.mark.parametrize(
    ("origin", "path", "is_allowed", "with_cookies"),
    [
        (APP, "/v1/runs", True, False),
        (UI, "/v1/runs", False, False),
        (EVIL, "/v1/runs", False, False),
        ("null", "/v1/runs", False, False),
        (f"{APP}.evil.test", "/v1/runs", False, False),
        (UI, CODEC, True, True),
        (APP, CODEC, False, False),
        (EVIL, CODEC, False, False),
    ],
)
async def test_only_configured_origins_are_answered(
    app: Starlette, origin: str, path: str, is_allowed: bool, with_cookies: bool
) -> None:
    async with client_of(app) as caller:
        asked = await preflight(caller, origin, path)
        sent = await caller.post(path, json={}, headers={"origin": origin})

    for answer in (asked, sent):
        assert answer.headers.get("access-control-allow-origin") == (origin if is_allowed else None)
        may_have_cookies = is_allowed and answer.headers.get("access-control-allow-credentials") == "true"
        assert may_have_cookies is with_cookies
    assert (asked.status_code == 200) is is_allowed


async def test_without_configuration_no_origin_is_answered(parts: Parts) -> None:
    closed = replace(
        parts, settings=msgspec.structs.replace(parts.settings, cors_origins=(), temporal_ui_url=None)
    )
    async with client_of(Gateway(closed).app()) as caller:
        for origin in (APP, UI):
            assert (
                "access-control-allow-origin"
                not in (await caller.get("/v1/runs", headers={"origin": origin})).headers
            )


async def test_the_codec_opens_for_admins_only_what_is_sealed(
    parts: Parts, temporal_address: str, tmp_path: Path
) -> None:
    ring = new_ring(tmp_path)
    sealing = await connect(temporal_address, "default", keys=ring)
    clear = Payload(metadata={"encoding": b"json/plain"}, data=b'{"text":"hi"}')
    (sealed,) = await SealedPayloads(ring).encode([clear])
    damaged = Payload(metadata=dict(sealed.metadata), data=sealed.data[:-1] + bytes([sealed.data[-1] ^ 1]))
    app = Gateway(replace(parts, temporal=sealing)).app()

    async with (
        client_of(app, "deployer") as admin,
        client_of(app, "operator") as operator,
        client_of(app, None) as nobody,
    ):
        opened = await admin.post(
            CODEC, json={"payloads": [as_json(sealed), as_json(clear)]}, headers={"x-namespace": "default"}
        )
        broken = await admin.post(CODEC, json={"payloads": [as_json(damaged)]})
        refused = [
            (await caller.post(CODEC, json={"payloads": []})).status_code for caller in (operator, nobody)
        ]

    assert opened.json()["payloads"] == [as_json(clear), as_json(clear)]
    assert (broken.status_code, broken.json()["code"]) == (503, "payload_damaged")
    assert refused == [403, 401]


async def test_an_admin_decrypts_only_payloads_of_the_own_tenant(
    parts: Parts, temporal_address: str, tmp_path: Path
) -> None:
    ring = new_ring(tmp_path)
    sealing = await connect(temporal_address, "default", keys=ring)
    clear = Payload(metadata={"encoding": b"json/plain"}, data=b'"hi"')
    (unbound,) = await SealedPayloads(ring).encode([clear])
    with bind_payloads_to("acme"):
        (own,) = await SealedPayloads(ring).encode([clear])
    with bind_payloads_to("other"):
        (foreign,) = await SealedPayloads(ring).encode([clear])
    app = Gateway(replace(parts, temporal=sealing)).app()

    async with (
        client_of(app) as admin,
        client_of(app, "stranger") as other_admin,
        client_of(app, "deployer") as deployer,
    ):
        opened = await admin.post(CODEC, json={"payloads": [as_json(own), as_json(clear)]})
        refused = [
            await caller.post(CODEC, json={"payloads": [as_json(clear), as_json(payload)]})
            for caller, payload in ((admin, foreign), (admin, unbound), (other_admin, own))
        ]
        all_decrypted = await deployer.post(
            CODEC, json={"payloads": [as_json(payload) for payload in (own, foreign, unbound)]}
        )

    assert opened.json()["payloads"] == [as_json(clear), as_json(clear)]
    assert [(answer.status_code, answer.json()["code"]) for answer in refused] == [(403, "forbidden")] * 3
    assert all("deployment_operator" in answer.json()["detail"] for answer in refused)
    assert all_decrypted.json()["payloads"] == [as_json(clear)] * 3


def as_json(payload: Payload) -> dict[str, object]:
    """Protobuf's JSON form, as Temporal's UI sends it."""
    encoded = {name: base64.b64encode(value).decode() for name, value in payload.metadata.items()}
    return {"metadata": encoded, "data": base64.b64encode(payload.data).decode()}


@pytest.mark.parametrize("is_sealed", [True, False], ids=["sealed", "plain"])
async def test_the_codec_fetches_large_payloads_of_the_own_tenant_only(
    parts: Parts, temporal_address: str, tmp_path: Path, *, is_sealed: bool
) -> None:
    objects = FakeObjectStore()
    client = await connect(
        temporal_address, "default", keys=new_ring(tmp_path) if is_sealed else None, objects=objects
    )
    codec = client.data_converter.payload_codec
    assert codec is not None
    large = Payload(metadata={"encoding": b"json/plain"}, data=b'"' + b"x" * 300_000 + b'"')
    (unbound,) = await codec.encode([large])
    with bind_payloads_to("acme"):
        (own,) = await codec.encode([large])
    with bind_payloads_to("other"):
        (foreign,) = await codec.encode([large])
    app = Gateway(replace(parts, temporal=client)).app()

    async with client_of(app) as admin, client_of(app, "deployer") as deployer:
        fetched = await admin.post(CODEC, json={"payloads": [as_json(own)]})
        refused = [await admin.post(CODEC, json={"payloads": [as_json(item)]}) for item in (foreign, unbound)]
        all_fetched = await deployer.post(
            CODEC, json={"payloads": [as_json(item) for item in (own, foreign, unbound)]}
        )

    assert fetched.json()["payloads"] == [as_json(large)]
    assert [(answer.status_code, answer.json()["code"]) for answer in refused] == [(403, "forbidden")] * 2
    assert all_fetched.json()["payloads"] == [as_json(large)] * 3


async def test_the_codec_fetches_no_more_than_it_may(parts: Parts, temporal_address: str) -> None:
    client = await connect(temporal_address, "default", objects=FakeObjectStore())
    codec = client.data_converter.payload_codec
    assert codec is not None
    large = Payload(metadata={"encoding": b"json/plain"}, data=b'"' + b"x" * 17_000_000 + b'"')
    with bind_payloads_to("acme"):
        (claim,) = await codec.encode([large])

    async with client_of(Gateway(replace(parts, temporal=client)).app()) as admin:
        answer = await admin.post(CODEC, json={"payloads": [as_json(claim), as_json(claim)]})

    first, second = answer.json()["payloads"]
    assert (len(first["data"]) > 17_000_000, second) == (True, as_json(claim))
