"""Passkeys: registered by people, kept in the object store, and every wrong signature is refused by name."""

import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import httpx2
import msgspec
import pytest
from msgspec.structs import asdict
from msgspec.structs import replace as with_fields
from starlette.applications import Starlette
from temporalio.client import Client

from signalbox_core import base64url
from signalbox_core.events import Snapshot
from signalbox_core.ids import run_key
from signalbox_core.ledger.entries import decode_entry
from signalbox_core.ledger.layout import LogKeys, TileReader
from signalbox_core.ledger.notes import parse_checkpoint
from signalbox_core.passkeys.signature import DecisionStatement, answer_sha256, note_sha256
from signalbox_core.pipeline import Policy, Quorum
from signalbox_core.pipeline.contract.messages import QUERY_SNAPSHOT, SIGNAL_DECIDE, Decision
from signalbox_core.subjects import Subject
from signalbox_gateway.app import Gateway, Parts
from signalbox_gateway.auth.authenticator import ApiKeys
from signalbox_gateway.passkeys.store import PasskeyStore
from support.drivers.api_calls import Json, asked, ended, started
from support.fakes.api_keys import write_api_keys
from support.fakes.authenticator import ORIGIN, RP_ID, Authenticator
from support.fakes.ledger import SIGNER
from support.servers.gateway import PATIENCE

KEYS: Final[Mapping[str, Mapping[str, object]]] = {
    "lan": {"roles": ["operator", "approver"]},
    "minh": {"roles": ["approver"]},
    "vy": {"roles": ["viewer"]},
    "boss": {"roles": ["admin"]},
    "robot": {"roles": ["approver"], "kind": "service"},
    "bot": {"roles": ["approver"], "kind": "agent"},
    "stranger": {"roles": ["admin"], "tenant": "other"},
}
SIGNED: Final = Policy(require_signature=True)
As = Callable[[str], httpx2.AsyncClient]


def secret(name: str) -> str:
    return f"sbx_passkeys_{name}"


@pytest.fixture
def signing_parts(parts: Parts, tmp_path: Path) -> Parts:
    keys = {name: {"name": name.title(), **given} for name, given in KEYS.items()}
    path = write_api_keys(tmp_path / "passkeys.json", secret, keys)
    settings = with_fields(parts.settings, passkey_rp_id=RP_ID, passkey_origins=(ORIGIN,))
    return replace(parts, keys=ApiKeys(path), settings=settings, ledger_signers=(SIGNER,))


def client(app: Starlette, name: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app),
        base_url=ORIGIN,
        headers={"authorization": f"Bearer {secret(name)}"},
    )


@pytest.fixture
def as_user(signing_parts: Parts) -> As:
    app = Gateway(signing_parts, deadline=PATIENCE).app()
    return lambda name: client(app, name)


@pytest.fixture
async def lan(as_user: As) -> AsyncIterator[httpx2.AsyncClient]:
    async with as_user("lan") as caller:
        yield caller


def new_authenticator() -> Authenticator:
    return Authenticator(uuid.uuid4().hex)


async def register(
    caller: httpx2.AsyncClient, authenticator: Authenticator | None = None
) -> tuple[Authenticator, httpx2.Response]:
    made = authenticator or new_authenticator()
    options = await caller.post("/v1/passkeys/options")
    assert options.status_code == 200, options.text
    credential = made.create(base64url.decode_canonical(options.json()["challenge"]))
    return made, await caller.post("/v1/passkeys", json={"name": "laptop", **credential})


async def asked_run(caller: httpx2.AsyncClient, policy: Policy = SIGNED) -> tuple[str, str]:
    """Start a run that asks by this policy; its id and the digest of its question."""
    run_id = await started(caller, ask=True, policy=msgspec.to_builtins(policy))
    await asked(caller, run_id)
    approval = await caller.get(f"/v1/runs/{run_id}/approvals/word")
    return run_id, str(approval.json()["digest"])


def statement(run_id: str, digest: str, decision_id: str, subject: str = "key:lan") -> DecisionStatement:
    return DecisionStatement(
        tenant="acme",
        run_id=run_id,
        approval_id="word",
        question_digest=digest,
        decision_id=decision_id,
        subject=subject,
        answer_sha256=answer_sha256(msgspec.Raw(b'{"word":"yes"}')),
        note_sha256=note_sha256(None),
    )


def body(digest: str, decision_id: str, signature: object) -> Json:
    return {
        "answer": {"word": "yes"},
        "digest": digest,
        "decision_id": decision_id,
        "signature": asdict(signature) if isinstance(signature, msgspec.Struct) else signature,
    }


def signed_body(made: Authenticator, run_id: str, digest: str, decision_id: str) -> Json:
    return body(digest, decision_id, made.sign(statement(run_id, digest, decision_id).challenge))


async def decide(
    caller: httpx2.AsyncClient, run_id: str, sent: Json, verb: str = "decision"
) -> tuple[int, str]:
    reply = await caller.post(f"/v1/runs/{run_id}/approvals/word/{verb}", json=sent)
    return reply.status_code, reply.json().get("code") or reply.json()["status"]


async def test_a_person_registers_lists_and_revokes_a_passkey(lan: httpx2.AsyncClient, as_user: As) -> None:
    made, registered = await register(lan)
    listed = (await lan.get("/v1/passkeys")).json()
    async with as_user("minh") as minh, as_user("boss") as boss, as_user("stranger") as stranger:
        denied = await minh.get("/v1/passkeys", params={"subject": "key:lan"})
        seen = await boss.get("/v1/passkeys", params={"subject": "key:lan"})
        of_other = [await other.delete(f"/v1/passkeys/{made.credential_id}") for other in (minh, stranger)]
        revoked = await boss.delete(f"/v1/passkeys/{made.credential_id}")
    again = await lan.delete(f"/v1/passkeys/{made.credential_id}")
    after = (await lan.get("/v1/passkeys")).json()["passkeys"]

    assert registered.status_code == 201, registered.text
    assert (listed["rp_id"], listed["tenant"], listed["subject"]) == (RP_ID, "acme", "key:lan")
    assert [item["id"] for item in listed["passkeys"]] == [made.credential_id]
    assert (denied.status_code, seen.json()["passkeys"]) == (403, listed["passkeys"])
    assert [(item.status_code, item.json()["code"]) for item in of_other] == [(404, "passkey_unknown")] * 2
    assert (revoked.status_code, again.status_code) == (204, 204)
    assert (after[0]["revoked_by"], bool(after[0]["revoked_at"])) == ("Boss", True)


async def test_the_ledger_has_registration_and_revocation(
    lan: httpx2.AsyncClient, signing_parts: Parts
) -> None:
    made, _ = await register(lan)
    await lan.delete(f"/v1/passkeys/{made.credential_id}")
    await lan.delete(f"/v1/passkeys/{made.credential_id}")
    keys, objects = LogKeys("acme"), signing_parts.objects
    size = parse_checkpoint((await objects.get(keys.checkpoint)).decode()).size
    reader = TileReader(objects, keys)
    entries = [decode_entry(await reader.entry(index, size)) for index in range(size)]
    assert [entry.event for entry in entries] == ["passkey.registered", "passkey.revoked"]
    assert {entry.actor.kind for entry in entries} == {"human"}


async def test_passkeys_outlive_the_gateway_and_redis(lan: httpx2.AsyncClient, signing_parts: Parts) -> None:
    kept, _ = await register(lan)
    revoked, _ = await register(lan)
    await lan.delete(f"/v1/passkeys/{revoked.credential_id}")
    # A store of its own has nothing but the objects: what another gateway has after Redis was lost.
    found = await PasskeyStore(signing_parts.objects).list_of("acme", "key:lan")
    assert [(item.credential_id, gone is None) for item, gone in found] == [
        (kept.credential_id, True),
        (revoked.credential_id, False),
    ]


@pytest.mark.parametrize("name", ["robot", "bot"])
async def test_only_people_register_passkeys(as_user: As, name: str) -> None:
    async with as_user(name) as caller:
        refused = await caller.post("/v1/passkeys/options")
    assert (refused.status_code, refused.json()["code"]) == (403, "not_a_person")


async def test_wrong_registrations_are_refused_by_name(lan: httpx2.AsyncClient, as_user: As) -> None:
    def without_verification() -> Authenticator:
        made = new_authenticator()
        made.verifies_user = False
        return made

    codes = {}
    for case, made in {
        "other page": Authenticator("page", origin="https://evil.test"),
        "other domain": Authenticator("domain", rp_id="evil.test"),
        "no verification": without_verification(),
    }.items():
        _, refused = await register(lan, made)
        codes[case] = (refused.status_code, refused.json()["code"])
    challenge = base64url.decode_canonical((await lan.post("/v1/passkeys/options")).json()["challenge"])
    async with as_user("minh") as minh:
        stolen = {"name": "x", **new_authenticator().create(challenge)}
        reply = await minh.post("/v1/passkeys", json=stolen)
        codes["challenge of another"] = (reply.status_code, reply.json()["code"])
    used, _ = await register(lan)
    async with as_user("minh") as minh:
        _, refused = await register(minh, used)
        codes["passkey of another"] = (refused.status_code, refused.json()["code"])
    invented = {"name": "x", **new_authenticator().create(b"invented challenge of no one....")}
    reply = await lan.post("/v1/passkeys", json=invented)
    codes["invented challenge"] = (reply.status_code, reply.json()["code"])
    malformed = {"name": "x", "credential_id": "eA", "client_data": "eA", "attestation_object": "eA"}
    reply = await lan.post("/v1/passkeys", json=malformed)
    codes["malformed"] = (reply.status_code, reply.json()["code"])
    assert codes == {
        "other page": (403, "passkey_wrong_origin"),
        "other domain": (422, "passkey_invalid"),
        "no verification": (422, "passkey_invalid"),
        "challenge of another": (403, "passkey_challenge_expired"),
        "passkey of another": (409, "passkey_exists"),
        "invented challenge": (403, "passkey_challenge_expired"),
        "malformed": (422, "passkey_invalid"),
    }
    assert len((await lan.get("/v1/passkeys")).json()["passkeys"]) == 1


async def test_passkeys_are_off_unless_they_are_configured(signing_parts: Parts) -> None:
    settings = with_fields(signing_parts.settings, passkey_rp_id=None, passkey_origins=())
    async with client(Gateway(replace(signing_parts, settings=settings)).app(), "lan") as caller:
        replies = [await caller.post("/v1/passkeys/options"), await caller.get("/v1/passkeys")]
    assert [(item.status_code, item.json()["code"]) for item in replies] == [(403, "passkeys_disabled")] * 2


async def test_a_signed_decision_is_accepted_and_can_be_repeated(
    lan: httpx2.AsyncClient, worker: None
) -> None:
    made, _ = await register(lan)
    run_id, digest = await asked_run(lan)
    approval = (await lan.get(f"/v1/runs/{run_id}/approvals/word")).json()
    sent = signed_body(made, run_id, digest, "d-1")
    replies = [await decide(lan, run_id, sent) for _ in range(3)]
    assert (await ended(lan, run_id))["status"] == "completed"
    assert approval["policy"]["require_signature"] is True
    assert replies == [(200, "accepted")] * 3


async def test_a_counted_vote_can_be_repeated_with_its_signature(
    lan: httpx2.AsyncClient, as_user: As, worker: None
) -> None:
    policy = Policy(quorum=(Quorum(2),), require_signature=True)
    made, _ = await register(lan)
    run_id, digest = await asked_run(lan, policy)
    sent = signed_body(made, run_id, digest, "d-1")
    assert [await decide(lan, run_id, sent) for _ in range(2)] == [(200, "counted")] * 2
    async with as_user("minh") as minh:
        other, _ = await register(minh)
        signed = statement(run_id, digest, "d-2", "key:minh")
        assert await decide(minh, run_id, body(digest, "d-2", other.sign(signed.challenge))) == (
            200,
            "accepted",
        )


async def test_wrong_signatures_are_refused_by_name(
    lan: httpx2.AsyncClient, as_user: As, worker: None
) -> None:
    made, _ = await register(lan)
    revoked, _ = await register(lan)
    await lan.delete(f"/v1/passkeys/{revoked.credential_id}")
    async with as_user("minh") as minh:
        of_minh, _ = await register(minh)
    run_id, digest = await asked_run(lan)
    other_run, other_digest = await asked_run(lan)

    def signed(by: Authenticator, decision_id: str, **changed: str) -> Json:
        meant = with_fields(statement(run_id, digest, decision_id), **changed)
        return body(digest, decision_id, by.sign(meant.challenge))

    made.verifies_user = False
    unverified = signed(made, "d-0")
    made.verifies_user = True
    elsewhere = signed(Authenticator("x"), "d-0")
    made.origin = "https://evil.signalbox.test"
    other_page = signed(made, "d-0")
    made.origin = ORIGIN
    cases: dict[str, Json] = {
        "no signature": {"answer": {"word": "yes"}, "digest": digest},
        "wrong challenge": signed(made, "d-0", answer_sha256=answer_sha256(msgspec.Raw(b'{"word":"no"}'))),
        "another run": signed(made, "d-0", run_id=other_run),
        "another decision id": {**signed(made, "d-0"), "decision_id": "d-9"},
        "another person's key": signed(of_minh, "d-0"),
        "revoked key": signed(revoked, "d-0"),
        "unknown key": elsewhere,
        "no user verification": unverified,
        "another page": other_page,
    }
    found = {case: await decide(lan, run_id, sent) for case, sent in cases.items()}
    assert found == {
        "no signature": (422, "signature_required"),
        "wrong challenge": (403, "signature_mismatch"),
        "another run": (403, "signature_mismatch"),
        "another decision id": (403, "signature_mismatch"),
        "another person's key": (403, "passkey_of_another"),
        "revoked key": (403, "passkey_revoked"),
        "unknown key": (403, "passkey_unknown"),
        "no user verification": (403, "user_not_verified"),
        "another page": (403, "passkey_wrong_origin"),
    }
    assert other_digest == digest
    assert (await decide(lan, run_id, signed(made, "d-1")))[0] == 200


async def test_a_replayed_signature_and_a_cloned_counter_are_refused(
    lan: httpx2.AsyncClient, worker: None
) -> None:
    made, _ = await register(lan)
    policy = Policy(quorum=(Quorum(2),), require_signature=True)
    run_id, digest = await asked_run(lan, policy)
    first = made.sign(statement(run_id, digest, "d-1").challenge)
    assert await decide(lan, run_id, body(digest, "d-1", first)) == (200, "counted")

    replayed = await decide(lan, run_id, body(digest, "d-2", first))
    made.sign_count -= 1
    cloned = await decide(lan, run_id, signed_body(made, run_id, digest, "d-3"))
    made.sign_count = -1
    reset = await decide(lan, run_id, signed_body(made, run_id, digest, "d-4"))
    made.sign_count = 9
    grown = await decide(lan, run_id, signed_body(made, run_id, digest, "d-5"))

    assert replayed == (403, "signature_replayed")
    assert cloned == (403, "passkey_cloned")
    assert reset == (403, "passkey_cloned")
    assert grown == (200, "counted")


async def test_a_passkey_that_does_not_count_signs_any_number_of_times(
    lan: httpx2.AsyncClient, worker: None
) -> None:
    made, _ = await register(lan)
    run_id, digest = await asked_run(lan, Policy(quorum=(Quorum(2),), require_signature=True))
    for number in range(3):
        made.sign_count = -1
        sent = signed_body(made, run_id, digest, f"d-{number}")
        assert await decide(lan, run_id, sent) == (200, "counted")


async def test_an_objection_is_signed_too(lan: httpx2.AsyncClient, worker: None) -> None:
    made, _ = await register(lan)
    run_id, digest = await asked_run(lan, Policy(quorum=(Quorum(2),), require_signature=True))
    meant = with_fields(
        statement(run_id, digest, "d-1"),
        answer_sha256=answer_sha256(msgspec.Raw(b"null")),
        note_sha256=note_sha256("misleading"),
        objection=True,
    )
    sent = {"reason": "misleading", "digest": digest, "decision_id": "d-1"}
    unsigned = await decide(lan, run_id, sent, "objection")
    signed = {**sent, "signature": asdict(made.sign(meant.challenge))}
    assert unsigned == (422, "signature_required")
    assert await decide(lan, run_id, signed, "objection") == (200, "counted")


async def test_a_signal_without_a_valid_signature_is_dropped(
    lan: httpx2.AsyncClient, temporal: Client, worker: None
) -> None:
    made, _ = await register(lan)
    run_id, digest = await asked_run(lan)
    handle = temporal.get_workflow_handle(run_key("acme", run_id))
    decision = Decision(
        approval_id="word",
        decision_id="d-1",
        answer=msgspec.Raw(b'{"word":"yes"}'),
        decided_by="Lan",
        digest=digest,
        decider=Subject(subject="key:lan", name="Lan"),
    )
    other = made.sign_statement(statement(run_id, digest, "d-2"))
    await handle.signal(SIGNAL_DECIDE, decision)
    await handle.signal(SIGNAL_DECIDE, with_fields(decision, signature=other))
    last = with_fields(decision, decision_id="d-3", note="signed")
    meant = with_fields(statement(run_id, digest, "d-3"), note_sha256=note_sha256("signed"))
    await handle.signal(SIGNAL_DECIDE, with_fields(last, signature=made.sign_statement(meant)))
    await handle.result()
    snapshot: Snapshot = await handle.query(QUERY_SNAPSHOT, result_type=Snapshot)
    (approval,) = snapshot.approvals
    assert (approval.status, approval.decision_id) == ("decided", "d-3")
