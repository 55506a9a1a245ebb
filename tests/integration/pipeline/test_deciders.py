"""A run reads from a receipt who decided, and by which rule and for which group the vote counted."""

import msgspec
from temporalio.client import Client

from signalbox_core.events.policy import CountedVote, Policy
from signalbox_core.pipeline.contract.messages import Decision
from signalbox_core.subjects import Subject
from signalbox_core.testing.pipeline import pipeline_under_test, replay
from support.fakes.sign_off_pipeline import SPEC, TWO_GROUPS, SignOffInput, SignOffResult

AN = Subject(subject="key:an", name="An", groups=("marketing",))
MINH = Subject(subject="https://login.test#minh", name="Minh", groups=("legal", "board"))
AUDITOR = Subject(subject="key:audit", kind="service")


async def result_of(client: Client, policy: Policy, *voters: Subject | None) -> SignOffResult:
    """Let each of the voters give the same answer, and replay the run."""
    async with pipeline_under_test(SPEC, activities=[], client=client) as pipeline:
        run = await pipeline.start(SignOffInput(policy=policy))
        digest = (await run.approval("publish")).digest
        for number, voter in enumerate(voters):
            await run.send(
                Decision(
                    approval_id="publish",
                    decision_id=f"d{number}",
                    answer=msgspec.Raw(b'{"publish":true}'),
                    decided_by=(voter.name if voter else None) or "Somebody",
                    decider=voter,
                    digest=digest,
                )
            )
        result: SignOffResult = await run.result()
        history = await run.handle.fetch_history()
    await replay(SPEC, history)
    return result


async def test_a_receipt_has_the_decider_and_the_votes_with_their_groups(client: Client) -> None:
    result = await result_of(client, TWO_GROUPS, AN, MINH)
    assert (result.decided_by, result.decider) == ("Minh", MINH)
    assert (result.rule, result.group, result.is_policy_known) == ("quorum", "legal", True)
    assert result.votes == (
        CountedVote(decision_id="d0", subject=AN, group="marketing"),
        CountedVote(decision_id="d1", subject=MINH, group="legal"),
    )


async def test_with_the_default_policy_the_decider_is_known_and_no_rule_counted(client: Client) -> None:
    result = await result_of(client, Policy(), AUDITOR)
    assert (result.decider, result.rule, result.group, result.votes) == (AUDITOR, None, None, ())


async def test_a_decision_of_an_earlier_release_has_a_display_name_only(client: Client) -> None:
    result = await result_of(client, Policy(), None)
    assert (result.decided_by, result.decider) == ("Somebody", None)
