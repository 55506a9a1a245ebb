"""Every entry point of a vote × every rule of a policy × own and other tenant: nobody bypasses a policy.

The entry points are read from the route table, so a new one is covered at once; the workflow's update and
signal are entry points as well. The callers are API keys, scoped tokens and the recipients of decision links.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import httpx2
import msgspec
import pytest
from msgspec.structs import replace as with_fields
from starlette.applications import Starlette
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from signalbox_core.ids import new_run_id, run_key
from signalbox_core.pipeline import Policy, Quorum
from signalbox_core.pipeline.contract.messages import SIGNAL_DECIDE, UPDATE_DECIDE, Decision
from signalbox_core.pipeline.contract.stated_patches import stated_patches
from signalbox_core.process.followed_file import FollowedFile
from signalbox_core.subjects import Subject
from signalbox_core.temporal import names
from signalbox_core.testing.pipeline import pipeline_under_test
from signalbox_gateway.app import Gateway, Parts
from signalbox_gateway.auth.authenticator import ApiKeys
from signalbox_gateway.auth.decision_links import DecisionLink, LinkKeys
from support.assertions.eventually import eventually
from support.drivers.api_calls import asked
from support.fakes.api_keys import write_api_keys
from support.fakes.echo_pipeline import SPEC, EchoInput
from support.fakes.link_keys import write_link_keys
from support.polls.contract import SPEC as POLLS
from support.servers.gateway import ORIGIN, PATIENCE
from support.votes.policies import (
    BODIES,
    BOUND,
    KEYS,
    RULES,
    As,
    all_endpoints,
    body_of,
    expected_refusal,
    forged,
    path_of,
    run_with,
    secret,
    vote_endpoints,
    workflow_state,
)

RECIPIENT: Final = "khach@acme.test"
GUEST_RULES: Final[Mapping[str, tuple[Policy, tuple[str, ...]]]] = {
    "quorum": (RULES["quorum"][0], ("legal",)),
    "no group": (RULES["no group"][0], ()),
    "veto": (Policy(quorum=(Quorum(2, "marketing"),), veto=("legal",)), ("sales",)),
    "exclude_starter": (RULES["exclude_starter"][0], ("marketing",)),
    "people": (RULES["people"][0], ("marketing",)),
    "signature": (RULES["signature"][0], ("marketing",)),
    "signature, veto": (RULES["signature, veto"][0], ("legal",)),
    "signature, default": (RULES["signature, default"][0], ()),
}
"""A policy, and the groups with which it excludes who has a link or a token instead of an API key.

For the rule `exclude_starter` they have started the run.
"""


@pytest.fixture
def link_keys(tmp_path: Path) -> FollowedFile[LinkKeys]:
    return write_link_keys(tmp_path / "link-keys")


@pytest.fixture
def app(parts: Parts, tmp_path: Path, link_keys: FollowedFile[LinkKeys]) -> Starlette:
    keys = {name: {"name": name.title(), **given} for name, given in KEYS.items()}
    path = write_api_keys(tmp_path / "policies.json", secret, keys)
    return Gateway(replace(parts, keys=ApiKeys(path), link_keys=link_keys), deadline=PATIENCE).app()


@pytest.fixture
def as_user(app: Starlette, worker: None) -> As:
    return lambda name: httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app),
        base_url=ORIGIN,
        headers={"authorization": f"Bearer {secret(name)}"},
    )


@pytest.mark.parametrize("rule", RULES)
async def test_no_entry_point_bypasses_a_rule(
    app: Starlette, as_user: As, temporal: Client, rule: str
) -> None:
    policy, excluded = RULES[rule]
    endpoints = vote_endpoints(app)
    assert {endpoint.name for endpoint in endpoints} == set(BODIES), "add the new endpoint's body"
    run_id, digest = await run_with(as_user, policy)
    status, code = expected_refusal(policy)
    attempts = 0

    async with as_user(excluded) as caller:
        for endpoint in endpoints:
            if policy.require_signature and endpoint.name not in {*BOUND, "decide_many"}:
                continue  # the rule is about votes; these endpoints cast none
            body = body_of(endpoint, run_id, digest)
            refused = await caller.request("POST", path_of(endpoint, run_id), json=body)
            attempts += 1
            if refused.status_code == 200:
                assert endpoint.name == "decide_many"
                (result,) = refused.json()["results"]
                expected_code = "unknown_run" if excluded == "stranger" else code
                assert (result["status"], result["code"]) == ("refused", expected_code)
                continue
            expected = {404} if excluded == "stranger" else {status}
            assert refused.status_code in expected, (endpoint.name, refused.text)
            if excluded != "stranger":
                assert refused.json()["code"] == code
    if excluded != "stranger":
        votes = [forged(excluded, digest, objection=objection) for objection in (False, True)]
        attempts += await attempt_messages(temporal, run_id, votes, code)

    state = await workflow_state(temporal, run_id)
    assert (state.status, state.votes, state.answer) == ("pending", (), msgspec.Raw(b"null"))
    assert (state.claim, state.handed_to) == (None, None)
    sys.stdout.write(f"{rule}: {attempts} attempts, 0 bypasses\n")


async def attempt_messages(temporal: Client, run_id: str, votes: Sequence[Decision], code: str) -> int:
    """Vote past the gateway, by update and by signal."""
    handle = temporal.get_workflow_handle(run_key("acme", run_id))
    for vote in votes:
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await handle.execute_update(UPDATE_DECIDE, vote)
        assert isinstance(refused.value.cause, ApplicationError)
        assert refused.value.cause.type == code
        await handle.signal(SIGNAL_DECIDE, vote)
    return 2 * len(votes)


async def assert_untouched(temporal: Client, run_id: str) -> None:
    state = await workflow_state(temporal, run_id)
    assert (state.status, state.votes, state.answer) == ("pending", (), msgspec.Raw(b"null"))
    assert (state.claim, state.handed_to) == (None, None)


def link_to(run_id: str, digest: str, groups: Sequence[str] = (), approval_id: str = "word") -> DecisionLink:
    return DecisionLink(
        tenant="acme",
        run_id=run_id,
        approval_id=approval_id,
        digest=digest,
        to=RECIPIENT,
        groups=tuple(groups),
        expires_at=datetime.now(UTC) + timedelta(days=1),
    )


END_USER: Final = "key:robot#c-17"
"""The subject of a person on whose behalf a scoped token is minted."""
EARLY_REFUSALS: Final = {(409, "not_asked_yet"), (404, "unknown_approval")}


def vote_of(subject: Subject, digest: str | None, *, objection: bool) -> Decision:
    """The message that a gateway would send for this subject."""
    vote = forged("an", "", objection=objection)
    return with_fields(vote, decider=subject, digest=digest)


async def run_started_by(temporal: Client, as_user: As, policy: Policy, starter: Subject) -> tuple[str, str]:
    """Start a run as a subject without an API key; its id and the digest of its question."""
    run_id = new_run_id("echo")
    await temporal.start_workflow(
        "echo",
        EchoInput(text="hi", ask=True, policy=policy),
        id=run_key("acme", run_id),
        task_queue="echo",
        memo={
            names.MEMO_TENANT: "acme",
            names.MEMO_STARTED_BY: starter.subject,
            names.MEMO_STARTER: starter,
            names.MEMO_PATCHES: stated_patches(SPEC),
        },
    )
    async with as_user("lan") as reader:
        await eventually(lambda: is_listed(reader, run_id))
        await asked(reader, run_id)
        approval = (await reader.get(f"/v1/runs/{run_id}/approvals/word")).json()
    return run_id, str(approval["digest"])


async def is_listed(reader: httpx2.AsyncClient, run_id: str) -> bool:
    return (await reader.get(f"/v1/runs/{run_id}")).status_code == 200


async def guest_run(temporal: Client, as_user: As, rule: str, guest: Subject) -> tuple[str, str]:
    policy, _ = GUEST_RULES[rule]
    if rule == "exclude_starter":
        return await run_started_by(temporal, as_user, policy, guest)
    return await run_with(as_user, policy)


async def send_link(app: Starlette, path: str, token: str) -> httpx2.Response:
    """Call an endpoint of links; they take no credentials."""
    body = {"token": token} | ({"answer": {"word": "yes"}} if path.endswith("/decision") else {})
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=ORIGIN) as nobody:
        return await nobody.post(path, json=body)


def test_the_entry_points_are_complete(app: Starlette) -> None:
    """Besides those of approvers there are links; of all, scoped tokens are accepted by one."""
    endpoints = all_endpoints(app)
    open_to_all = {item.path for item in endpoints if item.role is None and "links" in item.path}
    assert open_to_all == {"/v1/links/question", "/v1/links/decision"}
    assert {item.name for item in endpoints if item.scoped_access == "decide"} == {"decide"}


@pytest.mark.parametrize("rule", GUEST_RULES)
async def test_no_link_bypasses_a_rule(
    app: Starlette, as_user: As, temporal: Client, link_keys: FollowedFile[LinkKeys], rule: str
) -> None:
    policy, groups = GUEST_RULES[rule]
    recipient = link_to("", "", groups).subject
    run_id, digest = await guest_run(temporal, as_user, rule, recipient)
    link = link_to(run_id, digest, groups)
    status, code = expected_refusal(policy)
    token = link_keys.value.sign(link)

    shown = await send_link(app, "/v1/links/question", token)
    refused = await send_link(app, "/v1/links/decision", token)
    foreign = await send_link(
        app, "/v1/links/decision", link_keys.value.sign(with_fields(link, tenant="other"))
    )
    attempts = 2 + await attempt_messages(
        temporal,
        run_id,
        [vote_of(recipient, digest, objection=objection) for objection in (False, True)],
        code,
    )
    async with as_bearer(app, token) as holder:
        for endpoint in vote_endpoints(app):
            answer = await holder.post(path_of(endpoint, run_id), json=body_of(endpoint, run_id, digest))
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
            attempts += 1

    assert shown.status_code == 200, shown.text
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert (foreign.status_code, foreign.json()["code"]) == (404, "unknown_approval")
    await assert_untouched(temporal, run_id)
    sys.stdout.write(f"link, {rule}: {attempts} attempts, 0 bypasses\n")


def as_bearer(app: Starlette, token: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app),
        base_url=ORIGIN,
        headers={"authorization": f"Bearer {token}"},
    )


async def minted(as_user: As, run_id: str, groups: Sequence[str]) -> str:
    """A token that may decide this approval, on behalf of a person without an API key."""
    body = {
        "allow": [{"decide": {"approval_id": "word", "run_id": run_id}}],
        "times": 100,
        "on_behalf_of": {"id": "c-17", "name": "Khach", "groups": list(groups)},
    }
    async with as_user("robot") as minter:
        answer = await minter.post("/v1/tokens", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


@pytest.mark.parametrize("rule", GUEST_RULES)
async def test_no_scoped_token_bypasses_a_rule(
    app: Starlette, as_user: As, temporal: Client, rule: str
) -> None:
    policy, given = GUEST_RULES[rule]
    groups = sorted({*given} & {"marketing", "legal"})
    run_id, digest = await guest_run(temporal, as_user, rule, Subject(subject=END_USER, groups=tuple(groups)))
    status, code = expected_refusal(policy)
    other_id, other_digest = await run_with(as_user, Policy(quorum=(Quorum(2),)))
    attempts = 0

    async with as_bearer(app, await minted(as_user, run_id, groups)) as holder:
        for endpoint in vote_endpoints(app):
            answer = await holder.post(path_of(endpoint, run_id), json=body_of(endpoint, run_id, digest))
            expected = (status, code) if endpoint.name == "decide" else (403, "not_permitted_by_token")
            assert (answer.status_code, answer.json()["code"]) == expected, (endpoint.name, answer.text)
            answer = await holder.post(
                path_of(endpoint, other_id), json=body_of(endpoint, other_id, other_digest)
            )
            assert (answer.status_code, answer.json()["code"]) == (403, "not_permitted_by_token"), (
                endpoint.name
            )
            attempts += 2

    await assert_untouched(temporal, run_id)
    await assert_untouched(temporal, other_id)
    sys.stdout.write(f"token, {rule}: {attempts} attempts, 0 bypasses\n")


@pytest.mark.parametrize("rule", [name for name, (_, excluded) in RULES.items() if excluded != "stranger"])
async def test_another_tenant_has_no_entry_point_under_any_rule(
    app: Starlette, as_user: As, temporal: Client, rule: str
) -> None:
    run_id, digest = await run_with(as_user, RULES[rule][0])
    async with as_user("stranger") as stranger:
        for endpoint in vote_endpoints(app):
            answer = await stranger.post(path_of(endpoint, run_id), json=body_of(endpoint, run_id, digest))
            if endpoint.name == "decide_many":
                (result,) = answer.json()["results"]
                assert (result["status"], result["code"]) == ("refused", "unknown_run")
            else:
                assert answer.status_code == 404, (endpoint.name, answer.text)
    await assert_untouched(temporal, run_id)


@pytest.mark.parametrize("kind", ["digest required", "stale digest"])
async def test_no_entry_point_bypasses_the_digest(
    app: Starlette, as_user: As, temporal: Client, link_keys: FollowedFile[LinkKeys], kind: str
) -> None:
    """The callers may decide; only the digest is missing, or that of another question."""
    run_id, digest = await run_with(as_user, Policy(quorum=(Quorum(3, "marketing"),), veto=("marketing",)))
    status, code, sent = {
        "digest required": (422, "digest_required", None),
        "stale digest": (409, "stale_digest", "jcs:" + "0" * 64),
    }[kind]
    callers = [as_user("an"), as_bearer(app, await minted(as_user, run_id, ["marketing"]))]
    for caller, may_use in zip(callers, ({*BOUND, "decide_many"}, {"decide"}), strict=True):
        async with caller:
            for endpoint in vote_endpoints(app):
                if endpoint.name not in may_use:
                    continue
                body = body_of(endpoint, run_id, digest)
                content = msgspec.json.encode(body).replace(
                    msgspec.json.encode(digest), msgspec.json.encode(sent)
                )
                answer = await caller.post(
                    path_of(endpoint, run_id), content=content, headers={"content-type": "application/json"}
                )
                if endpoint.name == "decide_many":
                    (result,) = answer.json()["results"]
                    assert (result["status"], result["code"]) == ("refused", code)
                else:
                    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    recipient = link_to(run_id, digest, ["marketing"])
    votes = [vote_of(recipient.subject, sent, objection=objection) for objection in (False, True)]
    await attempt_messages(temporal, run_id, votes, code)
    if sent is not None:
        stale = await send_link(
            app, "/v1/links/decision", link_keys.value.sign(with_fields(recipient, digest=sent))
        )
        assert (stale.status_code, stale.json()["code"]) == (409, "link_stale")
    await assert_untouched(temporal, run_id)


async def test_no_entry_point_decides_early_or_by_a_link_that_the_contract_does_not_permit(
    parts: Parts, app: Starlette, temporal: Client, link_keys: FollowedFile[LinkKeys], tmp_path: Path
) -> None:
    keys = {name: {"name": name.title(), **given} for name, given in KEYS.items()}
    path = write_api_keys(tmp_path / "polls.json", secret, keys)
    with_polls = replace(parts, keys=ApiKeys(path), link_keys=link_keys, pipelines={POLLS.name: POLLS})
    polls = Gateway(with_polls, deadline=PATIENCE).app()
    asked_for = [
        {"approval_id": "single", "approval": "single", "deadline_s": 3_600},
        {"approval_id": "late_0", "approval": "late_0", "deadline_s": 3_600, "asked_after_s": 3_600},
    ]
    queue = POLLS.task_queue
    async with (
        pipeline_under_test(POLLS, activities=[], client=temporal, task_queue=queue) as pipeline,
        as_bearer(polls, secret("an")) as an,
    ):
        assert pipeline.task_queue == queue
        answer = await an.post("/v1/runs", json={"pipeline": "polls", "input": {"polls": asked_for}})
        assert answer.status_code == 201, answer.text
        run_id = str(answer.json()["run_id"])
        await asked(an, run_id)
        digest = str((await an.get(f"/v1/runs/{run_id}/approvals/single")).json()["digest"])
        for endpoint in vote_endpoints(polls):
            early = path_of(endpoint, run_id).replace("/word", "/late_0")
            body = msgspec.json.encode(body_of(endpoint, run_id, digest)).replace(b'"word"', b'"late_0"', 1)
            if endpoint.name != "decide_many":
                body = msgspec.json.encode(body_of(endpoint, run_id, digest))
            refused = await an.post(early, content=body, headers={"content-type": "application/json"})
            if endpoint.name == "decide_many":
                (result,) = refused.json()["results"]
                assert (result["status"], result["code"]) == ("refused", "not_asked_yet")
            else:
                assert (refused.status_code, refused.json()["code"]) in EARLY_REFUSALS, refused.text
        for approval_id, expected in (
            ("single", (403, "not_allowed_by_policy")),
            ("late_0", (404, "unknown_approval")),
        ):
            link = link_to(run_id, digest, approval_id=approval_id)
            refused = await send_link(polls, "/v1/links/decision", link_keys.value.sign(link))
            assert (refused.status_code, refused.json()["code"]) == expected
            vote = with_fields(vote_of(link.subject, digest, objection=False), approval_id=approval_id)
            await attempt_messages(temporal, run_id, [vote], "not_allowed_by_policy")
        states = (await an.get(f"/v1/runs/{run_id}")).json()["approvals"]
        assert [(item["approval_id"], item["status"]) for item in states] == [("single", "pending")]
