"""Votes by a policy: counted, changed, vetoed, claimed and delegated."""

from dataclasses import replace
from pathlib import Path

import httpx2
import msgspec
import pytest
from starlette.applications import Starlette
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from signalbox_client.models import Approval
from signalbox_client.shown_question import verified_digest
from signalbox_core.events.snapshot import RefusedVoteState
from signalbox_core.ids import run_key
from signalbox_core.pipeline import Policy, Quorum
from signalbox_core.pipeline.contract.messages import SIGNAL_DECIDE
from signalbox_gateway.app import Gateway, Parts
from signalbox_gateway.auth.authenticator import ApiKeys
from support.assertions.eventually import eventually
from support.drivers.api_calls import Json, ended, started
from support.fakes.api_keys import write_api_keys
from support.servers.gateway import ORIGIN, PATIENCE
from support.votes.policies import KEYS, RULES, As, forged, run_with, secret, workflow_state


@pytest.fixture
def app(parts: Parts, tmp_path: Path) -> Starlette:
    keys = {name: {"name": name.title(), **given} for name, given in KEYS.items()}
    path = write_api_keys(tmp_path / "policies.json", secret, keys)
    return Gateway(replace(parts, keys=ApiKeys(path)), deadline=PATIENCE).app()


@pytest.fixture
def as_user(app: Starlette, worker: None) -> As:
    return lambda name: httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app),
        base_url=ORIGIN,
        headers={"authorization": f"Bearer {secret(name)}"},
    )


async def failure_of(temporal: Client, run_id: str) -> ApplicationError:
    """The error with which the run failed."""
    with pytest.raises(WorkflowFailureError) as failed:
        await temporal.get_workflow_handle(run_key("acme", run_id)).result()
    assert isinstance(failed.value.cause, ApplicationError)
    return failed.value.cause


async def test_votes_are_counted_and_the_answer_says_what_is_needed(as_user: As, temporal: Client) -> None:
    policy = Policy(quorum=(Quorum(2, "marketing"), Quorum(1, "legal")))
    run_id, digest = await run_with(as_user, policy)
    replies: list[Json] = []
    for name in ("an", "lan", "minh"):
        async with as_user(name) as caller:
            sent = {"digest": digest, "answer": {"word": "yes"}, "decision_id": f"of-{name}"}
            reply = await caller.post(f"/v1/runs/{run_id}/approvals/word/decision", json=sent)
            assert reply.status_code == 200, reply.text
            replies.append(reply.json())

    async with as_user("an") as caller:
        await ended(caller, run_id)
        approval = (await caller.get(f"/v1/runs/{run_id}/approvals/word")).json()
        again = await caller.post(
            f"/v1/runs/{run_id}/approvals/word/decision",
            json={"digest": digest, "answer": {"word": "yes"}, "decision_id": "of-an"},
        )
        result = (await caller.get(f"/v1/runs/{run_id}/result")).json()

    assert [reply["status"] for reply in replies] == ["counted", "counted", "accepted"]
    assert replies[0]["message"] == "1 of 2 of marketing; 1 of legal still needed"
    assert replies[1]["message"] == "2 of 2 of marketing; 1 of legal still needed"
    assert result == {"text": "yes"}
    assert approval["status"] == "decided"
    assert approval["policy"]["needed"] == 3
    assert "2 of marketing and 1 of legal must agree" in approval["policy"]["text"]
    assert [vote["voted_by"]["subject"] for vote in approval["votes"]] == ["key:an", "key:lan", "key:minh"]
    assert [vote["group"] for vote in approval["votes"]] == ["marketing", "marketing", "legal"]
    assert (again.status_code, again.json()["status"]) == (200, "counted")


async def test_a_changed_vote_replaces_the_earlier_one(as_user: As, temporal: Client) -> None:
    run_id, digest = await run_with(as_user, Policy(quorum=(Quorum(2),)))
    path = f"/v1/runs/{run_id}/approvals/word/decision"
    async with as_user("an") as an, as_user("lan") as lan:
        await an.post(path, json={"digest": digest, "answer": {"word": "no"}, "decision_id": "first"})
        changed = await an.post(
            path, json={"digest": digest, "answer": {"word": "yes"}, "decision_id": "second"}
        )
        repeated = await an.post(
            path, json={"digest": digest, "answer": {"word": "no"}, "decision_id": "first"}
        )
        other = await lan.post(path, json={"digest": digest, "answer": {"word": "no"}})
        state = await workflow_state(temporal, run_id)
        taken = await lan.post(
            path, json={"digest": digest, "answer": {"word": "yes"}, "decision_id": "second"}
        )
        decided = await lan.post(path, json={"digest": digest, "answer": {"word": "yes"}})

    assert [item.json()["status"] for item in (changed, repeated, other)] == ["counted"] * 3
    assert [vote.decision_id for vote in state.votes if vote.voted_by.subject == "key:an"] == ["second"]
    assert (taken.status_code, taken.json()["code"]) == (409, "decision_id_taken")
    assert decided.json()["status"] == "accepted"


async def test_an_objection_of_the_veto_group_ends_the_question(as_user: As, temporal: Client) -> None:
    run_id, digest = await run_with(as_user, Policy(quorum=(Quorum(2, "marketing"),), veto=("legal",)))
    path = f"/v1/runs/{run_id}/approvals/word"
    async with as_user("an") as an, as_user("minh") as minh:
        objected = await an.post(f"{path}/objection", json={"digest": digest, "reason": "too long"})
        without_reason = await minh.post(f"{path}/objection", json={"digest": digest, "reason": "  "})
        vetoed = await minh.post(
            f"{path}/objection", json={"digest": digest, "reason": "misleading", "decision_id": "v"}
        )
        run = await ended(an, run_id)
        late = await an.post(f"{path}/decision", json={"digest": digest, "answer": {"word": "yes"}})
        again = await minh.post(
            f"{path}/objection", json={"digest": digest, "reason": "misleading", "decision_id": "v"}
        )
        approval = (await an.get(path)).json()
    failure = await failure_of(temporal, run_id)

    assert (objected.status_code, objected.json()["status"]) == (200, "counted")
    assert (without_reason.status_code, without_reason.json()["code"]) == (422, "reason_required")
    assert (vetoed.status_code, vetoed.json()["status"]) == (200, "vetoed")
    assert run["status"] == "failed"
    assert (failure.type, failure.message) == ("vetoed", "approval word was vetoed by Minh: misleading")
    assert (late.status_code, late.json()["code"], late.json()["reason"]) == (409, "vetoed", "misleading")
    assert (again.status_code, again.json()["status"]) == (200, "vetoed")
    assert (approval["status"], approval["decided_by"]) == ("vetoed", "Minh")


async def test_votes_by_signal_are_validated_by_the_worker(as_user: As, temporal: Client) -> None:
    run_id, digest = await run_with(as_user, Policy(quorum=(Quorum(2, "marketing"),), exclude_starter=False))
    handle = temporal.get_workflow_handle(run_key("acme", run_id))
    for caller in ("minh", "an", "an", "lan"):
        await handle.signal(SIGNAL_DECIDE, forged(caller, digest, objection=False))

    async with as_user("an") as an:
        run = await ended(an, run_id)
    state = await workflow_state(temporal, run_id)

    assert run["status"] == "completed"
    assert [vote.voted_by.subject for vote in state.votes] == ["key:an", "key:lan"]


async def test_a_policy_that_excludes_too_many_people_fails_the_run(as_user: As, temporal: Client) -> None:
    policy = Policy(quorum=(Quorum(2),), people=("key:an", "key:lan"), exclude_starter=True)
    async with as_user("an") as an:
        run_id = await started(an, ask=True, policy=msgspec.to_builtins(policy))
        await ended(an, run_id)
    failure = await failure_of(temporal, run_id)

    assert failure.type == "pipeline_bug"
    assert "policy.people without the subject that started the run" in failure.message


async def test_pending_votes_are_shown_to_the_next_voter(as_user: As) -> None:
    run_id, digest = await run_with(as_user, Policy(quorum=(Quorum(2),)))
    path = f"/v1/runs/{run_id}/approvals/word"
    async with as_user("an") as an, as_user("lan") as lan:
        await an.post(f"{path}/decision", json={"digest": digest, "answer": {"word": "yes"}})

        async def shown() -> Json | None:
            body = (await lan.get(path)).json()
            return body if body["votes"] else None

        approval = await eventually(shown)

    assert approval["status"] == "pending"
    assert approval["quorum"] == [{"needed": 2, "counted": 1, "group": None}]


async def test_a_claim_is_shown_refused_to_others_and_ends_with_a_vote(as_user: As, temporal: Client) -> None:
    run_id, digest = await run_with(as_user, Policy(quorum=(Quorum(2),)))
    path = f"/v1/runs/{run_id}/approvals/word"
    async with as_user("an") as an, as_user("lan") as lan:
        nothing = await an.post(f"{path}/release")
        claimed = await an.post(f"{path}/claim")
        extended = await an.post(f"{path}/claim")
        refused = await lan.post(f"{path}/claim")
        shown = (await workflow_state(temporal, run_id)).claim
        await an.post(f"{path}/decision", json={"digest": digest, "answer": {"word": "yes"}})
        after_vote = (await workflow_state(temporal, run_id)).claim
        second = await lan.post(f"{path}/claim")
        released = await lan.post(f"{path}/release")

    assert (nothing.status_code, nothing.json()["code"]) == (409, "not_claimed")
    assert claimed.json()["claimed_by"]["subject"] == "key:an"
    assert extended.json()["claimed_until"] >= claimed.json()["claimed_until"]
    assert (refused.status_code, refused.json()["code"]) == (409, "claimed")
    assert refused.json()["claimed_by"] == "key:an"
    assert shown is not None
    assert shown.by.subject == "key:an"
    assert after_vote is None
    assert [item.status_code for item in (second, released)] == [200, 200]


async def test_a_repeated_claim_release_or_delegation_has_the_same_reply(
    as_user: As, temporal: Client
) -> None:
    run_id, _ = await run_with(as_user, Policy(quorum=(Quorum(2),)))
    path = f"/v1/runs/{run_id}/approvals/word"
    first, second = ({"idempotency-key": f"{run_id}-{number}"} for number in range(2))
    async with as_user("an") as an, as_user("lan") as lan:
        claimed = await an.post(f"{path}/claim", headers=first)
        released = await an.post(f"{path}/release", headers=first)
        of_lan = await lan.post(f"{path}/claim", headers=first)
        claimed_again = await an.post(f"{path}/claim", headers=first)
        released_again = await an.post(f"{path}/release", headers=first)
        refused = await an.post(f"{path}/claim", headers=second)
    state = await workflow_state(temporal, run_id)

    assert claimed.json()["claimed_by"]["subject"] == "key:an"
    assert (claimed_again.json(), released_again.json()) == (claimed.json(), released.json())
    assert of_lan.json()["claimed_by"]["subject"] == "key:lan"
    assert (refused.status_code, refused.json()["code"]) == (409, "claimed")
    assert state.claim is not None
    assert state.claim.by.subject == "key:lan"


async def test_a_vote_by_signal_that_is_refused_later_is_shown(as_user: As, temporal: Client) -> None:
    run_id, digest = await run_with(as_user, Policy(quorum=(Quorum(2, "marketing"),)))
    handle = temporal.get_workflow_handle(run_key("acme", run_id))
    decision = forged("minh", digest, objection=False)
    await handle.signal(SIGNAL_DECIDE, decision)

    async def refused() -> tuple[RefusedVoteState, ...]:
        return (await workflow_state(temporal, run_id)).refused

    (vote,) = await eventually(refused, within_s=30)
    async with as_user("an") as an:
        shown = (await an.get(f"/v1/runs/{run_id}/approvals/word")).json()["refused"]

    assert (vote.decision_id, vote.code) == (decision.decision_id, "not_allowed_by_policy")
    assert (vote.voted_by.subject, vote.reason) == (
        "key:minh",
        "the policy does not let this subject decide",
    )
    assert [item["decision_id"] for item in shown] == [decision.decision_id]


async def test_a_delegate_must_satisfy_the_policy_and_gains_no_right(as_user: As, temporal: Client) -> None:
    policy = Policy(quorum=(Quorum(2, "marketing"),), people=("key:an", "key:lan", "key:minh"))
    run_id, digest = await run_with(as_user, policy)
    path = f"/v1/runs/{run_id}/approvals/word"
    async with as_user("an") as an, as_user("minh") as minh:
        refused = [
            await an.post(f"{path}/delegate", json={"to": to}) for to in ("key:an", "key:nam", "group:legal")
        ]
        delegated = await an.post(f"{path}/delegate", json={"to": "key:minh", "note": "please"})
        vote = await minh.post(f"{path}/decision", json={"digest": digest, "answer": {"word": "yes"}})
    state = await workflow_state(temporal, run_id)

    assert [item.json()["code"] for item in refused] == ["not_allowed_by_policy"] * 3
    assert [item.json()["rule"] for item in refused] == ["delegate", "people", "quorum"]
    assert (delegated.status_code, state.handed_to) == (200, "key:minh")
    assert (vote.status_code, vote.json()["rule"]) == (403, "quorum")


@pytest.mark.parametrize("rule", ["agent, default", "people", "exclude_starter", "signature, veto"])
async def test_a_client_computes_the_digest_that_the_run_recorded(as_user: As, rule: str) -> None:
    policy, _ = RULES[rule]
    run_id, digest = await run_with(as_user, policy)
    async with as_user("an") as an:
        answer = await an.get(f"/v1/runs/{run_id}/approvals/word")
    assert verified_digest(msgspec.json.decode(answer.content, type=Approval)) == digest
