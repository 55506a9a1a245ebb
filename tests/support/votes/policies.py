"""The rules of policies, callers whom they exclude, and the endpoints by which these could vote."""

import uuid
from collections.abc import Callable, Mapping
from typing import Final

import httpx2
import msgspec
from starlette.applications import Starlette
from starlette.routing import Mount, Route
from temporalio.client import Client

from signalbox_core.crypto.api_keys import Role
from signalbox_core.events import Snapshot
from signalbox_core.events.snapshot import ApprovalState
from signalbox_core.ids import run_key
from signalbox_core.pipeline import Policy, Quorum
from signalbox_core.pipeline.contract.messages import QUERY_SNAPSHOT, Decision
from signalbox_core.subjects import Subject
from signalbox_gateway.api.endpoint import Dispatcher, Endpoint
from support.drivers.api_calls import asked, started

DECIDERS: Final[Mapping[str, tuple[str, ...]]] = {
    "an": ("marketing",),
    "lan": ("marketing",),
    "minh": ("legal",),
    "nam": (),
}
KEYS: Final[Mapping[str, Mapping[str, object]]] = {
    **{name: {"roles": ["operator", "approver"], "groups": groups} for name, groups in DECIDERS.items()},
    "bot": {"roles": ["operator", "approver"], "kind": "agent", "groups": ["marketing", "legal"]},
    "robot": {"roles": ["operator", "approver"], "kind": "service", "groups": ["marketing", "legal"]},
    "stranger": {"roles": ["admin"], "tenant": "other", "groups": ["marketing", "legal"]},
}
RULES: Final[Mapping[str, tuple[Policy, str]]] = {
    "quorum": (Policy(quorum=(Quorum(2, "marketing"),)), "minh"),
    "no group": (Policy(quorum=(Quorum(1, "marketing"), Quorum(1, "legal"))), "nam"),
    "exclude_starter": (Policy(quorum=(Quorum(2),), exclude_starter=True), "an"),
    "people": (Policy(quorum=(Quorum(2),), people=("key:an", "key:lan")), "minh"),
    "agent": (Policy(quorum=(Quorum(1, "marketing"),)), "bot"),
    "agent, default": (Policy(), "bot"),
    "signature": (Policy(quorum=(Quorum(1, "marketing"),), veto=("legal",), require_signature=True), "lan"),
    "signature, veto": (Policy(veto=("legal",), require_signature=True), "minh"),
    "signature, default": (Policy(require_signature=True), "nam"),
    "signature, service": (Policy(quorum=(Quorum(1, "marketing"),), require_signature=True), "robot"),
    "tenant": (Policy(quorum=(Quorum(1, "marketing"),)), "stranger"),
    "tenant, default": (Policy(), "stranger"),
}
"""A policy, and a caller whom it excludes. The run was started by An."""
As = Callable[[str], httpx2.AsyncClient]


def secret(name: str) -> str:
    return f"sbx_policies_{name}"


def all_endpoints(app: Starlette) -> list[Endpoint]:
    dispatchers = [
        route.app
        for route in app.routes
        if isinstance(route, Route | Mount) and isinstance(route.app, Dispatcher)
    ]
    return [endpoint for dispatcher in dispatchers for endpoint in dispatcher.endpoints]


def vote_endpoints(app: Starlette) -> list[Endpoint]:
    """The endpoints that act on an approval with an account."""
    return [
        endpoint
        for endpoint in all_endpoints(app)
        if endpoint.role is Role.APPROVER and endpoint.method == "POST" and "/approvals" in endpoint.path
    ]


BODIES: Final[Mapping[str, Mapping[str, object]]] = {
    "decide": {"answer": {"word": "yes"}},
    "object": {"reason": "misleading"},
    "claim_approval": {},
    "release_approval": {},
    "delegate_approval": {"to": "key:lan"},
    "decide_many": {},
}
BOUND: Final = {"decide", "object"}
"""The endpoints that take the digest of the question."""


def expected_refusal(policy: Policy) -> tuple[int, str]:
    """Status and code of a vote that a rule excludes; that of a signature excludes every unsigned vote."""
    return (422, "signature_required") if policy.require_signature else (403, "not_allowed_by_policy")


def body_of(endpoint: Endpoint, run_id: str, digest: str) -> Mapping[str, object]:
    body = BODIES[endpoint.name]
    if endpoint.name == "decide_many":
        vote = {"run_id": run_id, "approval_id": "word", "digest": digest, **BODIES["decide"]}
        return {"decisions": [vote]}
    return {"digest": digest, **body} if endpoint.name in BOUND else body


def path_of(endpoint: Endpoint, run_id: str) -> str:
    return endpoint.path.replace("{run_id}", run_id).replace("{approval_id}", "word")


async def run_with(as_user: As, policy: Policy) -> tuple[str, str]:
    """Start a run that asks under this policy; return its id and the digest of its question."""
    async with as_user("an") as starter:
        given = {} if policy.is_default else {"policy": msgspec.to_builtins(policy)}
        run_id = await started(starter, ask=True, **given)
        await asked(starter, run_id)
        approval = await starter.get(f"/v1/runs/{run_id}/approvals/word")
    return run_id, str(approval.json()["digest"])


async def workflow_state(temporal: Client, run_id: str) -> ApprovalState:
    handle = temporal.get_workflow_handle(run_key("acme", run_id))
    snapshot: Snapshot = await handle.query(QUERY_SNAPSHOT, result_type=Snapshot)
    return snapshot.approvals[0]


def forged(caller: str, digest: str, *, objection: bool) -> Decision:
    """The message that a gateway would send for this caller."""
    kind = KEYS[caller].get("kind", "human")
    groups = KEYS[caller]["groups"]
    return Decision(
        approval_id="word",
        decision_id=f"{caller}-{uuid.uuid4().hex[:6]}",
        answer=msgspec.Raw(b"null" if objection else b'{"word":"yes"}'),
        decided_by=caller,
        decider=msgspec.convert({"subject": f"key:{caller}", "kind": kind, "groups": groups}, Subject),
        objection=objection,
        note="misleading",
        digest=digest,
    )
