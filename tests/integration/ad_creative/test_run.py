"""Complete runs of ad_creative on a Temporal server with the demo shop."""

import msgspec
import pytest
from msgspec.structs import replace
from temporalio.client import WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from signalbox_core.events.catalogue import RunFailed
from signalbox_core.passkeys.signature import DecisionStatement, answer_sha256, note_sha256
from signalbox_core.pipeline.contract.messages import Decision
from signalbox_core.subjects import Subject
from signalbox_core.testing.objects import FakeObjectStore
from signalbox_core.testing.pipeline import RunUnderTest, pipeline_under_test
from signalbox_pipelines.ad_creative.activities import AdActivities
from signalbox_pipelines.ad_creative.contract import (
    SPEC,
    Ad,
    AdInput,
    AdResult,
    VariantDecision,
    VariantDecisions,
)
from support.assertions.eventually import eventually
from support.fakes.authenticator import Authenticator
from support.servers.shop import Shop


def methods(activities: AdActivities) -> list[object]:
    return [
        activities.extract_brand,
        activities.write_copy,
        activities.match_images,
        activities.compose_ad,
        activities.publish,
    ]


def decisions(*each: VariantDecision) -> VariantDecisions:
    return VariantDecisions(decisions=each)


async def options(run: RunUnderTest, approval_id: str) -> list[Ad]:
    return msgspec.json.decode((await run.approval(approval_id, within_s=60)).options, type=list[Ad])


async def test_a_page_becomes_approved_edited_and_rewritten_ads(
    shop: Shop, activities: AdActivities, objects: FakeObjectStore
) -> None:
    async with pipeline_under_test(SPEC, activities=methods(activities)) as pipeline:
        run = await pipeline.start(AdInput(url=shop.url("vi/ca-phe"), sizes=("300x250", "728x90")))
        first = await options(run, "variants")

        await run.decide(
            "variants",
            decisions(
                VariantDecision(variant="variant-1", action="approve"),
                VariantDecision(variant="variant-2", action="edit", headline="Rang mới mỗi tuần"),
                VariantDecision(variant="variant-3", action="reject", reason="nói về giá"),
            ),
        )
        again = await options(run, "variants-2")
        await run.decide(
            "variants-2",
            decisions(
                VariantDecision(variant="variant-2", action="approve"),
                VariantDecision(variant="variant-3", action="reject", reason="vẫn chưa hay"),
            ),
        )
        result: AdResult = await run.result()
        await eventually(lambda: run.event_names()[-1] == "run.completed")
        names = [artifact.name for artifact in (await run.snapshot()).artifacts]
        edited, unedited = (await run.snapshot()).approvals

    assert [ad.variant for ad in first] == ["variant-1", "variant-2", "variant-3"]
    assert [(ad.variant, ad.version) for ad in again] == [("variant-2", 2), ("variant-3", 2)]
    assert again[0].headline == "Rang mới mỗi tuần"
    assert "189.000 ₫" in again[1].headline, "the reason asked for the price"
    assert [ad.variant for ad in result.approved] == ["variant-1", "variant-2"]
    assert [(item.variant, item.reason) for item in result.rejected] == [("variant-3", "vẫn chưa hay")]
    assert all(
        objects.bodies[picture.key].startswith(b"\x89PNG")
        for ad in result.approved
        for picture in ad.pictures
    )
    assert run.event_names().count("ad.approved") == 2
    assert (edited.outcome, edited.modified) == ("modified", ("/decisions/1/headline",))
    assert (unedited.outcome, unedited.modified) == (None, ())
    assert len(names) == len(set(names)) == 10


@pytest.mark.parametrize(
    ("answer", "field"),
    [
        pytest.param(
            [VariantDecision(variant="variant-9", action="approve")],
            "answer.decisions[0].variant",
            id="unknown variant",
        ),
        pytest.param(
            [
                VariantDecision(variant="variant-1", action="approve"),
                VariantDecision(variant="variant-1", action="approve"),
            ],
            "answer.decisions[1].variant",
            id="decided twice",
        ),
        pytest.param(
            [VariantDecision(variant="variant-1", action="edit")],
            "answer.decisions[0].headline",
            id="edit without text",
        ),
        pytest.param(
            [VariantDecision(variant="variant-1", action="reject")],
            "answer.decisions[0].reason",
            id="reject without reason",
        ),
        pytest.param(
            [VariantDecision(variant="variant-1", action="approve")],
            "answer.decisions",
            id="one left undecided",
        ),
    ],
)
async def test_an_incomplete_answer_is_refused_and_the_approval_stays_pending(
    shop: Shop, activities: AdActivities, answer: list[VariantDecision], field: str
) -> None:
    async with pipeline_under_test(SPEC, activities=methods(activities)) as pipeline:
        run = await pipeline.start(AdInput(url=shop.url("en/cup"), variants=2, sizes=("300x250",)))
        await run.approval("variants", within_s=60)

        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await run.decide("variants", decisions(*answer))

        cause = refused.value.cause
        assert isinstance(cause, ApplicationError)
        assert cause.type == "invalid_answer"
        assert cause.details[0]["field"] == field
        assert (await run.approval("variants")).status == "pending"
        await run.handle.terminate()


@pytest.mark.parametrize(
    ("path", "code", "step"),
    [
        pytest.param("traps/no-pictures", "no_pictures", "extract_brand", id="no pictures"),
        pytest.param("traps/bad-pictures", "no_pictures", "match_images", id="only bad pictures"),
        pytest.param("traps/not-html", "not_html", "extract_brand", id="not html"),
        pytest.param("missing", "page_not_found", "extract_brand", id="404"),
        pytest.param("traps/big", "too_large", "extract_brand", id="10 MB"),
        pytest.param("traps/to-private", "blocked_address", "extract_brand", id="redirect inside"),
    ],
)
async def test_an_unusable_page_fails_the_run_with_field_and_remedy(
    shop: Shop, activities: AdActivities, path: str, code: str, step: str
) -> None:
    async with pipeline_under_test(SPEC, activities=methods(activities)) as pipeline:
        run = await pipeline.start(AdInput(url=shop.url(path)))

        with pytest.raises(WorkflowFailureError):
            await run.result()

        await eventually(lambda: "run.failed" in run.event_names())
        failed = msgspec.json.decode(run.events()[-1].data, type=RunFailed)
        assert (failed.error.code, failed.error.field, failed.error.step) == (code, "url", step)
        assert ";" in failed.error.message or "give" in failed.error.message


async def test_a_decision_with_a_stale_digest_is_refused(shop: Shop, activities: AdActivities) -> None:
    async with pipeline_under_test(SPEC, activities=methods(activities)) as pipeline:
        run = await pipeline.start(AdInput(url=shop.url("en/cup"), variants=1, sizes=("300x250",)))
        await run.approval("variants", within_s=60)
        answer = msgspec.json.encode(decisions(VariantDecision(variant="variant-1", action="approve")))

        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await run.send(
                Decision(
                    approval_id="variants",
                    decision_id="d1",
                    answer=msgspec.Raw(answer),
                    decided_by="an",
                    digest="of something else",
                )
            )

        assert isinstance(refused.value.cause, ApplicationError)
        assert refused.value.cause.type == "stale_digest"
        await run.handle.terminate()


async def test_two_people_decide_when_the_input_asks_for_it(shop: Shop, activities: AdActivities) -> None:
    async with pipeline_under_test(SPEC, activities=methods(activities)) as pipeline:
        request = AdInput(url=shop.url("vi/ca-phe"), sizes=("300x250",), variants=1, two_people=True)
        run = await pipeline.start(request, starter=Subject(subject="key:huong"))
        asked = await run.approval("variants", within_s=60)
        answer = decisions(VariantDecision(variant="variant-1", action="approve"))

        own, first, second = (
            Decision(
                approval_id="variants",
                decision_id=name,
                answer=msgspec.Raw(msgspec.json.encode(answer)),
                decided_by=name,
                digest=asked.digest,
                decider=Subject(subject=f"key:{name}"),
            )
            for name in ("huong", "lan", "minh")
        )
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await run.send(own)
        counted = await run.send(first)
        decided = await run.send(second)
        result: AdResult = await run.result()

    assert isinstance(refused.value.cause, ApplicationError)
    assert refused.value.cause.type == "not_allowed_by_policy"
    assert (counted.result, decided.result) == ("counted", "decided")
    assert [ad.variant for ad in result.approved] == ["variant-1"]


async def test_decisions_are_signed_when_the_input_asks_for_it(shop: Shop, activities: AdActivities) -> None:
    async with pipeline_under_test(SPEC, activities=methods(activities)) as pipeline:
        request = AdInput(url=shop.url("vi/ca-phe"), sizes=("300x250",), variants=1, signed=True)
        run = await pipeline.start(request, starter=Subject(subject="key:huong"))
        asked = await run.approval("variants", within_s=60)
        answer = decisions(VariantDecision(variant="variant-1", action="approve"))
        unsigned = Decision(
            approval_id="variants",
            decision_id="d-1",
            answer=msgspec.Raw(msgspec.json.encode(answer)),
            decided_by="lan",
            digest=asked.digest,
            decider=Subject(subject="key:lan"),
        )
        statement = DecisionStatement(
            tenant="acme",
            run_id=run.run_id,
            approval_id="variants",
            question_digest=asked.digest,
            decision_id="d-1",
            subject="key:lan",
            answer_sha256=answer_sha256(unsigned.answer),
            note_sha256=note_sha256(None),
        )
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await run.send(unsigned)
        signed = replace(unsigned, signature=Authenticator("lan").sign_statement(statement))
        decided = await run.send(signed)
        result: AdResult = await run.result()

    assert isinstance(refused.value.cause, ApplicationError)
    assert refused.value.cause.type == "signature_required"
    assert decided.result == "decided"
    assert [ad.variant for ad in result.approved] == ["variant-1"]
